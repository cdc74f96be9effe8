/** The conformance suites of all adapters that work in every runtime. */

import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { storageConformance, transportConformance } from "../../conformance.ts";
import { MemoryDisk, MemoryNetwork, MemoryStorage } from "../../mod.ts";
import { createFileStorage, nodeFileSystem } from "../../storage/file/mod.ts";
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
    name: "folders",
    cases: [
      {
        name: "a folder is made with those above it, at once by several; where it can't be, that is an error",
        async run() {
          const dir = await mkdtemp(join(tmpdir(), "raft-folders-"));
          try {
            const { makeDirectory } = nodeFileSystem();
            const inner = join(dir, "a", "b", "c");
            await Promise.all([makeDirectory(inner), makeDirectory(join(dir, "a", "b")), makeDirectory(inner)]);
            await makeDirectory(inner);
            assert.ok((await stat(inner)).isDirectory());
            await writeFile(join(dir, "file"), "");
            await assert.rejects(makeDirectory(join(dir, "file")), { code: "EEXIST" });
            await assert.rejects(makeDirectory(join(dir, "file", "below")), { code: "ENOTDIR" });
            // Node's own recursion never ends here.
            if (process.platform === "linux") {
              await assert.rejects(makeDirectory("/proc/nothing/n1"), { code: "ENOENT" });
            }
          } finally {
            await rm(dir, { recursive: true });
          }
        },
      },
    ],
  },
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
