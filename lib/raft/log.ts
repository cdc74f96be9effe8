/**
 * The log as the core sees it: the term of every index, and the newest entries
 * (entry_cache.ts). Older entries stay in the storage; the core asks for them when
 * a peer needs one.
 */

import { EntryCache } from "./entry_cache.ts";
import type { Entry, SnapshotMeta, TermStart } from "./types.ts";

/**
 * Invariants: `baseIndex <= lastIndex`; `durableIndex <= lastIndex`; the cache
 * holds every entry that is not durable.
 */
export class RaftLog {
  /** The last index that was compacted away; 0 if none was. */
  baseIndex = 0;
  /** The term of `baseIndex`; 0 for index 0. */
  baseTerm = 0;
  /** The last entry. */
  lastIndex = 0;
  /** The last entry that is on this node's disk, with all before it. */
  durableIndex = 0;
  /** The terms after `baseIndex`, ascending; empty if there is no entry. */
  #terms: TermStart[] = [];
  readonly #cache: EntryCache;

  /** Creates an empty log. */
  constructor(cache: EntryCache = new EntryCache()) {
    this.#cache = cache;
  }

  /** Restores the log of a node that starts: its entries are on disk, none is cached. */
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
    log.#cache.reset(log.lastIndex);
    log.#terms = log.lastIndex > log.baseIndex ? runsAfter(termStarts, log.baseIndex) : [];
    return log;
  }

  /** Bytes of the cached entries. */
  get cachedBytes(): number {
    return this.#cache.bytes;
  }

  /** The first entry that the log still has, or would have. */
  get firstIndex(): number {
    return this.baseIndex + 1;
  }

  /** The term of the last entry. */
  get lastTerm(): number {
    return this.#terms.at(-1)?.term ?? this.baseTerm;
  }

  /** Returns the term of the entry at `index`; `undefined` if that is compacted away or not there. */
  termAt(index: number): number | undefined {
    if (index === this.baseIndex) return this.baseTerm;
    if (index < this.baseIndex || index > this.lastIndex) return undefined;
    return this.#terms.findLast((run) => run.index <= index)?.term;
  }

  /**
   * Returns the last index at or before `index` whose term is at most `term`: no
   * later one can match a log that has `term` there (§5.3, the skip over whole terms).
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
    this.#cache.append(entry);
    this.lastIndex = entry.index;
  }

  /** Removes the entry at `index` and all after it. */
  truncateFrom(index: number): void {
    if (index <= this.baseIndex) throw new RangeError(`entry ${index} is compacted away and can't be truncated`);
    if (index > this.lastIndex) return;
    this.lastIndex = index - 1;
    this.#cache.truncateFrom(index);
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
    this.#cache.compact(index);
  }

  /** Replaces everything by a snapshot, which is not durable yet. */
  reset(snapshot: SnapshotMeta, durableIndex: number): void {
    this.baseIndex = this.lastIndex = snapshot.index;
    this.baseTerm = snapshot.term;
    this.durableIndex = durableIndex;
    this.#terms = [];
    this.#cache.reset(snapshot.index);
  }

  /** Drops cached entries up to the committed `limit`, oldest first, until at most `maxBytes` are cached. */
  evict(limit: number, maxBytes: number): void {
    this.#cache.evict(Math.min(limit, this.durableIndex), maxBytes);
  }

  /** Returns cached entries from `from` up to `to`, as many as fit in `maxBytes` but at least one; none if `from` is not cached. */
  cached(from: number, to: number, maxBytes: number = Infinity): Entry[] {
    return from <= this.baseIndex ? [] : this.#cache.read(from, to, maxBytes);
  }
}

/** Returns the runs that cover what is after `index`, the first cut to begin there. */
function runsAfter(runs: readonly TermStart[], index: number): TermStart[] {
  return runs
    .filter((_, i) => (runs[i + 1]?.index ?? Infinity) > index + 1)
    .map((run) => ({ term: run.term, index: Math.max(run.index, index + 1) }));
}
