/**
 * Inspection of a data folder without changing it. The node may be stopped or
 * running: nothing is locked.
 */

import { StorageError } from "../../lib/errors.ts";
import { problemOfRestored } from "../../lib/raft/restored_check.ts";
import { termTrouble } from "../../lib/raft/term_limit.ts";
import type { EntryType, HardState, SnapshotMeta } from "../../lib/raft/types.ts";
import type { Identity, SnapshotReader } from "../../lib/storage.ts";
import { failure } from "../log_rules.ts";
import type { SnapshotRef } from "../snapshot_writer.ts";
import { damaged } from "./file_errors.ts";
import type { FileHandle, FileSystem } from "./file_system.ts";
import { errorCode } from "./file_system.ts";
import { Folder } from "./folder.ts";
import { readManifest } from "./manifest.ts";
import { nodeFileSystem } from "./node_file_system.ts";
import type { LogRecord } from "./record.ts";
import { isEntryType, parseCommit } from "./record.ts";
import { LogRecovery } from "./recovery.ts";
import { decodeInForce, decodeVote, logIdOf, segmentName } from "./segment.ts";
import { sequencesIn } from "./segment_files.ts";
import { headerBytes, isSnapshotName, SnapshotFiles, snapshotName } from "./snapshot_files.ts";

const attempts = 5;

/** The result of {@linkcode verifyLog}; sizes in bytes. */
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
  /** The reason why a node with this folder can't take part in elections, or not with others; `null` if there is none. */
  readonly termTrouble: string | null;
  /** The snapshot in force, whose bytes were checked too. */
  readonly snapshot: SnapshotMeta | null;
  /** Files of snapshots that the log does not name: one being written, or what a crash left. The next start deletes them. */
  readonly otherSnapshots: readonly string[];
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

/** One record of the log, as {@linkcode dumpLog} yields it. */
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

/** Reads a snapshot's bytes as its state machine does. Throws if it can't. */
export type ReadContent = (chunks: AsyncIterable<Uint8Array>) => Promise<void>;

/** A file of the log, opened for reading. */
interface OpenSegment {
  readonly path: string;
  readonly file: FileHandle;
  readonly sequence: number;
  readonly isLast: boolean;
}

/**
 * Checks a whole data folder without changing it. The node may be running.
 *
 * @param fs @default nodeFileSystem()
 * @param readContent reads the snapshot as the state machine's `restore` does; without it only its checksum is checked
 * @throws {StorageError} `damaged` (names file and offset), `unsupported_version`, or `storage` if it is not a data folder
 * @example
 * ```ts
 * import { verifyLog } from "./storage/file/mod.ts";
 *
 * const { firstIndex, lastIndex, tornBytes } = await verifyLog("./data/n1");
 * console.log(`entries ${firstIndex} to ${lastIndex}; ${tornBytes} bytes cut short`);
 * ```
 */
export async function verifyLog(
  dir: string,
  fs: FileSystem = nodeFileSystem(),
  readContent?: ReadContent,
): Promise<LogReport> {
  const folder = new Folder(fs, dir);
  for (let attempt = 1;; attempt++) {
    const before = await listing(folder);
    try {
      return await verifyOnce(folder, readContent);
    } catch (error) {
      // If a running node has replaced a snapshot or deleted the log's beginning, read again.
      if (attempt === attempts || await listing(folder) === before) throw error;
    }
  }
}

async function listing({ fs, dir }: Folder): Promise<string> {
  try {
    return (await fs.readDirectory(dir)).sort().join("/");
  } catch (error) {
    throw failure(`${dir} can't be read (${errorCode(error)})`, "unchanged", error);
  }
}

async function verifyOnce(folder: Folder, readContent?: ReadContent): Promise<LogReport> {
  const { identity, segments } = await openLog(folder);
  try {
    const recovery = new LogRecovery(logIdOf(identity.incarnation));
    let bytes = 0;
    let tornBytes = 0;
    for (const { file, path, sequence, isLast } of segments) {
      const { end, size } = await recovery.readSegment(file, path, sequence, isLast);
      bytes += size;
      tornBytes += size - end;
    }
    recovery.checkComplete(segments[0]!.path);
    const { state, records, batches } = recovery;
    const { hardState, snapshot, lastIndex, index: { termStarts } } = state;
    const memberships = recovery.memberships.filter(({ index }) => index > (snapshot?.index ?? 0));
    const restored = { hardState, snapshot, lastIndex, termStarts, memberships };
    const problem = problemOfRestored(restored);
    if (problem !== null) {
      throw damaged(segments[0]!.path, 0, `the log has a state that no node leaves there: ${problem}`);
    }
    if (state.snapshotRef !== null) await verifySnapshot(folder, state.snapshotRef, readContent);
    return {
      identity,
      segments: segments.length,
      bytes,
      records,
      batches,
      firstIndex: state.index.first,
      lastIndex,
      hardState,
      termTrouble: termTrouble(restored),
      snapshot,
      otherSnapshots: await otherSnapshots(folder, state.snapshotRef),
      tornBytes,
    };
  } finally {
    await closeAll(segments);
  }
}

