/** The conformance suites of all adapters that work in every runtime. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storageConformance, transportConformance } from "../../conformance.ts";
import { MemoryDisk, MemoryNetwork, MemoryStorage } from "../../mod.ts";
import { createFileStorage } from "../../storage/file/mod.ts";
import { tabChecks } from "../support/tab_checks.ts";
import { broadcastMesh, tabFixture } from "../support/tab_transports.ts";
import { memoryTransportFixture } from "../support/memory_transport.ts";
import { connectFixture } from "../unit/transport/connect/connect_fixture.ts";
import { RELAY_ENDS, relayFixture } from "../unit/transport/relay/relay_fixture.ts";
import type { Suite } from "./portable.ts";

/** The suites. */
export const adapterSuites: readonly Suite[] = [
  {
    name: "storage in memory",
    cases: storageConformance(() => {
      const disk = new MemoryDisk();
      return {
        open: () => new MemoryStorage(disk),
        crash: (storage) => (storage as MemoryStorage).crash(),
        dispose: () => {},
      };
    }),
  },
  ...[64 * 1024 * 1024, 200].map((segmentBytes): Suite => ({
    name: `storage in files, segments of ${segmentBytes} bytes`,
    cases: storageConformance(async () => {
      const dir = await mkdtemp(join(tmpdir(), "raft-storage-"));
      return {
        open: () => createFileStorage(join(dir, "data"), { segmentBytes }),
        dispose: () => rm(dir, { recursive: true }),
      };
    }),
  })),
  {
    name: "transport in memory",
    cases: transportConformance(() => memoryTransportFixture(new MemoryNetwork())),
  },
  { name: "transport over Connect", cases: transportConformance(() => connectFixture()) },
  ...RELAY_ENDS.map(([first, second]): Suite => ({
    name: `transport over the relay (${first} to ${second})`,
    cases: transportConformance(() => relayFixture(first, second)),
  })),
  {
    name: "transport over a BroadcastChannel",
    cases: [...transportConformance(() => tabFixture(broadcastMesh())), ...tabChecks(broadcastMesh)],
  },
];
