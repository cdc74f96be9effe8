/**
 * Recovery of the log after any kind of stop.
 *
 * The log is a chain of records in one or more segments, cut into batches, and
 * every batch was durable before the next was begun. So at most the last one can
 * be incomplete, and only in the last segment. A break of the chain is therefore
 *
 * - a *torn tail*, if no whole batch follows: the write that a crash cut short.
 *   It was never reported as durable. It is cut off, and the cut made durable
 *   before anything is written in its place;
 * - *damage*, if a whole batch follows it, or if it is in a segment that is not
 *   the last. That is an error that names file and offset, and nothing is changed.
 *
 * The rest is made durable before it is used: after a kill, the last batch may have
 * been written and never synced. A sync alone would not be enough: after one that
 * failed, the kernel may show bytes that it dropped and will never write, or a
 * length that no disk has. So the last batch is written again, the file is cut
 * again behind it, and then both are synced.
 *
 * Rot within the very last batch looks like a torn tail, and is cut off as one.
 */

import type { Entry, HardState } from "../../lib/raft/types.ts";
import { damaged, unsupportedVersion } from "./file_errors.ts";
import { LogState } from "./log_state.ts";
import type { CommittedBatch } from "./log_state.ts";
import { findLaterBatch, readSegmentHeader, scanRecords } from "./log_scan.ts";
import type { LogRecord } from "./record.ts";
import { isEntryType, parseCommit } from "./record.ts";
import type { FileHandle } from "./file_system.ts";
import type { SegmentHeader } from "./segment.ts";
import { decodeInForce, decodeVote, encodeSegmentHeader } from "./segment.ts";

/** A function that is called with every record that is well-formed. */
export type RecordObserver = (record: LogRecord, offset: number, path: string) => void;

/** The result of reading a segment: offsets in its file. */
export interface SegmentEnd {
  /** The beginning of the last whole batch; `end` if there is none. */
  readonly lastBatch: number;
  /** The end of the last whole batch. */
  readonly end: number;
  /** The length of the file: more than `end` if there is a torn tail. */
  readonly size: number;
}

/** A replay of segments, oldest first, into a {@linkcode LogState}. */
export class LogRecovery {
  readonly state: LogState;
  memberships: Entry[] = [];
  /** The numbers of whole batches, and of records in them. */
  batches = 0;
  records = 0;
  readonly #observe: RecordObserver;
  /** The segment being read. */
  #path = "";
  #sequence = 0;
  #batchStart = 0;
  #lastBatch = 0;
  #batch: PendingBatch = new PendingBatch();

  constructor(logId: number, observe: RecordObserver = () => {}) {
    this.state = new LogState(logId);
    this.#observe = observe;
  }

  /**
   * Reads one segment; `last` allows for a torn tail, which is left in place.
   *
   * @throws {StorageError} `damaged`, or `unsupported_version`
   */
  async readSegment(file: FileHandle, path: string, sequence: number, last: boolean): Promise<SegmentEnd> {
    const read = await readSegmentHeader(file, path);
    this.#path = path;
    this.#checkHeader(read.header, sequence);
    this.#sequence = sequence;
    this.state.checksum = read.checksum;
    this.#batchStart = this.#lastBatch = read.size;
    for (;;) {
      const from = this.#batchStart;
      this.#batch = new PendingBatch();
      const { offset, size } = await scanRecords(file, from, this.state.checksum, (record, at) => {
        this.#record(record, at);
        this.#observe(record, at, path);
      });
      const end = this.#batchStart;
      const lastBatch = this.#lastBatch;
      if (end === size) return { lastBatch, end, size };
      if (!last) throw damaged(path, offset, "the log breaks off here, but continues in the next file");
      // A running node may have finished its batch since it was read: then continue after it.
      if (!await findLaterBatch(file, end, this.state)) return { lastBatch, end, size };
      if (end === from) throw damaged(path, offset, "whole batches follow an unreadable one");
    }
  }