async function otherSnapshots({ fs, dir }: Folder, inForce: SnapshotRef | null): Promise<string[]> {
  const known = inForce === null ? "" : snapshotName(inForce.number);
  return (await fs.readDirectory(dir)).filter((name) => isSnapshotName(name) && name !== known).sort();
}

/** Reads a snapshot from beginning to end, which checks its checksum, and then its content. */
async function verifySnapshot(folder: Folder, ref: SnapshotRef, readContent?: ReadContent): Promise<void> {
  const reader = await new SnapshotFiles(folder, 0).open(ref);
  try {
    for await (const _ of bytesOf(reader));
    if (readContent !== undefined) await readContent(bytesOf(reader));
  } catch (error) {
    if (error instanceof StorageError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const path = folder.pathOf(snapshotName(ref.number));
    throw damaged(path, headerBytes, `the state machine can't read the snapshot: ${reason}`, error);
  } finally {
    await reader.close();
  }
}

async function* bytesOf(reader: SnapshotReader): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < reader.meta.size;) {
    const chunk = await reader.read(at, 1024 * 1024);
    at += chunk.length;
    yield chunk;
  }
}

/**
 * Yields every record of a data folder's log, oldest first, with file and offset;
 * overwritten entries included. It changes nothing; the node may be running. It
 * holds one file of the log in memory at a time.
 *
 * @param fs @default nodeFileSystem()
 * @throws {StorageError} as {@linkcode verifyLog}, after the records that stand before the damage
 * @example
 * ```ts
 * import { dumpLog } from "./storage/file/mod.ts";
 *
 * for await (const record of dumpLog("./data/n1")) console.log(record.file, record.offset, record.type);
 * ```
 */
export async function* dumpLog(dir: string, fs: FileSystem = nodeFileSystem()): AsyncIterable<DumpedRecord> {
  const { identity, segments } = await openLog(new Folder(fs, dir));
  try {
    const logId = logIdOf(identity.incarnation);
    let found: DumpedRecord[] = [];
    let next = 0;
    const recovery = new LogRecovery(logId, (record, offset, path) => {
      // A tail that a running node has completed meanwhile is read twice.
      if (offset < next) return;
      next = offset + record.size;
      found.push(describe(record, offset, path, logId));
    });
    for (const { file, path, sequence, isLast } of segments) {
      found = [];
      next = 0;
      let end = Infinity;
      let size = 0;
      try {
        ({ end, size } = await recovery.readSegment(file, path, sequence, isLast));
      } finally {
        // Also the records before the damage.
        yield* found.filter((record) => record.offset < end);
      }
      if (end < size) yield { type: "tornTail", file: path, offset: end, bytes: size - end };
    }
  } finally {
    await closeAll(segments);
  }
}

/** Describes a record that the recovery has accepted. */
function describe(record: LogRecord, offset: number, file: string, logId: number): DumpedRecord {
  const { type, index, term, payload } = record;
  const place = { file, offset, bytes: record.size };
  if (isEntryType(type)) return { ...place, type, index, term, data: payload };
  if (type === "hardState") return { ...place, type, term, votedFor: decodeVote(payload) };
  if (type === "snapshot") {
    const { meta, keepsLog } = decodeInForce(payload);
    return { ...place, type, meta, keepsLog };
  }
  return { ...place, type: "commit", lastIndex: index, batchNumber: parseCommit(record, logId)!.batchNumber };
}

/** Opens all files of the log at once, so that none is lost to a running node's compaction. */
async function openLog(folder: Folder): Promise<{ identity: Identity; segments: OpenSegment[] }> {
  await listing(folder);
  const identity = await readManifest(folder);
  const { fs, dir } = folder;
  if (identity === null) {
    throw new StorageError(`${dir} is not a data folder: it has no manifest`, { disk: "unchanged" });
  }
  for (let attempt = 1;; attempt++) {
    const sequences = sequencesIn(folder, await fs.readDirectory(dir));
    const segments: OpenSegment[] = [];
    try {
      for (const sequence of sequences) {
        const path = folder.pathOf(segmentName(sequence));
        segments.push({ path, file: await fs.open(path, "read"), sequence, isLast: sequence === sequences.at(-1) });
      }
      return { identity, segments };
    } catch (error) {
      await closeAll(segments);
      if (errorCode(error) !== "ENOENT" || attempt === attempts) {
        throw failure(`the log in ${dir} can't be read (${errorCode(error)})`, "unchanged", error);
      }
    }
  }
}

async function closeAll(segments: readonly OpenSegment[]): Promise<void> {
  for (const { file } of segments) await file.close();
}
