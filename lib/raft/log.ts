/**
 * The log as the core sees it: the term of every index, and the newest entries.
 * Older entries stay in the storage; the core asks for them when a peer needs
 * one.
 *
 * @module
 */

import type { Entry, SnapshotMeta, TermStart } from "./types.ts";

/** What an entry is counted as, in bytes: its data, and a little for the rest. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + 32;
}

/**
 * Invariants: `baseIndex <= lastIndex`; `durableIndex <= lastIndex`; the cache is
 * a run that ends at `lastIndex`, and holds everything that is not durable.
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
  /** Bytes of cached entries. */
  cachedBytes = 0;
  /** The terms after `baseIndex`, ascending; empty if there is no entry. */
  #terms: TermStart[] = [];
  #cache: Entry[] = [];
  /** Evicted entries at the head of `#cache`, removed in bulk. */
  #evicted = 0;

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
    this.cachedBytes += entryBytes(entry);
    this.lastIndex = entry.index;
  }

  /** Removes the entry at `index` and all after it. */
  truncateFrom(index: number): void {
    if (index <= this.baseIndex) throw new RangeError(`entry ${index} is compacted away and can't be truncated`);
    while (this.lastIndex >= index) {
      if (this.#cache.length > this.#evicted) this.cachedBytes -= entryBytes(this.#cache.pop()!);
      else {
        this.lastIndex = index - 1;
        break;
      }
      this.lastIndex--;
    }
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
    this.cachedBytes = 0;
  }

  /** Lets go of the oldest cached entries up to `limit`, inclusive, until at most `maxBytes` are cached. */
  evict(limit: number, maxBytes: number): void {
    const last = Math.min(limit, this.durableIndex);
    while (this.cachedBytes > maxBytes && this.#evicted < this.#cache.length && this.#cacheStart <= last) {
      this.#evictOne();
    }
    this.#sweep();
  }

  /** The cached entries from `from` to at most `to` within `maxBytes`, but at least one; none if `from` is not cached. */
  cached(from: number, to: number, maxBytes: number = Number.POSITIVE_INFINITY): Entry[] {
    const begin = from - this.#cacheStart + this.#evicted;
    if (from < this.#cacheStart || begin >= this.#cache.length) return [];
    let end = begin;
    let bytes = 0;
    const stop = Math.min(this.#cache.length, begin + to - from + 1);
    while (end < stop) {
      bytes += entryBytes(this.#cache[end]!);
      if (end > begin && bytes > maxBytes) break;
      end++;
    }
    return this.#cache.slice(begin, end);
  }

  get #cacheStart(): number {
    return this.lastIndex - (this.#cache.length - this.#evicted) + 1;
  }

  #evictOne(): void {
    this.cachedBytes -= entryBytes(this.#cache[this.#evicted++]!);
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
