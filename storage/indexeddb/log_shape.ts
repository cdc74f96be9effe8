/**
 * The content of the database except for entries: small enough to be kept in
 * memory, where it is authoritative once the database was read. A batch makes a new
 * shape, which replaces the old one when the batch is durable.
 */

import type { PersistBatch, TermStart } from "../../lib/raft/types.ts";
import { keepsLog, termByRuns } from "../log_rules.ts";
import type { DurableLog } from "../log_rules.ts";
import type { SnapshotRef } from "../snapshot_writer.ts";

/** Term, vote, the snapshot in force, and the range of entries. Immutable. */
export interface LogShape extends DurableLog {
  readonly snapshotRef: SnapshotRef | null;
  /** The first index of the log; `lastIndex + 1` if it is empty. */
  readonly firstIndex: number;
  /** The first index of each term; the first of all is `firstIndex`. */
  readonly termStarts: readonly TermStart[];
}

export function logShape(parts: Omit<LogShape, "snapshot" | "termAt">): LogShape {
  const { snapshotRef, firstIndex, lastIndex, termStarts } = parts;
  const snapshot = snapshotRef?.meta ?? null;
  const termAt = (index: number): number | undefined => {
    if (index >= firstIndex && index <= lastIndex) return termByRuns(termStarts, index);
    return snapshot?.index === index ? snapshot.term : undefined;
  };
  return { ...parts, snapshot, termAt };
}

export const emptyLog: LogShape = logShape({
  hardState: { term: 0, votedFor: null },
  snapshotRef: null,
  firstIndex: 1,
  lastIndex: 0,
  termStarts: [],
});

/** Returns the log after a batch that the rules allow; `snapshotRef` is the batch's snapshot. */
export function afterBatch(log: LogShape, batch: PersistBatch, snapshotRef: SnapshotRef | null): LogShape {
  let { firstIndex, lastIndex } = log;
  let termStarts = [...log.termStarts];
  if (snapshotRef !== null && !keepsLog(log, snapshotRef.meta)) {
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
  const hardState = batch.hardState ?? log.hardState;
  snapshotRef ??= log.snapshotRef;
  return logShape({ hardState, snapshotRef, firstIndex, lastIndex, termStarts });
}

/** Returns the log without the entries before `firstIndex`, which is at most `lastIndex + 1`. */
export function withoutBefore(log: LogShape, firstIndex: number): LogShape {
  const term = firstIndex <= log.lastIndex ? log.termAt(firstIndex) : undefined;
  const termStarts = log.termStarts.filter((start) => start.index > firstIndex);
  if (term !== undefined) termStarts.unshift({ term, index: firstIndex });
  return logShape({ ...log, firstIndex, termStarts });
}
