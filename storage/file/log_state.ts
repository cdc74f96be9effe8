/**
 * The state that the log describes, except for the data of entries. It is the same
 * after writing a batch and after reading it again.
 */

import type { HardState, SnapshotMeta } from "../../lib/raft/types.ts";
import type { DurableLog } from "../log_rules.ts";
import type { SnapshotRef } from "../snapshot_writer.ts";
import { LogIndex } from "./log_index.ts";
import type { SegmentHeader } from "./segment.ts";

/** One committed batch, without the data of its entries. */
export interface CommittedBatch {
  readonly hardState: HardState | null;
  /** The snapshot put in force; `keepsLog` is true if the log continues (§7). */
  readonly snapshot: (SnapshotRef & { readonly keepsLog: boolean }) | null;
  readonly firstIndex: number;
  /** The term of each entry, and its offset in the segment. */
  readonly terms: readonly number[];
  readonly offsets: readonly number[];
  /** The checksum of its last record. */
  readonly checksum: number;
}

/** Term and vote, the snapshot in force, and where the entries are. Only `startFrom` and `apply` change it. */
export class LogState implements DurableLog {
  readonly logId: number;
  readonly index: LogIndex = new LogIndex();
  hardState: HardState = { term: 0, votedFor: null };
  snapshotRef: SnapshotRef | null = null;
  /** The number of the next batch. */
  batchNumber = 1;
  /** The checksum of the last record or header, which the next record continues. */
  checksum = 0;
  /** Counts replacements of entries: a reader that reads in several steps compares it. */
  rewrites = 0;
  /** The end of the log according to a segment's header, for entries that have been deleted. */
  #end = { index: 0, term: 0 };

  constructor(logId: number) {
    this.logId = logId;
  }

  get snapshot(): SnapshotMeta | null {
    return this.snapshotRef?.meta ?? null;
  }

  get lastIndex(): number {
    return this.index.last;
  }

  termAt(index: number): number | undefined {
    const term = this.index.termAt(index);
    if (term !== undefined) return term;
    if (this.snapshot?.index === index) return this.snapshot.term;
    return this.#end.index === index && index === this.lastIndex ? this.#end.term : undefined;
  }

  /** Begins with the state that the header of the oldest segment repeats. */
  startFrom(header: SegmentHeader): void {
    this.hardState = header.hardState;
    this.snapshotRef = header.snapshot;
    this.batchNumber = header.batchNumber;
    this.#end = { index: header.lastIndex, term: header.lastTerm };
    this.index.reset(header.lastIndex + 1);
  }

  /** Returns the header of a segment that continues the log. */
  header(sequence: number): SegmentHeader {
    const { logId, checksum: previous, batchNumber, lastIndex, hardState, snapshotRef: snapshot } = this;
    const lastTerm = this.termAt(lastIndex) ?? 0;
    return { sequence, logId, previous, batchNumber, lastIndex, lastTerm, hardState, snapshot };
  }

  apply(batch: CommittedBatch, segment: number): void {
    this.batchNumber++;
    this.checksum = batch.checksum;
    if (batch.hardState !== null) this.hardState = batch.hardState;
    if (batch.snapshot !== null) {
      if (!batch.snapshot.keepsLog) {
        this.index.reset(batch.snapshot.meta.index + 1);
        this.rewrites++;
      }
      this.snapshotRef = { number: batch.snapshot.number, meta: batch.snapshot.meta };
    }
    if (batch.terms.length > 0 && batch.firstIndex <= this.lastIndex) this.rewrites++;
    for (let i = 0; i < batch.terms.length; i++) {
      this.index.append(batch.firstIndex + i, batch.terms[i]!, segment, batch.offsets[i]!);
    }
  }
}
