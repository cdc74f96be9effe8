/**
 * The log as the core sees it: the term of every index, and the newest entries.
 * Older entries stay in the storage; the core asks for them when a peer needs
 * one.
 *
 * @module
 */

import { PackedEntries } from "./packed_entries.ts";
import type { Entry, SnapshotMeta, TermStart } from "./types.ts";

/** Entries that stay objects, because they are about to be applied and sent, are at most twice so many… */
const RECENT_ENTRIES = 1024;
/** …while the older ones are packed into blocks of so many bytes. */
const BLOCK_BYTES = 64 * 1024;

/** Stands in the array for an evicted entry, which it must not keep in memory. */
const GONE: Entry = { index: 0, term: 0, type: "noop", data: new Uint8Array() };

/** What an entry is counted as, in bytes: its data, and a little for the rest. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + 32;
}

/**
 * Invariants: `baseIndex <= lastIndex`; `durableIndex <= lastIndex`; the cache is
 * a run that ends at `lastIndex`, and holds everything that is not durable. Its
 * newest part, with all that is not durable and committed, is `#cache`; what was
 * just before it is `#packed`.
 */
export class RaftLog {
  /** The last index that was compacted away; 0 if none was. */
  baseIndex = 0;
  /** The term of `baseIndex`; 0 for index 0. */
  baseTerm = 0;
  /** The last entry. */
  lastIndex = 0;
  /** Everything up to here is on this node's disk. */
  durableIndex = 0;
  /** Bytes of the entries in `#cache`. */
  #recentBytes = 0;
  readonly #recentEntries: number;
  readonly #packed: PackedEntries;
  readonly #blockBytes: number;
  /** The terms after `baseIndex`, ascending; empty if there is no entry. */
  #terms: TermStart[] = [];
  #cache: Entry[] = [];
  /** Evicted entries at the head of `#cache`, removed in bulk. */
  #evicted = 0;

  /** An empty log. How much of the cache stays objects, and the size of its blocks, are for tests. */
  constructor(recentEntries: number = RECENT_ENTRIES, blockBytes: number = BLOCK_BYTES) {
    this.#recentEntries = recentEntries;
    this.#blockBytes = blockBytes;
    this.#packed = new PackedEntries(blockBytes);
  }

  /** Bytes that the cached entries take. */
  get cachedBytes(): number {
    return this.#recentBytes + this.#packed.bytes;
  }

  /** The log of a node that starts: its entries are on disk, none is cached. */
  static restore(
    snapshot: SnapshotMeta | null,
    lastIndex: number,
    termStarts: readonly TermStart[],
  ): RaftLog {
    const log = new RaftLog();
    log.baseIndex = snapshot?.index ?? 0;
    log.baseTerm = snapshot?.term ?? 0;
    log.lastIndex = Math.max(lastIndex, log.baseIndex);
    log.durableIndex = log.lastIndex;
    log.#terms = log.lastIndex > log.baseIndex ? runsAfter(termStarts, log.baseIndex) : [];
    return log;
  }

  /** The first entry that is still there, or would be. */
  get firstIndex(): number {
    return this.baseIndex + 1;
  }

  /** The term of the last entry. */
  get lastTerm(): number {
    return this.#terms.at(-1)?.term ?? this.baseTerm;
  }

  /** The term of the entry at `index`; `undefined` if it is compacted away or not there. */
  termAt(index: number): number | undefined {
    if (index === this.baseIndex) return this.baseTerm;
    if (index < this.baseIndex || index > this.lastIndex) return undefined;
    for (let run = this.#terms.length - 1; run >= 0; run--) {
      const { term, index: start } = this.#terms[run]!;
      if (start <= index) return term;
    }
    return undefined;
  }

  /**
   * The last index at or before `index` whose term is at most `term`: no later
   * one can match a log that has `term` there (§5.3, the skip over whole terms).
   */
  lastIndexWithin(index: number, term: number): number {
    let candidate = Math.min(index, this.lastIndex);
    for (let run = this.#terms.length - 1; run >= 0; run--) {
      const { term: runTerm, index: start } = this.#terms[run]!;
      if (start > candidate) continue;
      if (runTerm <= term) return candidate;
      candidate = start - 1;
    }
    return candidate;
  }

  /** Adds an entry after the last one. */
  append(entry: Entry): void {
    if (entry.index !== this.lastIndex + 1) {
      throw new RangeError(`entry ${entry.index} does not follow ${this.lastIndex}`);
    }
    if (entry.term !== this.lastTerm || this.#terms.length === 0) {
      this.#terms.push({ term: entry.term, index: entry.index });
    }
    this.#cache.push(entry);
    this.#recentBytes += entryBytes(entry);
    this.lastIndex = entry.index;
  }

