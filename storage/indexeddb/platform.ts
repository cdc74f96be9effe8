/// <reference lib="dom" />
/**
 * The parts of a browser that this storage stands on, so that it also runs where
 * they are simulated.
 */

import { missing } from "./database_errors.ts";

/** Databases, locks and a time limit. */
export interface DatabasePlatform {
  /** Returns the databases of the site. @throws {StorageError} where there are none */
  databases(): IDBFactory;
  /** Returns the locks of the site. @throws {StorageError} where there are none */
  locks(): LockManager;
  /** Returns the keys from `lower` to `upper`, inclusive. */
  bound(lower: IDBValidKey, upper: IDBValidKey): IDBKeyRange;
  /** Returns a signal that aborts with a `TimeoutError` after this time. */
  timeoutSignal(ms: number): AbortSignal;
}

/** The browser's own. Some browsers and modes lack databases, and pages that are not secure lack locks, despite the types. */
export const browserPlatform: DatabasePlatform = {
  databases: () => {
    const found = (globalThis as { readonly indexedDB?: IDBFactory }).indexedDB;
    if (found === undefined) throw missing("IndexedDB", "where a node is stored");
    return found;
  },
  locks: () => {
    const found = (navigator as { readonly locks?: LockManager }).locks;
    if (found === undefined) throw missing("Web Locks", "which keep two tabs from writing to one log");
    return found;
  },
  bound: (lower, upper) => IDBKeyRange.bound(lower, upper),
  timeoutSignal: (ms) => AbortSignal.timeout(ms),
};
