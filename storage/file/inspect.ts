/**
 * Inspection of a data folder without changing it. The node may be stopped or
 * running: nothing is locked.
 */

import { StorageError } from "../../lib/errors.ts";
import type { EntryType, HardState, SnapshotMeta } from "../../lib/raft/types.ts";
import type { Identity } from "../../lib/storage.ts";
import { failure } from "../log_rules.ts";
import { damaged } from "./file_errors.ts";
import type { FileHandle, FileSystem } from "./file_system.ts";
import { errorCode } from "./file_system.ts";
import { readManifest } from "./manifest.ts";
import type { LogRecord } from "./record.ts";
import { isEntryType, parseCommit } from "./record.ts";
import { LogRecovery } from "./recovery.ts";
import type { RecordObserver, SegmentEnd } from "./recovery.ts";
import type { SnapshotRef } from "./segment.ts";
import { decodeSnapshotRef, decodeVote, logIdOf, segmentName, segmentSequence } from "./segment.ts";
import { FileSnapshotReader, openSnapshotFile, snapshotName } from "./snapshot_files.ts";

const attempts = 5;

/** The result of {@linkcode verifyFolder}; sizes in bytes. */
export interface LogReport {
  /** The node that the folder belongs to. */
  readonly identity: Identity;
  /** The number of files of the log. */
  readonly segments: number;
  /** The size of those files. */
  readonly bytes: number;
  /** The number of records in whole batches. */
  readonly records: number;
  /** The number of whole batches. */
  readonly batches: number;
  /** The first entry of the log; `lastIndex + 1` if it is empty. */
  readonly firstIndex: number;
  /** The last entry, or the last that the snapshot covers. */
  readonly lastIndex: number;
  /** Term and vote. */
  readonly hardState: HardState;
  /** The snapshot in force, whose bytes were checked too. */
  readonly snapshot: SnapshotMeta | null;
  /** Bytes after the last whole batch: a write that a crash cut short, or one under way. */
  readonly tornBytes: number;
}

/** The place of a record. */
export interface RecordPlace {
  /** The path of the file. */
  readonly file: string;
  /** The offset in the file. */
  readonly offset: number;
  /** The length of the record. */
  readonly bytes: number;
}

/** One record of the log, as {@linkcode dumpFolder} yields it. */
export type DumpedRecord =
  & RecordPlace
  & (
    | { readonly type: EntryType; readonly index: number; readonly term: number; readonly data: Uint8Array }
    | { readonly type: "hardState"; readonly term: number; readonly votedFor: string | null }
    | { readonly type: "snapshot"; readonly meta: SnapshotMeta; readonly keepsLog: boolean }
    | { readonly type: "commit"; readonly lastIndex: number; readonly batchNumber: number }
    /** The bytes after the last whole batch. */
    | { readonly type: "tornTail" }
  );

/** A folder's log, opened for reading. */
interface OpenLog {
  readonly identity: Identity;
  readonly logId: number;
  readonly segments: readonly { readonly sequence: number; readonly path: string; readonly file: FileHandle }[];
}

/**
 * Reads and checks everything in a folder: manifest, log and snapshot.
 *
 * @throws {StorageError} `damaged`, naming file and offset; `unsupported_version`; `storage` if it is not a data folder
 */
export async function verifyFolder(fs: FileSystem, dir: string): Promise<LogReport> {
  for (let attempt = 1;; attempt++) {
    const before = await listing(fs, dir);
    try {
      return await verifyOnce(fs, dir);
    } catch (error) {
      // If a running node has replaced a snapshot or deleted the log's beginning, read again.
      if (attempt === attempts || await listing(fs, dir) === before) throw error;
    }
  }
}

async function listing(fs: FileSystem, dir: string): Promise<string> {
  try {
    return (await fs.readDirectory(dir)).sort().join("/");
  } catch (error) {
    throw failure(`${dir} can't be read (${errorCode(error)}).`, "unchanged", error);
  }
}

async function verifyOnce(fs: FileSystem, dir: string): Promise<LogReport> {
  const log = await openLog(fs, dir);
  let records = 0;
  let batches = 0;
  let pending = 0;
  const recovery = new LogRecovery(log.logId, (record) => {
    pending++;
    if (record.type !== "commit") return;
    records += pending;
    batches++;
    pending = 0;
  });
  try {
    let bytes = 0;
    let tornBytes = 0;
    for (const { end, size } of await readAll(log, recovery, () => void (pending = 0))) {
      bytes += size;
      tornBytes += size - end;
    }
    const { state } = recovery;
    if (state.snapshotRef !== null) await verifySnapshot(fs, dir, state.snapshotRef);
    return {
      identity: log.identity,
      segments: log.segments.length,
      bytes,
      records,
      batches,
      firstIndex: state.index.first,
      lastIndex: state.lastIndex,
      hardState: state.hardState,
      snapshot: state.snapshot,
      tornBytes,
    };
  } finally {
    await closeAll(log);
  }
}

