/**
 * Sizes of parts of the log, without their entries: cumulative bytes at a few
 * indexes.
 */

import { entryBytes } from "../raft/entry_cache.ts";
import type { Entry } from "../raft/types.ts";

/** The bytes between two indexes that are noted. */
const STEP_BYTES = 64 * 1024;

/** The bytes of applied entries by index, exact at marks and to {@linkcode STEP_BYTES} between them. */
export class LogSizes {
  /** The bytes up to an index, inclusive; ascending in both, never empty. */
  #marks: { readonly index: number; readonly bytes: number }[] = [{ index: 0, bytes: 0 }];
  #index = 0;
  #bytes = 0;

  /** Adds the entry after the last one. */
  add(entry: Entry): void {
    this.#index = entry.index;
    this.#bytes += entryBytes(entry);
    if (this.#bytes - this.#marks.at(-1)!.bytes >= STEP_BYTES) this.mark();
  }

  /** Makes the present end of the log exact. */
  mark(): void {
    if (this.#marks.at(-1)!.index < this.#index) this.#marks.push({ index: this.#index, bytes: this.#bytes });
  }

  /** Begins again behind `index`, where a snapshot was restored. */
  reset(index: number): void {
    this.#marks = [{ index, bytes: 0 }];
    this.#index = index;
    this.#bytes = 0;
  }

  /** Returns the bytes of the entries after `index`; between marks rather too many. */
  after(index: number): number {
    return this.#bytes - this.#markAt(index).bytes;
  }

  /** Forgets the sizes of entries up to `index`, which are compacted away. */
  dropBefore(index: number): void {
    this.#marks.splice(0, this.#marks.indexOf(this.#markAt(index)));
  }

  /** Returns the last mark at or before `index`, or the first of all. */
  #markAt(index: number): { readonly index: number; readonly bytes: number } {
    let low = 0;
    let high = this.#marks.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#marks[middle]!.index <= index) low = middle;
      else high = middle;
    }
    return this.#marks[low]!;
  }
}
