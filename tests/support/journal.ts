/**
 * A state machine for tests, which remembers every applied command.
 *
 * @module
 */

import type { AppliedCommand, StateMachine } from "../../lib/state_machine.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Encodes a text. */
export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Decodes a text. */
export function text(data: Uint8Array): string {
  return decoder.decode(data);
}

/** Options of {@linkcode Journal}. */
export interface JournalOptions {
  /** Called with each command before it is applied; throws if another node has applied a different one at this index. */
  readonly observe?: (command: AppliedCommand) => void;
  /** Delays `apply`. */
  readonly delay?: () => Promise<void>;
}

/**
 * A list of commands. Applying a command appends it, and answers with the number of
 * commands so far; `boom` makes it throw. A query answers with the newest command,
 * `all` with all of them.
 */
export class Journal implements StateMachine {
  commands: string[] = [];
  /** The number of times that its state was replaced. */
  restores = 0;
  /** A snapshot that begins like this can't be restored; half of it is, unless `restoresAtomically` is set. */
  unreadable: string | null = null;
  restoresAtomically = false;
  /** Holds up the next restore. */
  heldRestore: Promise<void> | null = null;
  /** Set while a restore is under way. */
  restoring = false;
  readonly #options: JournalOptions;
  #inside = false;

  constructor(options: JournalOptions = {}) {
    this.#options = options;
  }

  apply(command: AppliedCommand): Uint8Array | Promise<Uint8Array> {
    this.#enter();
    try {
      if (text(command.data) === "boom") throw new Error("boom");
      this.#options.observe?.(command);
    } finally {
      this.#inside = false;
    }
    if (this.#options.delay === undefined) return this.#write(command);
    this.#enter();
    return this.#options.delay().then(() => {
      this.#inside = false;
      return this.#write(command);
    });
  }

  query(query: Uint8Array): Uint8Array {
    this.#enter();
    this.#inside = false;
    return bytes(text(query) === "all" ? this.commands.join("\n") : this.commands.at(-1) ?? "");
  }

  async *snapshot(): AsyncGenerator<Uint8Array> {
    this.#enter();
    this.#inside = false;
    const captured = this.commands.slice();
    for (let at = 0; at < captured.length; at += 100) {
      yield bytes(captured.slice(at, at + 100).map((command) => `${command}\n`).join(""));
    }
  }

  async restore(snapshot: AsyncIterable<Uint8Array>): Promise<void> {
    this.#enter();
    this.restoring = true;
    try {
      let all = "";
      for await (const chunk of snapshot) all += text(chunk);
      await this.heldRestore;
      this.heldRestore = null;
      if (this.unreadable !== null && all.startsWith(this.unreadable)) {
        if (!this.restoresAtomically) this.commands = ["half"];
        throw new Error("it can't be read");
      }
      this.commands = all.split("\n").slice(0, -1);
      this.restores++;
    } finally {
      this.restoring = false;
      this.#inside = false;
    }
  }

  #write(command: AppliedCommand): Uint8Array {
    this.commands.push(text(command.data));
    return bytes(String(this.commands.length));
  }

  /** Checks that calls never overlap. */
  #enter(): void {
    if (this.#inside) throw new Error("two calls of the state machine overlap");
    this.#inside = true;
  }
}
