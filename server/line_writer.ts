/**
 * The writing of lines to a destination that may be slow, full or closed: it
 * neither holds up the program nor ends it.
 */

import { write } from "node:fs";

/** Writes bytes, and resolves with the number written; rejects with the system's error. */
export type WriteBytes = (bytes: Uint8Array) => Promise<number>;

/** The largest number of characters that wait; later lines are lost. */
const MAX_WAITING = 1024 * 1024;
/** The pause before a destination that takes nothing now is tried again. */
const RETRY_MS = 50;
const NEWLINE = 0x0a;

/** Returns a writer to a file descriptor: 1 is standard output, 2 standard error. */
export function descriptor(fd: number): WriteBytes {
  return (bytes) =>
    new Promise((resolve, reject) => write(fd, bytes, (error, written) => error ? reject(error) : resolve(written)));
}

/**
 * A writer of lines, in order and behind the caller. Lines that the destination
 * does not take are lost; their number is reported once it takes lines again.
 */
export class LineWriter {
  readonly #write: WriteBytes;
  readonly #lossLine: (lost: number) => string;
  readonly #encoder = new TextEncoder();
  #waiting: string[] = [];
  #size = 0;
  #lost = 0;
  /** Set if the last byte written was not the end of its line. */
  #torn = false;
  #writing: Promise<void> | null = null;

  /** Creates a writer. @param lossLine Returns the line that reports lost ones. */
  constructor(
    write: WriteBytes,
    lossLine: (lost: number) => string = (lost) => `${lost} lines were lost: they could not be written`,
  ) {
    this.#write = write;
    this.#lossLine = lossLine;
  }

  /** Writes a line soon. Never throws. */
  write(line: string): void {
    if (this.#size + line.length > MAX_WAITING) {
      this.#lost++;
      return;
    }
    this.#waiting.push(line);
    this.#size += line.length;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves once all lines are written or lost, at the latest after `maxMs`. */
  async flush(maxMs = 1000): Promise<void> {
    const end = Promise.withResolvers<void>();
    const timer = setTimeout(end.resolve, maxMs);
    await Promise.race([this.#writing, end.promise]);
    clearTimeout(timer);
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      const lost = this.#lost;
      this.#waiting = [];
      this.#size = 0;
      this.#lost = 0;
      const all = lost > 0 ? [this.#lossLine(lost), ...lines] : lines;
      const text = `${this.#torn ? "\n" : ""}${all.join("\n")}\n`;
      if (!await this.#writeBytes(this.#encoder.encode(text))) this.#lost += lost + lines.length;
    }
    this.#writing = null;
  }

  /** Reports whether everything was written. */
  async #writeBytes(bytes: Uint8Array): Promise<boolean> {
    for (let at = 0; at < bytes.length;) {
      try {
        const written = await this.#write(bytes.subarray(at));
        at += written;
        if (written > 0) this.#torn = bytes[at - 1] !== NEWLINE;
      } catch (error) {
        if ((error as { code?: unknown } | null)?.code !== "EAGAIN") return false;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    return true;
  }
}