async function readAll(log: OpenLog, recovery: LogRecovery, before: () => void): Promise<SegmentEnd[]> {
  const ends: SegmentEnd[] = [];
  for (const { sequence, path, file } of log.segments) {
    before();
    ends.push(await recovery.readSegment(file, path, sequence, sequence === log.segments.at(-1)?.sequence));
  }
  recovery.checkComplete(log.segments[0]!.path);
  return ends;
}

/** Reads a snapshot from beginning to end, which checks its checksum. */
async function verifySnapshot(fs: FileSystem, dir: string, ref: SnapshotRef): Promise<void> {
  const file = await openSnapshotFile(fs, dir, ref);
  const reader = new FileSnapshotReader(file, `${dir}/${snapshotName(ref.file)}`, ref.meta, () => {});
  try {
    for (let at = 0; at < ref.meta.size;) at += (await reader.read(at, 1024 * 1024)).length;
  } finally {
    await reader.close();
  }
}

/**
 * Yields every record of a folder's log, oldest first, overwritten ones included.
 * It holds one file of the log in memory at a time.
 *
 * @throws {StorageError} as {@linkcode verifyFolder}, after the records before the damage
 */
export async function* dumpFolder(fs: FileSystem, dir: string): AsyncGenerator<DumpedRecord, void> {
  const log = await openLog(fs, dir);
  try {
    let found: DumpedRecord[] = [];
    let next = 0;
    const observe: RecordObserver = (record, offset, file) => {
      // A tail that a running node has completed meanwhile is read twice.
      if (offset < next) return;
      next = offset + record.size;
      found.push(describe(record, offset, file, log.logId));
    };
    const recovery = new LogRecovery(log.logId, observe);
    for (const { sequence, path, file } of log.segments) {
      found = [];
      next = 0;
      const last = sequence === log.segments.at(-1)?.sequence;
      let end: SegmentEnd;
      try {
        end = await recovery.readSegment(file, path, sequence, last);
      } catch (error) {
        yield* found;
        throw error;
      }
      yield* found.filter((record) => record.offset < end.end);
      if (end.end < end.size) yield { type: "tornTail", file: path, offset: end.end, bytes: end.size - end.end };
    }
  } finally {
    await closeAll(log);
  }
}

function describe(record: LogRecord, offset: number, file: string, logId: number): DumpedRecord {
  const { type, index, term, payload } = record;
  const place = { file, offset, bytes: record.size };
  if (isEntryType(type)) return { ...place, type, index, term, data: payload };
  try {
    if (type === "hardState") return { ...place, type, term, votedFor: decodeVote(payload) };
    if (type === "snapshot") {
      return { ...place, type, meta: decodeSnapshotRef(payload.subarray(1)).meta, keepsLog: payload[0] === 1 };
    }
  } catch (error) {
    throw damaged(file, offset, `the ${type} does not read`, error);
  }
  return { ...place, type: "commit", lastIndex: index, batchNumber: parseCommit(record, logId)?.batchNumber ?? 0 };
}

/** Opens all files of the log at once, so that none is lost to a running node's compaction. */
async function openLog(fs: FileSystem, dir: string): Promise<OpenLog> {
  await listing(fs, dir);
  const identity = await readManifest(fs, dir);
  if (identity === null) {
    throw new StorageError(`${dir} is not a data folder: it has no manifest`, { disk: "unchanged" });
  }
  const logId = logIdOf(identity.incarnation);
  for (let attempt = 1;; attempt++) {
    const sequences = (await fs.readDirectory(dir)).map(segmentSequence).filter((each) => each !== undefined);
    if (sequences.length === 0) throw damaged(`${dir}/${segmentName(1)}`, 0, "the log is missing");
    const segments: { sequence: number; path: string; file: FileHandle }[] = [];
    try {
      for (const sequence of sequences.sort((a, b) => a - b)) {
        const path = `${dir}/${segmentName(sequence)}`;
        segments.push({ sequence, path, file: await fs.open(path, "read") });
      }
      return { identity, logId, segments };
    } catch (error) {
      await closeAll({ segments });
      if (errorCode(error) !== "ENOENT" || attempt === attempts) {
        throw failure(`the log in ${dir} can't be read (${errorCode(error)})`, "unchanged", error);
      }
    }
  }
}

async function closeAll(log: Pick<OpenLog, "segments">): Promise<void> {
  for (const { file } of log.segments) await file.close();
}
