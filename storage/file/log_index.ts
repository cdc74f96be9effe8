/**
 * An index of the positions of entries, in four bytes per entry: their offsets, in
 * chunks that are freed as the log is compacted. The segment follows from the first
 * index of each segment, because a later entry never stands in an earlier segment.
 */

import type { TermStart } from "../../lib/raft/types.ts";
import { termByRuns } from "../log_rules.ts";

const chunkEntries = 16 * 1024;

/** Positions and terms of the entries `first` to `last`. */
export class LogIndex {
  /** The first index; `last + 1` if the log is empty. */
  first = 1;
  last = 0;
  /** The first index of each term. */
  termStarts: TermStart[] = [];
  #chunks: Uint32Array[] = [];
  /** The index of `#chunks[0][0]`. */
  #base = 1;
  /** The first index of each segment; ascending in both. */
  #segments: { index: number; readonly segment: number }[] = [];

  /** Removes everything; the next entry is `next`. */
  reset(next: number): void {
    this.#chunks = [];
    this.#base = next;
    this.first = next;
    this.last = next - 1;
    this.#segments = [];
    this.termStarts = [];
  }

  /** Adds an entry, and removes the one of its index and all that follow. `index` is at most `last + 1`. */
  append(index: number, term: number, segment: number, offset: number): void {
    if (index < this.first) this.reset(index);
    else if (index <= this.last) this.truncate(index - 1);
    const slot = index - this.#base;
    const chunk = Math.floor(slot / chunkEntries);
    if (chunk === this.#chunks.length) this.#chunks.push(new Uint32Array(chunkEntries));
    this.#chunks[chunk]![slot % chunkEntries] = offset;
    this.last = index;
    if (this.termStarts.at(-1)?.term !== term) this.termStarts.push({ term, index });
    if (this.#segments.at(-1)?.segment !== segment) this.#segments.push({ index, segment });
  }

  truncate(last: number): void {
    this.last = last;
    while (this.termStarts.length > 0 && this.termStarts.at(-1)!.index > last) this.termStarts.pop();
    while (this.#segments.length > 0 && this.#segments.at(-1)!.index > last) this.#segments.pop();
    this.#chunks.length = Math.ceil((last + 1 - this.#base) / chunkEntries);
  }

  dropBefore(first: number): void {
    if (first <= this.first) return;
    if (first > this.last) return this.reset(first);
    this.first = first;
    const chunks = Math.floor((first - this.#base) / chunkEntries);
    this.#chunks.splice(0, chunks);
    this.#base += chunks * chunkEntries;
    const term = this.termAt(first)!;
    this.termStarts = [{ term, index: first }, ...this.termStarts.filter((start) => start.index > first)];
    const segment = this.segmentOf(first);
    this.#segments = [{ index: first, segment }, ...this.#segments.filter((start) => start.index > first)];
  }

  /** Returns the term of an entry; `undefined` if the log does not have it. */
  termAt(index: number): number | undefined {
    if (index < this.first || index > this.last) return undefined;
    return termByRuns(this.termStarts, index);
  }

  offsetOf(index: number): number {
    const slot = index - this.#base;
    return this.#chunks[Math.floor(slot / chunkEntries)]![slot % chunkEntries]!;
  }

  segmentOf(index: number): number {
    return this.#segments[this.#segmentSlot(index)]!.segment;
  }

  /** Returns the last index, up to `to`, that is in the same segment as `index`. */
  lastInSegment(index: number, to: number): number {
    const next = this.#segments[this.#segmentSlot(index) + 1];
    return next === undefined ? to : Math.min(to, next.index - 1);
  }

  #segmentSlot(index: number): number {
    return this.#segments.findLastIndex((segment) => segment.index <= index);
  }
}
