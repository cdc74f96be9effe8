/**
 * Storage in a folder, for servers: a write-ahead log and snapshots, on the files
 * of Deno, Node or Bun, or on any other {@linkcode FileSystem}.
 *
 * @module
 */

import type { FileStorageOptions } from "./file_storage.ts";
import { FileStorage } from "./file_storage.ts";
import type { FileSystem } from "./file_system.ts";
import { dumpFolder, verifyFolder } from "./inspect.ts";
import type { DumpedRecord, LogReport } from "./inspect.ts";
import { nodeFileSystem } from "./node_file_system.ts";

export type { Entry, EntryType, HardState, Member, Membership, NodeId, PersistBatch } from "../../lib/raft/types.ts";
export type { RestoredState, SnapshotMeta, TermStart } from "../../lib/raft/types.ts";
export type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "../../lib/storage.ts";
export { FileStorage } from "./file_storage.ts";
export type { FileStorageOptions } from "./file_storage.ts";
export type { FileHandle, FileSystem, FolderLock, OpenMode } from "./file_system.ts";
export type { DumpedRecord, LogReport, RecordPlace } from "./inspect.ts";
export { nodeFileSystem } from "./node_file_system.ts";

/**
 * Creates the storage of a node in a folder of this machine. Nothing is opened
 * before {@linkcode FileStorage.load}, which the node calls.
 *
 * @param dir the folder; created if it is missing
 * @example
 * ```ts
 * import { createFileStorage } from "./storage/file/mod.ts";
 *
 * const storage = createFileStorage("./data/n1");
 * const { lastIndex } = await storage.load();
 * console.log(`the log ends at ${lastIndex}`);
 * await storage.close();
 * ```
 */
export function createFileStorage(dir: string, options: FileStorageOptions = {}): FileStorage {
  return new FileStorage(nodeFileSystem(), dir, options);
}

/**
 * Checks a whole data folder without changing it. The node may be running.
 *
 * @param fs @default nodeFileSystem()
 * @throws {StorageError} `damaged` (names file and offset), `unsupported_version`, or `storage` if it is not a data folder
 * @example
 * ```ts
 * import { verifyLog } from "./storage/file/mod.ts";
 *
 * const { firstIndex, lastIndex, tornBytes } = await verifyLog("./data/n1");
 * console.log(`entries ${firstIndex} to ${lastIndex}; ${tornBytes} bytes cut short`);
 * ```
 */
export function verifyLog(dir: string, fs: FileSystem = nodeFileSystem()): Promise<LogReport> {
  return verifyFolder(fs, dir);
}

/**
 * Yields every record of a data folder's log, oldest first, with file and offset;
 * overwritten entries included. It changes nothing; the node may be running.
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
export function dumpLog(dir: string, fs: FileSystem = nodeFileSystem()): AsyncIterable<DumpedRecord> {
  return dumpFolder(fs, dir);
}
