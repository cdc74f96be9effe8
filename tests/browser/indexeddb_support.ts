/// <reference lib="dom" />
/** Shared by the pages of the storage in IndexedDB: places, and direct access to the database. */

import type { StorageError } from "../../lib/errors.ts";
import type { PersistBatch } from "../../lib/raft/types.ts";
import type { Storage } from "../../lib/storage.ts";
import { identity } from "../../storage/conformance_bench.ts";
import { createIndexedDbStorage } from "../../storage/indexeddb/mod.ts";
import type { IndexedDbStorage, IndexedDbStorageOptions } from "../../storage/indexeddb/mod.ts";

/** Opens a storage with an identity. */
export async function openNew(
  clusterId: string,
  options: Partial<IndexedDbStorageOptions> = {},
): Promise<IndexedDbStorage> {
  const storage = createIndexedDbStorage({ clusterId, nodeId: identity.nodeId, ...options });
  await storage.load();
  await storage.initialize(identity);
  return storage;
}

/** Opens the database of an earlier storage, without loading it. */
export function reopen(clusterId: string): IndexedDbStorage {
  return createIndexedDbStorage({ clusterId, nodeId: identity.nodeId });
}

/** Persists a batch. */
export async function persist(storage: Storage, batch: Partial<PersistBatch>): Promise<void> {
  await storage.persist({ sequence: 1, hardState: null, snapshot: null, entries: [], ...batch });
}

/** Waits for a request, or for a transaction. */
export function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Changes a database behind the storage's back. */
export async function tamper<Result>(name: string, work: (store: IDBObjectStore) => Result): Promise<Awaited<Result>> {
  const database = await done(indexedDB.open(name));
  try {
    const transaction = database.transaction("raft", "readwrite");
    const ended = new Promise((resolve) => transaction.addEventListener("complete", resolve));
    const result = await work(transaction.objectStore("raft"));
    await ended;
    return result;
  } finally {
    database.close();
  }
}

/** Returns a promise of the error that `onLost` is called with. */
export function lost(): { readonly onLost: (error: StorageError) => void; readonly errors: StorageError[] } {
  const errors: StorageError[] = [];
  return { errors, onLost: (error) => errors.push(error) };
}

/** Calls `work` with the next transaction that writes. */
export function intercept(act: (transaction: IDBTransaction) => void): void {
  const { transaction } = IDBDatabase.prototype;
  IDBDatabase.prototype.transaction = function (...options): IDBTransaction {
    const begun = transaction.apply(this, options);
    if (options[1] === "readwrite") {
      IDBDatabase.prototype.transaction = transaction;
      act(begun);
    }
    return begun;
  };
}
