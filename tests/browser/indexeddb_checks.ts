/** The checks of a storage in IndexedDB, for pages and workers. */

import { storageConformance } from "../../conformance.ts";
import type { StorageConformanceTest } from "../../conformance.ts";
import { createIndexedDbStorage, deleteIndexedDb } from "../../storage/indexeddb/mod.ts";

let places = 0;

/** Returns the suite; each check has a database of its own. For crashes see indexeddb_crash_test.ts. */
export const checks: readonly StorageConformanceTest[] = storageConformance(() => {
  const place = { clusterId: `check:${++places}`, nodeId: "n1" };
  // A check that leaves a storage open fails here, instead of waiting for it.
  return { open: () => createIndexedDbStorage(place), dispose: () => deleteIndexedDb(place) };
});
