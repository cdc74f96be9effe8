/**
 * The open log: appends batches, reads entries back, and deletes its beginning.
 */

import type { StorageError } from "../../lib/errors.ts";
import type { Entry, PersistBatch } from "../../lib/raft/types.ts";
import { checkBatch, checkRange, failure, keepsLog } from "../log_rules.ts";
import type { SnapshotRef } from "../snapshot_writer.ts";
import { damaged, readFailure } from "./file_errors.ts";
import { readFully, writeFully } from "./file_system.ts";
import type { FileHandle } from "./file_system.ts";
import type { Folder } from "./folder.ts";
import type { CommittedBatch, LogState } from "./log_state.ts";
import { BatchEncoder, commitBytes, isEntryType, parseRecord, recordHeaderBytes, recordSizeAt } from "./record.ts";
import { checksumOfHeader, encodeInForce, encodeSegmentHeader, encodeVote } from "./segment.ts";
import type { SegmentFile, SegmentFiles } from "./segment_files.ts";

/** The longest batch, because offsets in a segment have 32 bits. */
const maxBatchBytes = 1024 ** 3;
const readBytes = 256 * 1024;
/** The bytes of a batch that are encoded before they are written: a burst of large entries must not be in memory twice. */
const pieceBytes = 4 * 1024 * 1024;

export class WriteAheadLog {
  readonly state: LogState;
  readonly #folder: Folder;
  readonly #files: SegmentFiles;
  readonly #segmentBytes: number;
  readonly #encoder = new BatchEncoder();

  /** @param segmentBytes a segment that has this many bytes is followed by a new one */
  constructor(folder: Folder, files: SegmentFiles, state: LogState, segmentBytes: number) {
    this.#folder = folder;
    this.#files = files;
    this.state = state;
    this.#segmentBytes = segmentBytes;
  }

  /** @throws {StorageError} `unchanged`, if the batch breaks a rule */
  check(batch: PersistBatch): void {
    checkBatch(this.state, batch);
    const bytes = sizeOf(batch.entries);
    if (bytes > maxBatchBytes) throw failure(`a batch of ${bytes} bytes is too large`, "unchanged");
  }

  /** Makes a batch durable: one write, or several if it is long, and one fdatasync. `snapshot` is the file of `batch.snapshot`. */
  async append(batch: PersistBatch, snapshot: SnapshotRef | null): Promise<void> {
    this.#folder.check();
    if (this.#files.newest.size >= this.#segmentBytes) await beginSegment(this.#folder, this.#files, this.state);
    const { newest: segment, active } = this.#files;
    let committed: CommittedBatch;
    try {
      committed = await this.#write(batch, snapshot, active, segment.size);
    } catch (error) {
      throw await this.#undo(segment, error);
    }
    await this.#folder.sync(active, segment.path);
    segment.size += this.#encoder.length;
    this.state.apply(committed, segment.sequence);
  }

  /** Writes a batch at `offset`. Until its last record, the commit, is there it does not count. */
  async #write(
    batch: PersistBatch,
    snapshot: SnapshotRef | null,
    file: FileHandle,
    offset: number,
  ): Promise<CommittedBatch> {
    const { entries, hardState } = batch;
    const encoder = this.#encoder;
    const writePending = (): Promise<void> => {
      const at = offset + encoder.length - encoder.pending;
      return writeFully(file, encoder.take(), at);
    };
    encoder.begin(this.state.checksum, Math.min(256 + sizeOf(entries), pieceBytes) + commitBytes);
    if (hardState !== null) encoder.add("hardState", 0, hardState.term, encodeVote(hardState.votedFor));
    const keeps = snapshot !== null && keepsLog(this.state, snapshot.meta);
    if (snapshot !== null) {
      encoder.add("snapshot", snapshot.meta.index, snapshot.meta.term, encodeInForce(snapshot, keeps));
    }
    const terms: number[] = [];
    const offsets: number[] = [];
    for (const { index, term, type, data } of entries) {
      if (encoder.pending > 0 && encoder.pending + recordHeaderBytes + data.length > pieceBytes) await writePending();
      terms.push(term);
      offsets.push(offset + encoder.length);
      encoder.add(type, index, term, data);
    }
    const emptied = snapshot !== null && !keeps ? snapshot.meta.index : this.state.lastIndex;
    const lastIndex = entries.at(-1)?.index ?? emptied;
    const term = hardState?.term ?? this.state.hardState.term;
    encoder.commit(lastIndex, term, this.state.logId, this.state.batchNumber);
    await writePending();
    return {
      hardState,
      snapshot: snapshot === null ? null : { ...snapshot, keepsLog: keeps },
      firstIndex: entries[0]?.index ?? 0,
      terms,
      offsets,
      checksum: encoder.checksum,
    };
  }

