/**
 * The contracts of all adapters, each as a suite of checks that is independent of
 * test runners, for tests of your own adapters.
 *
 * @example
 * ```ts
 * import { MemoryDisk, MemoryStorage } from "./mod.ts";
 * import { storageConformance } from "./conformance.ts";
 *
 * for (const { name, run } of storageConformance(() => {
 *   const disk = new MemoryDisk();
 *   return { open: () => new MemoryStorage(disk), dispose: () => {} };
 * })) {
 *   Deno.test(name, run);
 * }
 * ```
 *
 * @module
 */

export { storageConformance } from "./storage/conformance.ts";
export type {
  Entry,
  EntryType,
  HardState,
  Identity,
  LoadedState,
  Member,
  Membership,
  NodeId,
  PersistBatch,
  RestoredState,
  SnapshotMeta,
  SnapshotReader,
  SnapshotWriter,
  Storage,
  StorageConformanceTest,
  StorageFixture,
  TermStart,
} from "./storage/conformance.ts";
export { sampleEnvelope, sampleMessages, transportConformance } from "./transport/conformance.ts";
export type { TransportConformanceTest, TransportEndpoint, TransportFixture } from "./transport/conformance.ts";
