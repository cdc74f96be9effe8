/**
 * Storage in a folder, for servers: a write-ahead log and snapshots, on the files
 * of Deno, Node or Bun, or on any other {@linkcode FileSystem}.
 *
 * @module
 */

import type { FileStorageOptions } from "./file_storage.ts";
import { FileStorage } from "./file_storage.ts";
import { nodeFileSystem } from "./node_file_system.ts";

export { FileStorage } from "./file_storage.ts";
export type { FileStorageOptions } from "./file_storage.ts";
export type { FileHandle, FileSystem, FolderLock, OpenMode } from "./file_system.ts";
export { nodeFileSystem } from "./node_file_system.ts";

/**
 * The storage of a node in a folder of this machine. Nothing is opened before
 * {@linkcode FileStorage.load}, which the node calls.
 *
 * @param dir the folder; made if it is missing
 * @example
 * ```ts
 * const storage = openFileStorage("./data/n1");
 * const { lastIndex } = await storage.load();
 * console.log(`the log ends at ${lastIndex}`);
 * await storage.close();
 * ```
 */
export function openFileStorage(dir: string, options: FileStorageOptions = {}): FileStorage {
  return new FileStorage(nodeFileSystem(), dir, options);
}
