/**
 * Disk failures below the storage: real nodes with the real file storage on a file
 * system that fails, on the leader and on a follower. In each case no acknowledged
 * command is lost, and none is applied twice.
 */

import assert from "node:assert/strict";
import type { Host } from "../../../lib/clock.ts";
import type { NodeId } from "../../../lib/raft/types.ts";
import { FakeFileSystem } from "../../../storage/file/fake_file_system.ts";
import type { FakeFault, FakeOperationType } from "../../../storage/file/fake_file_system.ts";
import { FileStorage } from "../../../storage/file/file_storage.ts";
import { Cluster } from "../../support/cluster.ts";
import type { TestNode } from "../../support/cluster.ts";
import { bytes } from "../../support/journal.ts";
import { seededRandom } from "../../support/virtual_host.ts";

/** A node's disk: an fsync takes a virtual millisecond, and the next operation of a kind can be made to fail. */
class Disk {
  readonly files = new FakeFileSystem();
  readonly #random: () => number;
  #next: { readonly type: FakeOperationType; readonly fault: FakeFault } | null = null;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** Makes the next operation of this type on the log fail, and no other. */
  failNext(type: FakeOperationType, fault: FakeFault): void {
    this.#next = { type, fault };
  }

  /** True once the fault has happened. */
  get failed(): boolean {
    return this.#next === null;
  }