  /** Checks that snapshot and entries together cover everything from the first index on. */
  checkComplete(path: string): void {
    const covered = this.state.snapshot?.index ?? 0;
    const { first } = this.state.index;
    if (first <= covered + 1) return;
    throw damaged(path, 0, `entries ${covered + 1} to ${first - 1} are missing; an older file of the log is gone`);
  }

  #checkHeader(header: SegmentHeader, sequence: number): void {
    if (header.sequence !== sequence) this.#damaged(0, `it is file ${header.sequence} of the log, under another name`);
    if (header.logId !== this.state.logId) this.#damaged(0, "it belongs to another data folder");
    if (this.#sequence === 0) return this.state.startFrom(header);
    if (header.sequence !== this.#sequence + 1) {
      this.#damaged(0, `file ${this.#sequence + 1} of the log, which stands before it, is missing`);
    }
    if (!sameHeader(header, this.state.header(sequence))) this.#damaged(0, "it does not continue the file before it");
  }

  #record(record: LogRecord, offset: number): void {
    const batch = this.#batch;
    const { type, index, term, payload } = record;
    if (type === undefined) {
      throw unsupportedVersion(this.#path, `a record of type ${record.typeNumber} at offset ${offset}`);
    }
    if (Number.isNaN(index) || Number.isNaN(term)) this.#damaged(offset, "a number is out of range");
    batch.records++;
    if (isEntryType(type)) {
      if (batch.terms.length === 0) batch.firstIndex = index;
      else if (index !== batch.firstIndex + batch.terms.length) this.#damaged(offset, "an entry is missing");
      batch.terms.push(term);
      batch.offsets.push(offset);
      if (type === "membership") batch.memberships.push({ index, term, type, data: payload.slice() });
    } else if (type === "commit") {
      this.#commit(record, offset);
    } else {
      try {
        if (type === "hardState") batch.hardState = { term, votedFor: decodeVote(payload) };
        else batch.snapshot = decodeInForce(payload);
      } catch (error) {
        this.#damaged(offset, `the ${type} is unreadable`, error);
      }
    }
  }

  #commit(record: LogRecord, offset: number): void {
    const { state } = this;
    const commit = parseCommit(record, state.logId);
    const batch = this.#batch;
    if (commit === undefined || commit.batchBytes !== offset - this.#batchStart) {
      this.#damaged(offset, "a batch does not end as it should");
    }
    if (commit.batchNumber !== state.batchNumber) this.#damaged(offset, `batch ${state.batchNumber} is missing`);
    const emptiedAt = batch.snapshot?.keepsLog === false ? batch.snapshot.meta.index : null;
    if (emptiedAt !== null) this.memberships = [];
    if (batch.terms.length > 0) {
      const before = emptiedAt ?? state.lastIndex;
      if (batch.firstIndex > before + 1) this.#damaged(offset, `entry ${before + 1} is missing`);
      while ((this.memberships.at(-1)?.index ?? 0) >= batch.firstIndex) this.memberships.pop();
      this.memberships.push(...batch.memberships);
    }
    batch.checksum = record.checksum;
    state.apply(batch, this.#sequence);
    if (record.index !== state.lastIndex) this.#damaged(offset, "the log does not end where it should");
    this.batches++;
    this.records += batch.records;
    this.#lastBatch = this.#batchStart;
    this.#batchStart = offset + record.size;
    this.#batch = new PendingBatch();
  }

  #damaged(offset: number, reason: string, cause?: unknown): never {
    throw damaged(this.#path, offset, reason, cause);
  }
}

/** The records since the last commit. */
class PendingBatch implements CommittedBatch {
  hardState: HardState | null = null;
  snapshot: CommittedBatch["snapshot"] = null;
  firstIndex = 0;
  readonly terms: number[] = [];
  readonly offsets: number[] = [];
  readonly memberships: Entry[] = [];
  records = 0;
  checksum = 0;
}

function sameHeader(a: SegmentHeader, b: SegmentHeader): boolean {
  const left = encodeSegmentHeader(a);
  const right = encodeSegmentHeader(b);
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}
