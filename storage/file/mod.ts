/**
 * Storage in a folder, for servers: a write-ahead log and snapshots, on the files
 * of Deno, Node or Bun, or on any other {@linkcode FileSystem}.
 *
 * @module
 */

import type { FileStorageOptions } from "./file_storage.ts";
import { FileStorage } from "./file_storage.ts";
import { nodeFileSystem } from "./node_file_system.ts";

export type { Entry, EntryType, HardState, Member, Membership, NodeId, PersistBatch } from "../../lib/raft/types.ts";
export type { RestoredState, SnapshotMeta, TermStart } from "../../lib/raft/types.ts";
export type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "../../lib/storage.ts";
export { FileStorage } from "./file_storage.ts";
export type { FileStorageOptions } from "./file_storage.ts";
export type { FileHandle, FileSystem, FolderLock, OpenMode } from "./file_system.ts";
export { dumpLog, verifyLog } from "./inspect.ts";
export type { DumpedRecord, LogReport, ReadContent, RecordPlace } from "./inspect.ts";
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
