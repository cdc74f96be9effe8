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
 * failed, the kernel may show bytes that it dropped and will never write. So the
 * last batch is written again, and then synced.
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
import type { ReadHeader, SegmentHeader } from "./segment.ts";
import { decodeSnapshotRef, decodeVote, encodeSegmentHeader } from "./segment.ts";

/** A function that is called with every record that is read. */
export type RecordObserver = (record: LogRecord, offset: number, path: string) => void;

/** The result of reading a segment: offsets in its file. */
export interface SegmentEnd {
  /** The beginning of the last whole batch; `end` if there is none. */
  readonly lastBatch: number;
  /** The end of the last whole batch. */
  readonly end: number;
  /** The length of the file: more than `end` if there is a torn tail. */
  readonly size: number;
  /** The offset at which the chain breaks; `size` if it does not. */
  readonly brokenAt: number;
}

/** A replay of segments, oldest first, into a {@linkcode LogState}. */
export class LogRecovery {
  readonly state: LogState = new LogState();
  readonly #logId: number;
  readonly #observe: RecordObserver;
  #segments = 0;
  #checksum = 0;
  #memberships: Entry[] = [];
  #path = "";
  #sequence = 0;
  #batchStart = 0;
  #lastBatch = 0;
  #batch: PendingBatch = emptyBatch();

  constructor(logId: number, observe: RecordObserver = () => {}) {
    this.#logId = logId;
    this.#observe = observe;
  }

  /** The checksum of the last record or header, which the next record continues. */
  get checksum(): number {
    return this.#checksum;
  }

  get memberships(): readonly Entry[] {
    return this.#memberships;
  }

  /**
   * Reads one segment; `last` allows for a torn tail, which is left in place.
   *
   * @throws {StorageError} `damaged`, or `unsupported_version`
   */
  async readSegment(file: FileHandle, path: string, sequence: number, last: boolean): Promise<SegmentEnd> {
    const read = await readSegmentHeader(file, path);
    this.#checkHeader(read, path, sequence);
    this.#path = path;
    this.#sequence = sequence;
    this.#checksum = read.checksum;
    this.#batchStart = this.#lastBatch = read.size;
    this.#segments++;
    for (;;) {
      const from = this.#batchStart;
      this.#batch = emptyBatch();
      const { offset, size } = await scanRecords(
        file,
        from,
        this.#checksum,
        (record, at) => this.#record(record, at),
      );
      const end = this.#batchStart;
      const lastBatch = this.#lastBatch;
      if (end === size) return { lastBatch, end, size, brokenAt: size };
      if (!last) throw damaged(path, offset, "the log breaks off here, but continues in the next file");
      // A running node may have finished its batch since it was read: then continue after it.
      if (!await findLaterBatch(file, end, this.#logId, this.state.batchNumber)) {
        return { lastBatch, end, size, brokenAt: offset };
      }
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

  #checkHeader({ header }: ReadHeader, path: string, sequence: number): void {
    if (header.sequence !== sequence) {
      throw damaged(path, 0, `it is file ${header.sequence} of the log, under another name`);
    }
    if (header.logId !== this.#logId) throw damaged(path, 0, "it belongs to another data folder");
    if (this.#segments === 0) return this.state.startFrom(header);
    if (header.sequence !== this.#sequence + 1) {
      throw damaged(path, 0, `file ${this.#sequence + 1} of the log, which stands before it, is missing`);
    }
    if (!sameHeader(header, this.state.header(sequence, this.#logId, this.#checksum))) {
      throw damaged(path, 0, "it does not continue the file before it");
    }
  }

  #record(record: LogRecord, offset: number): void {
    this.#observe(record, offset, this.#path);
    const batch = this.#batch;
    const { type, index, term, payload } = record;
    if (type === undefined) {
      throw unsupportedVersion(this.#path, `a record of type ${record.typeNumber} at offset ${offset}`);
    }
    if (Number.isNaN(index) || Number.isNaN(term)) throw damaged(this.#path, offset, "a number is out of range");
    if (isEntryType(type)) {
      if (batch.terms.length === 0) batch.firstIndex = index;
      else if (index !== batch.firstIndex + batch.terms.length) {
        throw damaged(this.#path, offset, "an entry is missing");
      }
      batch.terms.push(term);
      batch.offsets.push(offset);
      if (type === "membership") batch.memberships.push({ index, term, type, data: payload.slice() });
    } else if (type === "commit") {
      this.#commit(record, offset);
    } else {
      try {
        if (type === "hardState") batch.hardState = { term, votedFor: decodeVote(payload) };
        else batch.snapshot = { ...decodeSnapshotRef(payload.subarray(1)), keepsLog: payload[0] === 1 };
      } catch (error) {
        throw damaged(this.#path, offset, `the ${type} is unreadable`, error);
      }
    }
  }

  #commit(record: LogRecord, offset: number): void {
    const commit = parseCommit(record, this.#logId);
    const batch = this.#batch;
    if (commit === undefined || commit.batchBytes !== offset - this.#batchStart) {
      throw damaged(this.#path, offset, "a batch does not end as it should");
    }
    if (commit.batchNumber !== this.state.batchNumber) {
      throw damaged(this.#path, offset, `batch ${this.state.batchNumber} is missing`);
    }
    if (batch.snapshot !== null && !batch.snapshot.keepsLog) this.#memberships = [];
    if (batch.terms.length > 0) {
      const before = batch.snapshot !== null && !batch.snapshot.keepsLog
        ? batch.snapshot.meta.index
        : this.state.lastIndex;
      if (batch.firstIndex > before + 1) throw damaged(this.#path, offset, `entry ${before + 1} is missing`);
      while ((this.#memberships.at(-1)?.index ?? 0) >= batch.firstIndex) this.#memberships.pop();
      this.#memberships.push(...batch.memberships);
    }
    this.state.apply(batch, this.#sequence);
    if (record.index !== this.state.lastIndex) {
      throw damaged(this.#path, offset, "the log does not end where it should");
    }
    this.#checksum = record.checksum;
    this.#lastBatch = this.#batchStart;
    this.#batchStart = offset + record.size;
    this.#batch = emptyBatch();
  }
}

interface PendingBatch extends CommittedBatch {
  hardState: HardState | null;
  snapshot: CommittedBatch["snapshot"];
  firstIndex: number;
  readonly terms: number[];
  readonly offsets: number[];
  readonly memberships: Entry[];
}

function emptyBatch(): PendingBatch {
  return { hardState: null, snapshot: null, firstIndex: 0, terms: [], offsets: [], memberships: [] };
}

function sameHeader(a: SegmentHeader, b: SegmentHeader): boolean {
  const left = encodeSegmentHeader(a);
  const right = encodeSegmentHeader(b);
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}
