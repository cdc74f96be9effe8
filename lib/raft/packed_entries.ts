/**
 * Entries as bytes: a run of the log in a few large buffers instead of several
 * objects per entry. As objects, an entry of 100 bytes takes four to eight times
 * that in V8, and its garbage collector visits each of them again and again.
 */

import type { Entry, EntryType } from "./types.ts";

/** Term (two words), length of the data, type. */
const HEADER_BYTES = 16;
const TYPES: readonly EntryType[] = ["command", "noop", "membership"];

/** A buffer full of consecutive entries. */
interface Block {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The index of the first entry. */
  first: number;
  count: number;
  /** Bytes in use. */
  used: number;
}

/** Returns the packed size of an entry. */
function packedBytes(entry: Entry): number {
  return HEADER_BYTES + entry.data.length;
}

/**
 * A run of consecutive entries, added at its end and dropped from its beginning,
 * block by block. Buffers are reused, so reads return copies.
 */
export class PackedEntries {
  readonly #blockBytes: number;
  #blocks: Block[] = [];
  /** A block to reuse. */
  #spare: Block | null = null;
  #bytes = 0;

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
  }

  /** Bytes of all buffers, whether in use or not. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The first index; `Infinity` if there is none. */
  get first(): number {
    return this.#blocks[0]?.first ?? Infinity;
  }

  /** The last index; 0 if there is none. */
  get last(): number {
    const block = this.#blocks.at(-1);
    return block === undefined ? 0 : block.first + block.count - 1;
  }

  /** Copies an entry to the end, dropping the oldest blocks to stay within `maxBytes`. An entry that is not the next one begins a new run. */
  add(entry: Entry, maxBytes: number): void {
    if (this.last + 1 !== entry.index) this.clear();
    const size = packedBytes(entry);
    const block = this.#roomFor(entry.index, size, maxBytes);
    if (block === null) return;
    const { bytes, view, used } = block;
    view.setUint32(used, entry.term >>> 0, true);
    view.setUint32(used + 4, Math.floor(entry.term / 2 ** 32), true);
    view.setUint32(used + 8, entry.data.length, true);
    view.setUint32(used + 12, TYPES.indexOf(entry.type), true);
    bytes.set(entry.data, used + HEADER_BYTES);
    block.used += size;
    block.count++;
  }

  /** Returns copies of the entries from `from` up to `to` while `fits`, but at least one; none if `from` is not here. */
  read(from: number, to: number, fits: (entry: Entry) => boolean): Entry[] {
    const entries: Entry[] = [];
    if (from < this.first || from > this.last) return entries;
    let at = this.#blocks.findLastIndex(({ first }) => first <= from);
    for (let index = from; index <= to && at < this.#blocks.length; at++) {
      const block = this.#blocks[at]!;
      const end = Math.min(to, block.first + block.count - 1);
      for (let offset = offsetIn(block, index); index <= end; index++) {
        const entry = entryAt(block, offset, index);
        if (!fits(entry) && entries.length > 0) return entries;
        entries.push(entry);
        offset += packedBytes(entry);
      }
    }
    return entries;
  }

  /** Drops the entry at `index` and all after it. */
  truncateFrom(index: number): void {
    while (this.#blocks.length > 0 && this.#blocks.at(-1)!.first >= index) this.#free(this.#blocks.pop()!);
    const block = this.#blocks.at(-1);
    if (block === undefined || index > this.last) return;
    block.used = offsetIn(block, index);
    block.count = index - block.first;
  }

  /** Drops blocks whose entries are all before `first`. */
  dropBefore(first: number): void {
    while (this.#blocks.length > 0 && this.#blocks[0]!.first + this.#blocks[0]!.count <= first) this.dropOldest();
  }

  /** Drops the oldest block; returns whether there was one. */
  dropOldest(): boolean {
    const block = this.#blocks.shift();
    if (block !== undefined) this.#free(block);
    else this.#dropSpare();
    return block !== undefined;
  }

  /** Drops everything. */
  clear(): void {
    this.#blocks = [];
    this.#spare = null;
    this.#bytes = 0;
  }

  /** Returns the block for `size` more bytes; `null` if they exceed `maxBytes`. */
  #roomFor(index: number, size: number, maxBytes: number): Block | null {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.used + size <= last.bytes.length) return last;
    const capacity = Math.max(size, this.#blockBytes);
    while (this.#bytes - (this.#spare?.bytes.length ?? 0) + capacity > maxBytes) {
      if (!this.dropOldest()) return null;
    }
    const block = this.#take(capacity);
    block.first = index;
    this.#blocks.push(block);
    return block;
  }

  #take(capacity: number): Block {
    const spare = this.#spare;
    if (spare !== null && spare.bytes.length === capacity) {
      this.#spare = null;
      spare.count = spare.used = 0;
      return spare;
    }
    this.#dropSpare();
    const bytes = new Uint8Array(capacity);
    this.#bytes += capacity;
    return { bytes, view: new DataView(bytes.buffer), first: 0, count: 0, used: 0 };
  }

  /** Keeps one block of the usual size for reuse. */
  #free(block: Block): void {
    if (this.#spare === null && block.bytes.length === this.#blockBytes) this.#spare = block;
    else this.#bytes -= block.bytes.length;
  }

  #dropSpare(): void {
    this.#bytes -= this.#spare?.bytes.length ?? 0;
    this.#spare = null;
  }
}

/** Returns the offset of an entry in its block, by walking over the entries before it. */
function offsetIn(block: Block, index: number): number {
  let offset = 0;
  for (let at = block.first; at < index; at++) offset += HEADER_BYTES + block.view.getUint32(offset + 8, true);
  return offset;
}

function entryAt({ bytes, view }: Block, offset: number, index: number): Entry {
  const length = view.getUint32(offset + 8, true);
  const start = offset + HEADER_BYTES;
  return {
    index,
    term: view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true),
    type: TYPES[view.getUint32(offset + 12, true)]!,
    data: bytes.slice(start, start + length),
  };
}
