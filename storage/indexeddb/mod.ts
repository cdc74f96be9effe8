/// <reference lib="dom" />
/**
 * Storage in IndexedDB, for nodes in a browser: in a page, or in a dedicated
 * worker, which is the better place.
 *
 * @module
 */

import { deleteDatabase } from "./database.ts";
import { locked } from "./database_errors.ts";
import { IndexedDbStorage } from "./indexeddb_storage.ts";
import type { IndexedDbPlace, IndexedDbStorageOptions } from "./indexeddb_storage.ts";
import { placeName } from "./keys.ts";
import { browserPlatform } from "./platform.ts";
import { takeLock } from "./web_lock.ts";

export type { Entry, EntryType, HardState, Member, Membership, NodeId, PersistBatch } from "../../lib/raft/types.ts";
export type { RestoredState, SnapshotMeta, TermStart } from "../../lib/raft/types.ts";
export type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "../../lib/storage.ts";
export { IndexedDbStorage } from "./indexeddb_storage.ts";
export type { IndexedDbPlace, IndexedDbStorageOptions } from "./indexeddb_storage.ts";
export type { DatabasePlatform } from "./platform.ts";

/**
 * Creates the storage of a node in this browser, for this site. Nothing is opened
 * before {@linkcode IndexedDbStorage.load}, which the node calls.
 *
 * `load` rejects with `locked` while another tab or worker has the same node
 * open, and with `storage` where there are no Web Locks: on pages that are not
 * secure.
 *
 * @example
 * ```ts
 * import { createIndexedDbStorage } from "./storage/indexeddb/mod.ts";
 *
 * const storage = createIndexedDbStorage({ clusterId: "demo", nodeId: "n1" });
 * const { lastIndex } = await storage.load();
 * console.log(`the log ends at ${lastIndex}`);
 * await storage.close();
 * ```
 */
export function createIndexedDbStorage(options: IndexedDbStorageOptions): IndexedDbStorage {
  return new IndexedDbStorage(options);
}

/**
 * Deletes all data of a node. A node that starts in its place is a new one: remove
 * the old one from the cluster.
 *
 * @throws {StorageError} `locked` while the node runs: close it first
 */
export async function deleteIndexedDb(place: IndexedDbPlace): Promise<void> {
  const name = placeName(place.clusterId, place.nodeId);
  const release = await takeLock(browserPlatform, name, place.lockWaitMs ?? 0, () => {});
  if (release === null) throw locked(name);
  try {
    await deleteDatabase(browserPlatform, name);
  } finally {
    await release();
  }
}

/**
 * Asks the browser not to evict this site's data when space runs out. Only pages can
 * ask, workers can't. Ask when the user has just chosen to keep a node here; some
 * browsers show them a prompt.
 *
 * @returns true if the data are safe from eviction now; the user can still delete them
 */
export async function requestPersistence(): Promise<boolean> {
  const { storage } = navigator as { readonly storage?: Partial<StorageManager> };
  return await storage?.persist?.() ?? false;
}
