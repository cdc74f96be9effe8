/**
 * A record of everything that a node's storage has reported as durable. After a
 * crash the disk must hold exactly that, or that and the one batch under way.
 */

import type { HardState, PersistBatch, SnapshotMeta } from "../../lib/raft/types.ts";
import type { LoadedState } from "../../lib/storage.ts";

export class DurableRecord {
  hardState: HardState = { term: 0, votedFor: null };
  snapshot: SnapshotMeta | null = null;
  lastIndex = 0;
  /** The batch under way, or one with an unknown outcome. */
  underWay: PersistBatch | null = null;
  #terms: number[] = [];

  /** Returns the term of an entry, or of the last one that the snapshot covers. */
  termAt(index: number): number | undefined {
    return index <= this.lastIndex ? this.#terms[index] : undefined;
  }

  /** Reports whether this entry is on this disk, or covered by its snapshot. */
  has(index: number, term: number): boolean {
    return this.termAt(index) === term || (this.snapshot !== null && this.snapshot.index >= index);
  }

  apply({ hardState, snapshot, entries }: PersistBatch): void {
    if (hardState !== null) this.hardState = hardState;
    if (snapshot !== null) {
      if (this.termAt(snapshot.index) !== snapshot.term) {
        this.lastIndex = snapshot.index;
        this.#terms = [];
        this.#terms[snapshot.index] = snapshot.term;
      }
      this.snapshot = snapshot;
    }
    for (const { index, term } of entries) {
      this.#terms[index] = term;
      this.lastIndex = index;
    }
  }

  /** Takes over the state that a restart has loaded, which is durable from now on; returns an error, or `null`. */
  load(found: LoadedState): string | null {
    const loaded = DurableRecord.#of(found);
    const wrong = this.#differs(loaded);
    const isLater = wrong !== null && this.underWay !== null && this.#after(this.underWay).#differs(loaded) === null;
    this.#become(loaded);
    return isLater ? null : wrong;
  }

  static #of({ hardState, snapshot, lastIndex, termStarts }: LoadedState): DurableRecord {
    const record = new DurableRecord();
    record.hardState = hardState;
    record.snapshot = snapshot;
    record.lastIndex = lastIndex;
    if (snapshot !== null) record.#terms[snapshot.index] = snapshot.term;
    for (const [at, { term, index }] of termStarts.entries()) {
      const end = termStarts[at + 1]?.index ?? lastIndex + 1;
      for (let i = Math.max(index, (snapshot?.index ?? 0) + 1); i < end; i++) record.#terms[i] = term;
    }
    return record;
  }

  #after(batch: PersistBatch): DurableRecord {
    const copy = new DurableRecord();
    copy.#become(this);
    copy.apply(batch);
    return copy;
  }

  #become(other: DurableRecord): void {
    this.hardState = other.hardState;
    this.snapshot = other.snapshot;
    this.lastIndex = other.lastIndex;
    this.#terms = other.#terms.slice();
    this.underWay = null;
  }

  /** Describes the first difference that matters. */
  #differs(loaded: DurableRecord): string | null {
    const { term, votedFor } = this.hardState;
    const read = `${loaded.hardState.term}, vote for ${loaded.hardState.votedFor}`;
    if (loaded.hardState.term !== term || loaded.hardState.votedFor !== votedFor) {
      return `term ${read} was read, term ${term}, vote for ${votedFor} was durable`;
    }
    if (loaded.snapshot?.id !== this.snapshot?.id) {
      return `snapshot ${loaded.snapshot?.index ?? 0} was read, snapshot ${this.snapshot?.index ?? 0} was durable`;
    }
    if (loaded.lastIndex !== this.lastIndex) {
      return `the log was read up to ${loaded.lastIndex}, and was durable up to ${this.lastIndex}`;
    }
    for (let index = (this.snapshot?.index ?? 0) + 1; index <= this.lastIndex; index++) {
      if (loaded.#terms[index] === this.#terms[index]) continue;
      return `entry ${index} was read with term ${loaded.#terms[index]}, and was durable with ${this.#terms[index]}`;
    }
    return null;
  }
}
