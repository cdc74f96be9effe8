/**
 * The open log: appends batches, reads entries back, and deletes its beginning.
 */

import type { StorageError } from "../../lib/errors.ts";
import type { Entry, PersistBatch } from "../../lib/raft/types.ts";
import { checkBatch, checkRange, failure, keepsLog } from "../log_rules.ts";
import type { DiskHealth } from "./disk_health.ts";
import { damaged } from "./file_errors.ts";
import type { FileHandle, FileSystem } from "./file_system.ts";
import { errorCode, readFully, writeFully } from "./file_system.ts";
import type { CommittedBatch, LogState } from "./log_state.ts";
import { BatchEncoder, commitBytes, isEntryType, parseRecord, recordHeaderBytes, recordSizeAt } from "./record.ts";
import type { SegmentHeader, SnapshotRef } from "./segment.ts";
import { decodeSegmentHeader, encodeSegmentHeader, encodeSnapshotRef, encodeVote } from "./segment.ts";
import type { SegmentFile, SegmentFiles } from "./segment_files.ts";

/** The longest batch, because offsets in a segment have 32 bits. */
const maxBatchBytes = 1024 ** 3;
const readBytes = 256 * 1024;

export interface WriteAheadLogParts {
  readonly fs: FileSystem;
  readonly dir: string;
  readonly health: DiskHealth;
  readonly files: SegmentFiles;
  readonly state: LogState;
  readonly logId: number;
  /** The newest segment, open for writing. */
  readonly active: FileHandle;
  readonly checksum: number;
  /** A segment that has this many bytes is followed by a new one. */
  readonly segmentBytes: number;
}

export class WriteAheadLog {
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #health: DiskHealth;
  readonly #files: SegmentFiles;
  readonly #state: LogState;
  readonly #logId: number;
  readonly #segmentBytes: number;
  readonly #encoder = new BatchEncoder();
  #active: FileHandle;
  #checksum: number;

  constructor(parts: WriteAheadLogParts) {
    this.#fs = parts.fs;
    this.#dir = parts.dir;
    this.#health = parts.health;
    this.#files = parts.files;
    this.#state = parts.state;
    this.#logId = parts.logId;
    this.#segmentBytes = parts.segmentBytes;
    this.#active = parts.active;
    this.#checksum = parts.checksum;
  }