  open(host: Host): FileStorage & { crash(): void } {
    this.files.intercept = async ({ type, path }) => {
      if (type === "sync") await new Promise<void>((resolve) => void host.clock.setTimer(1, resolve));
      if (this.#next === null || this.#next.type !== type || !path.includes("/log-")) return undefined;
      const { fault } = this.#next;
      this.#next = null;
      return fault;
    };
    const storage = new FileStorage(this.files, "/data", { segmentBytes: 16 * 1024 });
    return Object.assign(storage, { crash: () => this.files.restart("random", this.#random) });
  }
}

type FileNode = TestNode<FileStorage & { crash(): void }>;

/** Proposers that continue after errors, and remember the acknowledged commands. */
class Proposers {
  readonly acknowledged: string[] = [];
  readonly rejected: string[] = [];
  readonly #cluster: Cluster<FileStorage & { crash(): void }>;
  #stopped = false;

  constructor(cluster: Cluster<FileStorage & { crash(): void }>, count: number) {
    this.#cluster = cluster;
    for (let proposer = 0; proposer < count; proposer++) void this.#run(proposer);
  }

  stop(): void {
    this.#stopped = true;
  }

  async #run(proposer: number): Promise<void> {
    const { clock } = this.#cluster.time.host();
    for (let n = 0; !this.#stopped; n++) {
      const command = `${proposer}/${n}`;
      const leader = this.#cluster.leaderNow;
      if (leader !== undefined) {
        try {
          await leader.node.propose(bytes(command), { signal: leader.power.signal });
          this.acknowledged.push(command);
        } catch (error) {
          if ((error as { outcome?: string }).outcome === "rejected") this.rejected.push(command);
        }
      }
      await new Promise<void>((resolve) => void clock.setTimer(5, resolve));
    }
  }
}

interface Failure {
  readonly name: string;
  readonly operation: FakeOperationType;
  readonly fault: FakeFault;
  /** The effect on a leader; a follower always stops in the end. */
  readonly leader: "steps down" | "stops" | "steps down, and stops in the end";
}

const failures: readonly Failure[] = [
  {
    name: "no space",
    operation: "write",
    fault: { type: "error", code: "ENOSPC" },
    leader: "steps down",
  },
  {
    name: "a failed write",
    operation: "write",
    fault: { type: "error", code: "EIO" },
    leader: "steps down",
  },
  {
    name: "a failed fsync",
    operation: "sync",
    fault: { type: "error", code: "EIO" },
    leader: "stops",
  },
  {
    name: "a write that never returns",
    operation: "write",
    fault: { type: "hang" },
    leader: "steps down, and stops in the end",
  },
  {
    name: "an fsync that never returns",
    operation: "sync",
    fault: { type: "hang" },
    leader: "steps down, and stops in the end",
  },
];

async function scenario(
  seed: number,
  failure: Failure,
  role: "leader" | "follower",
  expect: (cluster: Cluster<FileStorage & { crash(): void }>, failing: FileNode) => Promise<void>,
): Promise<void> {
  const disks = new Map<NodeId, Disk>();
  const cluster = await Cluster.start({
    seed,
    node: { storageStallTimeoutMs: 5_000, snapshotEntries: 200, trailingEntries: 20 },
    openStorage: (id, host) => {
      if (!disks.has(id)) disks.set(id, new Disk(seed));
      return disks.get(id)!.open(host);
    },
  });
  const leader = await cluster.leader();
  const proposers = new Proposers(cluster, 8);
  await cluster.until(() => proposers.acknowledged.length > 300, "some load");

  const failing = role === "leader" ? leader : cluster.running.find(({ id }) => id !== leader.id)!;
  const disk = disks.get(failing.id)!;
  disk.failNext(failure.operation, failure.fault);
  await cluster.until(() => disk.failed, "the failure");
  await expect(cluster, failing);

  // The others continue; the one that failed loses power, and restarts.
  const before = proposers.acknowledged.length;
  await cluster.until(() => proposers.acknowledged.length > before + 100, "writes after the failure");
  await cluster.crash(failing.id);
  await cluster.restart(failing.id);
  await cluster.pass(2_000);
  proposers.stop();
  await cluster.pass(500);
  await cluster.converge();

  // Then all nodes lose power at once.
  for (const id of cluster.nodes.keys()) await cluster.crash(id);
  for (const id of cluster.nodes.keys()) await cluster.restart(id);
  await cluster.leader();
  await cluster.converge();
  const { commands } = cluster.running[0]!.machine;
  const times = new Map<string, number>();
  for (const command of commands) times.set(command, (times.get(command) ?? 0) + 1);
  for (const command of proposers.acknowledged) {
    assert.equal(
      times.get(command),
      1,
      `${command} was acknowledged, and was applied ${times.get(command) ?? 0} times`,
    );
  }
  for (const command of proposers.rejected) assert(!times.has(command), `${command} was rejected, and is there`);
  await cluster.end();
}

for (const [n, failure] of failures.entries()) {
  Deno.test(`on the leader, ${failure.name}: it ${failure.leader}, and nothing acknowledged is lost`, async () => {
    await scenario(100 + n, failure, "leader", async (cluster, { id, node }) => {
      await cluster.until(() => !node.isLeader, "the leader's giving up leadership", 2_500);
      if (failure.leader === "steps down") {
        assert.equal(node.lifecycle, "running");
        await cluster.leader();
        await cluster.until(() => node.status().storage.healthy, "writing again");
      } else {
        await cluster.until(() => node.lifecycle === "stopped", "its stop", 6_000);
        assert.equal(node.status().storage.healthy, false);
        assert.notEqual(node.status().storage.error, null);
      }
      assert.notEqual((await cluster.leader(others(cluster, id))).id, "");
    });
  });

  Deno.test(`on a follower, ${failure.name}: it stops, and nothing acknowledged is lost`, async () => {
    await scenario(200 + n, failure, "follower", async (cluster, { id, node }) => {
      const withinMs = failure.fault.type === "hang" ? 6_000 : 500;
      await cluster.until(() => node.lifecycle === "stopped", "its stop", withinMs);
      const { durableIndex, storage } = node.status();
      assert.equal(storage.healthy, false);
      await cluster.pass(1_000);
      const leader = await cluster.leader(others(cluster, id));
      const known = leader.node.status().peers.find((peer) => peer.id === id)!;
      assert(known.matchIndex <= durableIndex, "what it did not write it did not acknowledge");
    });
  });
}

function others(cluster: Cluster<FileStorage & { crash(): void }>, without: NodeId): NodeId[] {
  return cluster.running.map(({ id }) => id).filter((id) => id !== without);
}
