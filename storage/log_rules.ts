/**
 * The rules that every batch must keep, on any medium. A batch that breaks one is
 * refused before anything is written: no write is better than one that can't be
 * read back.
 */

import { StorageError } from "../lib/errors.ts";
import type { DiskState } from "../lib/errors.ts";
import { decodeMembership } from "../lib/raft/membership.ts";
import { isNumber, problemOf, problemOfSnapshot } from "../lib/raft/restored_check.ts";
import type { Entry, HardState, PersistBatch, SnapshotMeta, TermStart } from "../lib/raft/types.ts";
import type { Identity } from "../lib/storage.ts";

/** The part of the durable state that the rules need. */
export interface DurableLog {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta | null;
  readonly lastIndex: number;
  /** Returns the term of an entry of the log, or of the last one that the snapshot covers. */
  termAt(index: number): number | undefined;
}

/** Reports whether installing `snapshot` keeps the log: it has an entry with the snapshot's index and term (§7). */
export function keepsLog(log: DurableLog, snapshot: SnapshotMeta): boolean {
  return log.termAt(snapshot.index) === snapshot.term;
}

/** @throws {StorageError} `storage`, the disk unchanged, if the batch does not fit the durable state */
export function checkBatch(log: DurableLog, batch: PersistBatch): void {
  const { hardState, snapshot, entries } = batch;
  if (hardState !== null) checkHardState(log.hardState, hardState);
  if (snapshot !== null) checkSnapshot(log.snapshot, snapshot);
  const first = entries[0];
  if (first === undefined) return;
  const floor = snapshot?.index ?? log.snapshot?.index ?? 0;
  const emptied = snapshot !== null && !keepsLog(log, snapshot);
  const lastIndex = emptied ? floor : log.lastIndex;
  checkNumber(first.index, "index");
  if (first.index > lastIndex + 1) refuse(`entry ${first.index} leaves a gap after ${lastIndex}`);
  if (first.index <= floor) refuse(`entry ${first.index} is covered by the snapshot at ${floor}`);
  const before = emptied ? snapshot.term : log.termAt(first.index - 1) ?? 0;
  checkEntries(entries, before);
}

/** Checks the description of a snapshot, which would be all that is left of the membership. */
function checkSnapshot(before: SnapshotMeta | null, snapshot: SnapshotMeta): void {
  const problem = problemOfSnapshot(snapshot);
  if (problem !== null) refuse(problem);
  if (before === null) return;
  if (snapshot.index < before.index) {
    refuse(`the snapshot at ${snapshot.index} is older than the one at ${before.index}`);
  }
  const fits = snapshot.index === before.index ? snapshot.term === before.term : snapshot.term >= before.term;
  if (!fits) refuse(`the snapshot at ${snapshot.index} has term ${snapshot.term}, and the one before ${before.term}`);
}

/** Checks consecutive entries after one with the term `before`. */
function checkEntries(entries: readonly Entry[], before: number): void {
  const first = entries[0]!.index;
  let last = before;
  entries.forEach(({ index, term, type, data }, i) => {
    if (index !== first + i) refuse(`entry ${index} is out of order`);
    checkNumber(term, "term");
    if (term < last) refuse(`entry ${index} has term ${term}, below the ${last} before it`);
    const problem = type === "membership" ? problemOf(() => decodeMembership(data)) : null;
    if (problem !== null) refuse(`entry ${index}: ${problem}`);
    last = term;
  });
}

function checkHardState(before: HardState, after: HardState): void {
  checkNumber(after.term, "term");
  if (after.term < before.term) refuse(`term ${after.term} is below the durable ${before.term}`);
  if (after.term === before.term && before.votedFor !== null && after.votedFor !== before.votedFor) {
    refuse(`the vote for ${before.votedFor} in term ${before.term} can't be changed`);
  }
}

function checkNumber(value: number, what: string): void {
  if (!isNumber(value)) refuse(`${value} is not a valid ${what}`);
}

function refuse(reason: string): never {
  throw failure(`invalid batch: ${reason}`, "unchanged");
}

/** @throws {StorageError} `storage`, unless the log from `first` to `last` has the entries `from` to `to` */
export function checkRange(from: number, to: number, first: number, last: number): void {
  if (from >= first && to <= last && from <= to) return;
  throw failure(`entries ${from} to ${to} are not in the log, which has ${first} to ${last}`, "unchanged");
}

/** Creates a {@linkcode StorageError} with the code `storage`. */
export function failure(message: string, disk: DiskState, cause?: unknown): StorageError {
  return new StorageError(message, { disk, cause, outcome: disk === "unchanged" ? "rejected" : "unknown" });
}

/** Creates the error of every call after `close`. */
export function storageClosed(): StorageError {
  return new StorageError("the storage is closed", { disk: "unchanged", code: "closed" });
}

/** @throws {StorageError} `identity_mismatch` unless `after` only adds to `before` */
export function checkIdentity(before: Identity | null, after: Identity): void {
  let reason = "";
  if (after.nodeId === "") reason = "a node id is needed";
  else if (after.incarnation === "") reason = "an incarnation is needed";
  else if (before !== null && before.nodeId !== after.nodeId) {
    reason = `it belongs to node ${before.nodeId}, not to ${after.nodeId}`;
  } else if (before !== null && before.incarnation !== after.incarnation) {
    reason = `its incarnation is ${before.incarnation}, not ${after.incarnation}`;
  } else if (before !== null && before.clusterId !== "" && before.clusterId !== after.clusterId) {
    reason = `it belongs to cluster ${before.clusterId}, not to ${after.clusterId || "none"}`;
  }
  if (reason === "") return;
  throw new StorageError(`the storage has another identity: ${reason}`, {
    disk: "unchanged",
    code: "identity_mismatch",
    hint: "Use the data folder of this node, or an empty one and a new node id.",
  });
}

/** Returns the term at `index`, according to the runs of terms. The caller has checked the range. */
export function termByRuns(runs: readonly TermStart[], index: number): number | undefined {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (runs[middle]!.index <= index) low = middle + 1;
    else high = middle;
  }
  return runs[low - 1]?.term;
}

/** @throws {StorageError} `damaged` if the bytes that were written don't match `meta` */
export function checkWritten(meta: SnapshotMeta, size: number, checksum: number): void {
  if (meta.size === size && meta.checksum === checksum) return;
  throw new StorageError(
    `snapshot ${meta.id} should have ${meta.size} bytes with checksum ${meta.checksum}, ` +
      `and has ${size} with ${checksum}`,
    { disk: "unchanged", code: "damaged", hint: "Write the snapshot again." },
  );
}