  /** @throws {StorageError} `unchanged`, if the batch breaks a rule */
  check(batch: PersistBatch): void {
    checkBatch(this.#state, batch);
    let bytes = 0;
    for (const entry of batch.entries) bytes += recordHeaderBytes + entry.data.length;
    if (bytes > maxBatchBytes) throw failure(`a batch of ${bytes} bytes is too large`, "unchanged");
  }

  /** Makes a batch durable: one write, one fdatasync. `snapshot` is the file of `batch.snapshot`. */
  async append(batch: PersistBatch, snapshot: SnapshotRef | null): Promise<void> {
    this.#health.check();
    if (this.#files.newest.size >= this.#segmentBytes) await this.#roll();
    const segment = this.#files.newest;
    const { bytes, committed } = this.#encode(batch, snapshot, segment.size);
    const checksum = this.#encoder.checksum;
    try {
      await writeFully(this.#active, bytes, segment.size);
    } catch (error) {
      throw await this.#undo(segment, error);
    }
    try {
      await this.#active.sync();
    } catch (error) {
      throw this.#health.doubt(`syncing ${segment.path}`, error);
    }
    segment.size += bytes.length;
    this.#checksum = checksum;
    this.#state.apply(committed, segment.sequence);
  }

  #encode(
    batch: PersistBatch,
    snapshot: SnapshotRef | null,
    offset: number,
  ): { readonly bytes: Uint8Array; readonly committed: CommittedBatch } {
    const encoder = this.#encoder;
    const { entries, hardState } = batch;
    let expected = 256;
    for (const entry of entries) expected += recordHeaderBytes + entry.data.length;
    encoder.begin(this.#checksum, expected + commitBytes);
    if (hardState !== null) encoder.add("hardState", 0, hardState.term, encodeVote(hardState.votedFor));
    const keeps = snapshot !== null && keepsLog(this.#state, snapshot.meta);
    if (snapshot !== null) {
      const ref = encodeSnapshotRef(snapshot);
      const payload = new Uint8Array(ref.length + 1);
      payload[0] = keeps ? 1 : 0;
      payload.set(ref, 1);
      encoder.add("snapshot", snapshot.meta.index, snapshot.meta.term, payload);
    }
    const terms: number[] = [];
    const offsets: number[] = [];
    for (const { index, term, type, data } of entries) {
      terms.push(term);
      offsets.push(offset + encoder.length);
      encoder.add(type, index, term, data);
    }
    const emptied = snapshot !== null && !keeps ? snapshot.meta.index : this.#state.lastIndex;
    const lastIndex = entries.at(-1)?.index ?? emptied;
    const term = hardState?.term ?? this.#state.hardState.term;
    const bytes = encoder.commit(lastIndex, term, this.#logId, this.#state.batchNumber);
    return {
      bytes,
      committed: {
        hardState,
        snapshot: snapshot === null ? null : { ...snapshot, keepsLog: keeps },
        firstIndex: entries[0]?.index ?? 0,
        terms,
        offsets,
      },
    };
  }

  /** Removes the remains of a failed write; the disk is unchanged only if that succeeds. */
  async #undo(segment: SegmentFile, cause: unknown): Promise<StorageError> {
    try {
      await this.#active.truncate(segment.size);
      await this.#active.sync();
    } catch (_error) {
      return this.#health.doubt(`writing to ${segment.path}`, cause);
    }
    return this.#health.unchanged(`writing to ${segment.path}`, cause);
  }

  async #roll(): Promise<void> {
    const sequence = this.#files.newest.sequence + 1;
    const header = this.#state.header(sequence, this.#logId, this.#checksum);
    const { file, size, checksum } = await createSegment(this.#fs, this.#dir, this.#files, this.#health, header);
    this.#files.add(sequence, size, file);
    this.#active = file;
    this.#checksum = checksum;
  }

  /** Implements {@linkcode Storage.entries}. The data are views of buffers of about 256 KiB, or of one longer entry. */
  async entries(from: number, to: number, maxBytes: number): Promise<Entry[]> {
    for (;;) {
      const { first, last } = this.#state.index;
      checkRange(from, to, first, last);
      const found: Entry[] = [];
      if (await this.#read(from, to, maxBytes, found) || found.length > 0) return found;
    }
  }

  /** Fills `found`; returns false if the log changed meanwhile, so that further entries would not fit. */
  async #read(from: number, to: number, maxBytes: number, found: Entry[]): Promise<boolean> {
    const { index } = this.#state;
    const { rewrites } = this.#state;
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
      if (this.#state.rewrites !== rewrites || next < index.first) return false;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      for (; next <= end; next++) {
        const at = index.offsetOf(next) - start;
        const size = recordSizeAt(view, at);
        if (size === undefined || at + size > bytes.length) break;
        const entry = parseEntry(segment.path, bytes, view, at, start, next, index.termAt(next)!);
        total += entry.data.length;
        if (found.length > 0 && total > maxBytes) return true;
        found.push(entry);
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

  /** Drops entries up to `index`, and deletes segments that hold nothing else. */
  async compact(index: number): Promise<void> {
    this.#state.index.dropBefore(index + 1);
    while (this.#files.count > 1 && this.#files.oldest.sequence < this.#oldestNeeded()) {
      this.#health.check();
      const { path } = await this.#files.removeOldest();
      // One at a time, so that a crash never leaves a gap between segments.
      await removeFile(this.#fs, this.#health, path);
      await syncDirectory(this.#fs, this.#health, this.#dir);
    }
  }

  #oldestNeeded(): number {
    const { first, last } = this.#state.index;
    return first <= last ? this.#state.index.segmentOf(first) : this.#files.newest.sequence;
  }
}

function parseEntry(
  path: string,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  start: number,
  index: number,
  term: number,
): Entry {
  const record = parseRecord(bytes, view, at);
  if (record === undefined || !isEntryType(record.type) || record.index !== index || record.term !== term) {
    throw damaged(path, start + at, `entry ${index} does not read as it was written`);
  }
  return { index, term, type: record.type, data: record.payload };
}

function readFailure(path: string, error: unknown): unknown {
  const code = errorCode(error);
  return /^E[A-Z]/.test(code) ? failure(`reading ${path} failed (${code})`, "unchanged", error) : error;
}

/** Creates a segment with its header; its name is durable when this resolves. */
export async function createSegment(
  fs: FileSystem,
  dir: string,
  files: SegmentFiles,
  health: DiskHealth,
  header: SegmentHeader,
): Promise<{ readonly file: FileHandle; readonly size: number; readonly checksum: number }> {
  const path = files.pathOf(header.sequence);
  const bytes = encodeSegmentHeader(header);
  const file = await writeTemporary(fs, health, `${path}.tmp`, bytes);
  await renameDurably(fs, health, dir, `${path}.tmp`, path);
  return { file, size: bytes.length, checksum: decodeSegmentHeader(path, bytes).checksum };
}

/** Writes and syncs a new file, which the caller renames. It is removed if that fails. */
export async function writeTemporary(
  fs: FileSystem,
  health: DiskHealth,
  path: string,
  bytes: Uint8Array,
): Promise<FileHandle> {
  health.check();
  let file: FileHandle | undefined;
  try {
    file = await fs.open(path, "create");
    await writeFully(file, bytes, 0);
  } catch (error) {
    await file?.close().catch(() => {});
    if (file !== undefined) await fs.unlink(path).catch(() => {});
    throw health.unchanged(`writing ${path}`, error);
  }
  try {
    await file.sync();
  } catch (error) {
    await file.close().catch(() => {});
    throw health.doubt(`syncing ${path}`, error);
  }
  return file;
}

export async function renameDurably(
  fs: FileSystem,
  health: DiskHealth,
  dir: string,
  from: string,
  to: string,
): Promise<void> {
  health.check();
  try {
    await fs.rename(from, to);
    await fs.syncDirectory(dir);
  } catch (error) {
    throw health.doubt(`renaming ${from}`, error);
  }
}

async function removeFile(fs: FileSystem, health: DiskHealth, path: string): Promise<void> {
  try {
    await fs.unlink(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw health.doubt(`deleting ${path}`, error);
  }
}

async function syncDirectory(fs: FileSystem, health: DiskHealth, dir: string): Promise<void> {
  try {
    await fs.syncDirectory(dir);
  } catch (error) {
    throw health.doubt(`syncing ${dir}`, error);
  }
}
