/**
 * The content of the database except for entries: small enough to be kept in
 * memory, where it is authoritative once the database was read. A batch makes a new
 * shape, which replaces the old one when the batch is durable.
 */

import type { HardState, PersistBatch, SnapshotMeta, TermStart } from "../../lib/raft/types.ts";
import { keepsLog, termByRuns } from "../log_rules.ts";
import type { DurableLog } from "../log_rules.ts";

/** A snapshot in the database: its chunks have its number. */
export interface SnapshotRef {
  readonly number: number;
  readonly meta: SnapshotMeta;
}

export interface LogParts {
  readonly hardState: HardState;
  readonly snapshotRef: SnapshotRef | null;
  /** The first index of the log; `lastIndex + 1` if it is empty. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** The first index of each term; the first of all is `firstIndex`. */
  readonly termStarts: readonly TermStart[];
}

/** Term, vote, the snapshot in force, and the range of entries. Immutable. */
export class LogShape implements DurableLog, LogParts {
  readonly hardState: HardState;
  readonly snapshotRef: SnapshotRef | null;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly termStarts: readonly TermStart[];

  constructor(parts: LogParts) {
    this.hardState = parts.hardState;
    this.snapshotRef = parts.snapshotRef;
    this.firstIndex = parts.firstIndex;
    this.lastIndex = parts.lastIndex;
    this.termStarts = parts.termStarts;
  }

  static empty(): LogShape {
    const hardState: HardState = { term: 0, votedFor: null };
    return new LogShape({ hardState, snapshotRef: null, firstIndex: 1, lastIndex: 0, termStarts: [] });
  }

  get snapshot(): SnapshotMeta | null {
    return this.snapshotRef?.meta ?? null;
  }

  termAt(index: number): number | undefined {
    if (index >= this.firstIndex && index <= this.lastIndex) return termByRuns(this.termStarts, index);
    return this.snapshot?.index === index ? this.snapshot.term : undefined;
  }

  /** Returns the shape after a batch that the rules allow; `snapshotRef` is the batch's snapshot. */
  after(batch: PersistBatch, snapshotRef: SnapshotRef | null): LogShape {
    let { firstIndex, lastIndex } = this;
    let termStarts = [...this.termStarts];
    if (snapshotRef !== null && !keepsLog(this, snapshotRef.meta)) {
      firstIndex = snapshotRef.meta.index + 1;
      lastIndex = snapshotRef.meta.index;
      termStarts = [];
    }
    const first = batch.entries[0];
    if (first !== undefined) {
      termStarts = termStarts.filter((start) => start.index < first.index);
      for (const { index, term } of batch.entries) {
        if (termStarts.at(-1)?.term !== term) termStarts.push({ term, index });
      }
      lastIndex = first.index + batch.entries.length - 1;
    }
    const hardState = batch.hardState ?? this.hardState;
    snapshotRef ??= this.snapshotRef;
    return new LogShape({ hardState, snapshotRef, firstIndex, lastIndex, termStarts });
  }

  /** Returns the shape without the entries before `firstIndex`, which is at most `lastIndex + 1`. */
  from(firstIndex: number): LogShape {
    const term = firstIndex <= this.lastIndex ? this.termAt(firstIndex) : undefined;
    const termStarts = this.termStarts.filter((start) => start.index > firstIndex);
    if (term !== undefined) termStarts.unshift({ term, index: firstIndex });
    return new LogShape({ ...this, firstIndex, termStarts });
  }
}
