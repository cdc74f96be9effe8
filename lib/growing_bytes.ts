/**
 * Bytes that arrive in pieces of any size.
 */

import type { ByteShare } from "./byte_budget.ts";
import { concatBytes } from "./bytes.ts";

const MIN_BLOCK_BYTES = 1024;
const MAX_BLOCK_BYTES = 1024 * 1024;

/**
 * Puts pieces together in a few blocks. A list of pieces would take a hundred times
 * as much memory as their bytes, if each has only one.
 */
export class GrowingBytes {
  readonly #share: ByteShare | null;
  #blocks: Uint8Array<ArrayBuffer>[] = [];
  #capacity = 0;
  #length = 0;

  /** @param share Counts the blocks. */
  constructor(share: ByteShare | null = null) {
    this.#share = share;
  }

  /** The number of bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** The beginning of the bytes so far: all of the first 1024, if there are as many. */
  get head(): Uint8Array {
    return (this.#blocks[0] ?? new Uint8Array(0)).subarray(0, this.#length);
  }

  /**
   * Adds a piece.
   *
   * @param maxBytes The most bytes that there will be.
   * @throws {RaftError} `busy` if the share has no room for it
   */
  append(piece: Uint8Array, maxBytes: number): void {
    for (let at = 0; at < piece.length;) {
      if (this.#length === this.#capacity) this.#grow(maxBytes);
      const block = this.#blocks.at(-1)!;
      const start = block.length - (this.#capacity - this.#length);
      const part = piece.subarray(at, at + block.length - start);
      block.set(part, start);
      at += part.length;
      this.#length += part.length;
    }
  }

  /** Removes and returns all bytes. They stay counted until the share is released. */
  take(): Uint8Array<ArrayBuffer> {
    const last = this.#blocks.pop() ?? new Uint8Array(0);
    const rest = last.subarray(0, last.length - (this.#capacity - this.#length));
    const bytes = this.#blocks.length === 0 ? rest : concatBytes([...this.#blocks, rest]) as Uint8Array<ArrayBuffer>;
    this.#blocks = [];
    this.#capacity = 0;
    this.#length = 0;
    return bytes;
  }

  /** Doubles the room, by a block of limited size. */
  #grow(maxBytes: number): void {
    const wanted = Math.min(Math.max(this.#capacity, MIN_BLOCK_BYTES), MAX_BLOCK_BYTES, maxBytes - this.#capacity);
    const size = Math.max(wanted, 1);
    this.#share?.take(size);
    this.#blocks.push(new Uint8Array(size));
    this.#capacity += size;
  }
}
