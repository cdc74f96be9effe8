/**
 * The newest entries of the log, in memory. Entries that are about to be applied
 * and sent stay objects; older ones are packed into large buffers until there are
 * too many bytes, and the rest is read from the storage.
 */

import { PackedEntries } from "./packed_entries.ts";
import type { Entry } from "./types.ts";

/** Half of the number of entries that may stay objects. */
const RECENT_ENTRIES = 1024;
/** The size of a packed block. */
const BLOCK_BYTES = 64 * 1024;

/** Replaces an evicted entry in the array, which must not keep it in memory. */
const GONE: Entry = { index: 0, term: 0, type: "noop", data: new Uint8Array() };

/** Returns the bytes that an entry is counted as: its data, and a little for the rest. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + 32;
}

/**
 * A run of entries that ends with the log. The newest part, with everything that
 * is not both durable and committed, is `#recent`; the part before it is `#packed`.
 */
export class EntryCache {
  readonly #recentEntries: number;
  readonly #blockBytes: number;
  readonly #packed: PackedEntries;
  #recent: Entry[] = [];
  /** Evicted entries at the head of `#recent`, removed in bulk. */
  #evicted = 0;
  /** Bytes of the entries in `#recent`. */
  #recentBytes = 0;
  /** The last index of the log. */
  #lastIndex = 0;

  /** Creates an empty cache. The numbers are smaller in tests. */
  constructor(recentEntries: number = RECENT_ENTRIES, blockBytes: number = BLOCK_BYTES) {
    this.#recentEntries = recentEntries;
    this.#blockBytes = blockBytes;
    this.#packed = new PackedEntries(blockBytes);
  }

  /** Bytes of all cached entries. */
  get bytes(): number {
    return this.#recentBytes + this.#packed.bytes;
  }

  /** Drops everything; the log ends at `lastIndex`. */
  reset(lastIndex: number): void {
    this.#recent = [];
    this.#evicted = 0;
    this.#recentBytes = 0;
    this.#lastIndex = lastIndex;
    this.#packed.clear();
  }

  /** Adds the entry after the last one. */
  append(entry: Entry): void {
    this.#recent.push(entry);
    this.#recentBytes += entryBytes(entry);
    this.#lastIndex = entry.index;
  }

  /** Drops the entry at `index`, which the log has, and all after it. */
  truncateFrom(index: number): void {
    for (let last = this.#lastIndex; last >= index && this.#count > 0; last--) {
      this.#recentBytes -= entryBytes(this.#recent.pop()!);
    }
    this.#lastIndex = index - 1;
    this.#packed.truncateFrom(index);
  }

  /** Drops the entries up to `index`, which are compacted away. */
  compact(index: number): void {
    this.#packed.dropBefore(index + 1);
    while (this.#start <= index && this.#count > 0) this.#evictOne();
    this.#sweep();
  }

  /**
   * Drops the oldest entries up to `limit`, inclusive, until at most `maxBytes` are
   * cached. The entries up to `limit` are durable and committed, and so never truncated.
   */
  evict(limit: number, maxBytes: number): void {
    const packs = maxBytes >= 4 * this.#blockBytes;
    // Once enough entries are objects, the older half is packed.
    if (packs && this.#exceeds(2 * this.#recentEntries, maxBytes / 2)) {
      while (this.#count > 0 && this.#start <= limit && this.#exceeds(this.#recentEntries, maxBytes / 4)) {
        const entry = this.#evictOne();
        this.#packed.add(entry, Math.max(0, maxBytes - this.#recentBytes));
      }
    }
    while (this.bytes > maxBytes && this.#packed.dropOldest());
    while (this.bytes > maxBytes && this.#count > 0 && this.#start <= limit) this.#evictOne();
    this.#sweep();
  }

  /** Returns entries from `from` up to `to`, as many as fit in `maxBytes` but at least one; none if `from` is not cached. */
  read(from: number, to: number, maxBytes: number): Entry[] {
    let bytes = 0;
    const fits = (entry: Entry): boolean => (bytes += entryBytes(entry)) <= maxBytes;
    if (from < this.#start) return this.#packed.read(from, Math.min(to, this.#start - 1), fits);
    const begin = from - this.#start + this.#evicted;
    if (begin >= this.#recent.length) return [];
    let end = begin;
    const stop = Math.min(this.#recent.length, begin + to - from + 1);
    while (end < stop && (fits(this.#recent[end]!) || end === begin)) end++;
    return this.#recent.slice(begin, end);
  }

  /** The number of entries that are objects. */
  get #count(): number {
    return this.#recent.length - this.#evicted;
  }

  /** The index of the first of them. */
  get #start(): number {
    return this.#lastIndex - this.#count + 1;
  }

  /** Reports whether more entries, or bytes of entries, are objects. */
  #exceeds(entries: number, bytes: number): boolean {
    return this.#count > entries || this.#recentBytes > bytes;
  }

  #evictOne(): Entry {
    const entry = this.#recent[this.#evicted]!;
    this.#recent[this.#evicted++] = GONE;
    this.#recentBytes -= entryBytes(entry);
    return entry;
  }

  /** Frees evicted entries once they are half of the array, so that eviction costs O(1) each. */
  #sweep(): void {
    if (this.#evicted * 2 < this.#recent.length) return;
    this.#recent = this.#recent.slice(this.#evicted);
    this.#evicted = 0;
  }
}