  /** Removes the remains of a failed write; the disk is unchanged only if that succeeds. */
  async #undo(segment: SegmentFile, cause: unknown): Promise<StorageError> {
    try {
      await this.#files.active.truncate(segment.size);
      await this.#files.active.sync();
    } catch (_error) {
      return this.#folder.doubt(`writing to ${segment.path}`, cause);
    }
    return this.#folder.unchanged(`writing to ${segment.path}`, cause);
  }

  /** Implements {@linkcode Storage.entries}. The data are views of buffers of about 256 KiB, or of one longer entry. */
  async entries(from: number, to: number, maxBytes: number): Promise<Entry[]> {
    for (;;) {
      const { first, last } = this.state.index;
      checkRange(from, to, first, last);
      const found: Entry[] = [];
      if (await this.#read(from, to, maxBytes, found) || found.length > 0) return found;
    }
  }

  /** Fills `found`; returns false if the log changed meanwhile, so that further entries would not fit. */
  async #read(from: number, to: number, maxBytes: number, found: Entry[]): Promise<boolean> {
    const { index, rewrites } = this.state;
    let total = 0;
    let next = from;
    while (next <= to) {
      const segment = this.#files.get(index.segmentOf(next))!;
      const end = index.lastInSegment(next, to);
      const start = index.offsetOf(next);
      let bytes: Uint8Array;
      try {
        bytes = await this.#readPiece(segment, start, Math.min(readBytes, Math.max(4096, maxBytes - total)));
      } catch (error) {
        // Compaction may have deleted it meanwhile.
        if (next < index.first) return false;
        throw readFailure(segment.path, error);
      }
      if (this.state.rewrites !== rewrites || next < index.first) return false;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      for (; next <= end; next++) {
        const at = index.offsetOf(next) - start;
        const size = recordSizeAt(view, at);
        if (size === undefined || at + size > bytes.length) break;
        const record = parseRecord(bytes, view, at);
        const term = index.termAt(next)!;
        if (!isEntryType(record?.type) || record?.index !== next || record.term !== term) {
          throw damaged(segment.path, start + at, `entry ${next} does not read as it was written`);
        }
        total += record.payload.length;
        if (found.length > 0 && total > maxBytes) return true;
        found.push({ index: next, term, type: record.type, data: record.payload });
      }
    }
    return true;
  }

  /** Reads about `length` bytes, and at least the record at `offset`. */
  #readPiece(segment: SegmentFile, offset: number, length: number): Promise<Uint8Array> {
    return this.#files.read(segment, async (file) => {
      const available = segment.size - offset;
      const bytes = await readFully(file, offset, Math.min(length, available));
      const size = recordSizeAt(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0) ?? Infinity;
      if (size > available) throw damaged(segment.path, offset, "an entry is unreadable");
      if (size <= bytes.length) return bytes;
      const whole = await readFully(file, offset, size);
      if (whole.length < size) throw damaged(segment.path, offset, "an entry is cut off");
      return whole;
    });
  }

  /** Drops entries up to `index` that the snapshot covers, and deletes segments that hold nothing else. */
  async compact(index: number): Promise<void> {
    this.state.index.dropBefore(Math.min(index, this.state.snapshot?.index ?? 0) + 1);
    while (this.#files.count > 1 && this.#files.oldest.sequence < this.#oldestNeeded()) {
      this.#folder.check();
      const { path } = await this.#files.removeOldest();
      // One at a time, so that a crash never leaves a gap between segments.
      await this.#folder.remove(path);
    }
  }

  #oldestNeeded(): number {
    const { first, last } = this.state.index;
    return first <= last ? this.state.index.segmentOf(first) : this.#files.newest.sequence;
  }
}

/** Returns the size of the records of entries. */
function sizeOf(entries: readonly Entry[]): number {
  return entries.reduce((bytes, { data }) => bytes + recordHeaderBytes + data.length, 0);
}

/** Begins a segment; its name is durable when this resolves. */
export async function beginSegment(folder: Folder, files: SegmentFiles, state: LogState): Promise<void> {
  const sequence = files.count === 0 ? 1 : files.newest.sequence + 1;
  const path = files.pathOf(sequence);
  const bytes = encodeSegmentHeader(state.header(sequence));
  const file = await folder.createSynced(`${path}.tmp`, bytes);
  await folder.rename(`${path}.tmp`, path);
  files.add(sequence, bytes.length, file);
  state.checksum = checksumOfHeader(bytes);
}
