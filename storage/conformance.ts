/**
 * The contract of every {@linkcode Storage}, as a list of checks for any test runner.
 *
 * @module
 */

import { Bench } from "./conformance_bench.ts";
import type { StorageFixture } from "./conformance_bench.ts";
import { identityChecks, logChecks } from "./conformance_log.ts";
import { snapshotChecks } from "./conformance_snapshots.ts";

export type { Entry, EntryType, HardState, Member, Membership, NodeId, PersistBatch } from "../lib/raft/types.ts";
export type { RestoredState, SnapshotMeta, TermStart } from "../lib/raft/types.ts";
export type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "../lib/storage.ts";
export type { StorageFixture } from "./conformance_bench.ts";

/** One check of the suite. */
export interface StorageConformanceTest {
  /** The rule that it checks, as a sentence. */
  readonly name: string;
  /** Rejects if the storage breaks the contract. */
  run(): Promise<void>;
}

/**
 * Returns the checks, to be run on storages that `fixture` makes. Each check asks for a new, empty place.
 *
 * @example
 * ```ts
 * import { storageConformance, type StorageFixture } from "./conformance.ts";
 *
 * declare function myFixture(): StorageFixture;
 * for (const { name, run } of storageConformance(myFixture)) Deno.test(name, run);
 * ```
 */
export function storageConformance(
  fixture: () => Promise<StorageFixture> | StorageFixture,
): readonly StorageConformanceTest[] {
  const afterStart = { ...logChecks, ...snapshotChecks };
  return Object.entries({ ...identityChecks, ...afterStart }).map(([name, check]) => ({
    name,
    run: async () => {
      const place = await fixture();
      const bench = new Bench(place);
      try {
        if (name in afterStart) await bench.start();
        await check(bench);
      } finally {
        await bench.end();
        await place.dispose();
      }
    },
  }));
}