  /** Removes the entry at `index` and all after it. */
  truncateFrom(index: number): void {
    if (index <= this.baseIndex) throw new RangeError(`entry ${index} is compacted away and can't be truncated`);
    while (this.lastIndex >= index) {
      if (this.#cache.length > this.#evicted) this.#recentBytes -= entryBytes(this.#cache.pop()!);
      else {
        this.lastIndex = index - 1;
        break;
      }
      this.lastIndex--;
    }
    this.#packed.truncateFrom(index);
    while (this.#terms.length > 0 && this.#terms.at(-1)!.index >= index) this.#terms.pop();
    this.durableIndex = Math.min(this.durableIndex, this.lastIndex);
  }

  /** Forgets entries up to `index`, inclusive. */
  compact(index: number): void {
    if (index <= this.baseIndex) return;
    const term = this.termAt(index);
    if (term === undefined) throw new RangeError(`there is no entry ${index} to compact up to`);
    this.#terms = index === this.lastIndex ? [] : runsAfter(this.#terms, index);
    this.baseIndex = index;
    this.baseTerm = term;
    this.#packed.dropBefore(index + 1);
    while (this.#cacheStart <= index && this.#evicted < this.#cache.length) this.#evictOne();
    this.#sweep();
  }

  /** Replaces everything by a snapshot, which is not durable yet. */
  reset(snapshot: SnapshotMeta, durableIndex: number): void {
    this.baseIndex = this.lastIndex = snapshot.index;
    this.baseTerm = snapshot.term;
    this.durableIndex = durableIndex;
    this.#terms = [];
    this.#cache = [];
    this.#evicted = 0;
    this.#recentBytes = 0;
    this.#packed.clear();
  }

  /**
   * Lets go of the oldest cached entries up to `limit`, inclusive, until at most
   * `maxBytes` are cached. `limit` is committed, so that it is never truncated.
   */
  evict(limit: number, maxBytes: number): void {
    const last = Math.min(limit, this.durableIndex);
    const packs = maxBytes >= 4 * this.#blockBytes;
    if (packs && this.#isLong(maxBytes)) {
      while (this.#recent > 0 && this.#cacheStart <= last && this.#isOverHalf(maxBytes)) {
        const entry = this.#evictOne();
        this.#packed.add(entry, Math.max(0, maxBytes - this.#recentBytes));
      }
    }
    while (this.cachedBytes > maxBytes && this.#packed.dropOldest());
    while (this.cachedBytes > maxBytes && this.#recent > 0 && this.#cacheStart <= last) this.#evictOne();
    this.#sweep();
  }

  /** The cached entries from `from` to at most `to` within `maxBytes`, but at least one; none if `from` is not cached. */
  cached(from: number, to: number, maxBytes: number = Number.POSITIVE_INFINITY): Entry[] {
    let bytes = 0;
    const fits = (entry: Entry): boolean => (bytes += entryBytes(entry)) <= maxBytes;
    if (from <= this.baseIndex) return [];
    if (from < this.#cacheStart) return this.#packed.read(from, Math.min(to, this.#cacheStart - 1), fits);
    const begin = from - this.#cacheStart + this.#evicted;
    if (begin >= this.#cache.length) return [];
    let end = begin;
    const stop = Math.min(this.#cache.length, begin + to - from + 1);
    while (end < stop && (fits(this.#cache[end]!) || end === begin)) end++;
    return this.#cache.slice(begin, end);
  }

  /** Entries that are objects. */
  get #recent(): number {
    return this.#cache.length - this.#evicted;
  }

  get #cacheStart(): number {
    return this.lastIndex - this.#recent + 1;
  }

  /** Whether so many entries are objects that the older half should be packed. */
  #isLong(maxBytes: number): boolean {
    return this.#recent > 2 * this.#recentEntries || this.#recentBytes > maxBytes / 2;
  }

  #isOverHalf(maxBytes: number): boolean {
    return this.#recent > this.#recentEntries || this.#recentBytes > maxBytes / 4;
  }

  #evictOne(): Entry {
    const entry = this.#cache[this.#evicted]!;
    this.#cache[this.#evicted++] = GONE;
    this.#recentBytes -= entryBytes(entry);
    return entry;
  }

  /** Frees evicted entries once they are half of the array, so that eviction costs O(1) each. */
  #sweep(): void {
    if (this.#evicted * 2 < this.#cache.length) return;
    this.#cache = this.#cache.slice(this.#evicted);
    this.#evicted = 0;
  }
}

/** The runs that cover what is after `index`, the first cut to begin there. */
function runsAfter(runs: readonly TermStart[], index: number): TermStart[] {
  const after: TermStart[] = [];
  for (let i = 0; i < runs.length; i++) {
    const next = runs[i + 1];
    if (next !== undefined && next.index <= index + 1) continue;
    after.push({ term: runs[i]!.term, index: Math.max(runs[i]!.index, index + 1) });
  }
  return after;
}
