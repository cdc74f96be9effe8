/**
 * Bodies of requests and answers.
 */

import { concatBytes } from "../../lib/bytes.ts";
import { withoutStack } from "../../lib/errors.ts";

/** Reports whether the body is a stream of messages, each of which has to arrive by itself. */
export function streams(headers: Headers | undefined): boolean {
  return headers?.get("content-type")?.startsWith("application/connect+") ?? false;
}

/** Collects a body to its end. */
export async function collected(body: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  // Connect and the runtimes share no memory between threads.
  return concatBytes(await Array.fromAsync(body)) as Uint8Array<ArrayBuffer>;
}

/** The least and the most bytes that a {@linkcode PieceReader} asks for. */
const MIN_READ_BYTES = 2 * 1024;
const MAX_READ_BYTES = 64 * 1024;

/**
 * Reads a body as it arrives. A read that waits holds a buffer; Deno's have 64 KiB, so that thousands of clients that
 * send nothing would take hundreds of megabytes. Here it grows with what arrives, where the body takes a buffer.
 */
export class PieceReader {
  readonly #plain: ReadableStreamDefaultReader<Uint8Array> | null;
  readonly #filling: ReadableStreamBYOBReader | null;
  #bytes = MIN_READ_BYTES;

  /** Locks the body. */
  constructor(body: ReadableStream<Uint8Array>) {
    this.#filling = fillingReader(body);
    this.#plain = this.#filling === null ? body.getReader() : null;
  }

  /** Returns the next piece; `null` at the end. */
  async read(): Promise<Uint8Array | null> {
    if (this.#filling === null) return (await this.#plain?.read())?.value ?? null;
    const { done, value } = await this.#filling.read(new Uint8Array(this.#bytes));
    if (done) return null;
    const isFull = value.length === this.#bytes;
    this.#bytes = isFull ? Math.min(2 * this.#bytes, MAX_READ_BYTES) : Math.max(this.#bytes / 2, MIN_READ_BYTES);
    return value;
  }

  /** Reads no more, and lets the other side know. */
  cancel(): void {
    (this.#filling ?? this.#plain)?.cancel().catch(() => {});
  }
}

/** Returns a reader that fills buffers; `null` for bodies that bring their own. */
function fillingReader(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | null {
  try {
    return withoutStack(() => body.getReader({ mode: "byob" }));
  } catch {
    return null;
  }
}

/** Reads a body as it arrives. Not every browser iterates over streams. */
export function chunksOf(body: ReadableStream<Uint8Array> | null): AsyncIterableIterator<Uint8Array> {
  const reader = body?.getReader();
  const done = { done: true, value: undefined } as const;
  /** Does nothing after the end; before it, lets the other side know. */
  const cancel = async (reason?: unknown) => {
    await reader?.cancel(reason).catch(() => {});
    return done;
  };
  return {
    async next() {
      const read = await reader?.read();
      return read === undefined || read.done ? done : read;
    },
    return: () => cancel(),
    throw: cancel,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
