import assert from "node:assert/strict";
import type { Host } from "../../lib/clock.ts";
import type { NodeId } from "../../lib/raft/types.ts";
import { FakeFileSystem } from "../../storage/file/fake_file_system.ts";
import type { FakeOperation } from "../../storage/file/fake_file_system.ts";
import { FileStorage } from "../../storage/file/file_storage.ts";
import { Cluster, rejection } from "../support/cluster.ts";

const many = (count: number, prefix: string) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** A disk that holds up some operations, and counts the snapshots beside each other. */
class Disk {
  readonly files = new FakeFileSystem();
  /** The most snapshots, finished or not, that stood beside each other. */
  most = 0;
  #held: { readonly holds: (operation: FakeOperation) => boolean; readonly until: Promise<undefined> } | null = null;
  #release: () => void = () => {};

  get snapshots(): string[] {
    return this.files.paths().filter((path) => path.includes("/snapshot-"));
  }

  /** Holds up operations until {@linkcode Disk.release}. */
  hold(holds: (operation: FakeOperation) => boolean): void {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#held = { holds, until: promise };
    this.#release = () => resolve(undefined);
  }

  release(): void {
    this.#held = null;
    this.#release();
  }

  open(host: Host): FileStorage & { crash(): void } {
    this.files.intercept = async (operation) => {
      this.most = Math.max(this.most, this.snapshots.length);
      if (operation.type === "sync") await new Promise<void>((resolve) => void host.clock.setTimer(1, resolve));
      if (this.#held?.holds(operation)) await this.#held.until;
      return undefined;
    };
    return Object.assign(new FileStorage(this.files, "/data"), { crash: () => this.files.kill() });
  }
}

async function withDisks() {
  const disks = new Map<NodeId, Disk>();
  const cluster = await Cluster.start({
    node: {
      snapshotEntries: 0,
      trailingEntries: 0,
      maxRetainedBytes: 0,
      snapshotChunkBytes: 1000,
      snapshotBytesPerSecond: 20_000,
      storageStallTimeoutMs: 600_000,
    },
    openStorage: (id, host) => {
      if (!disks.has(id)) disks.set(id, new Disk());
      return disks.get(id)!.open(host);
    },
  });
  const leader = await cluster.leader();
  const lagging = cluster.running.find(({ id }) => id !== leader.id)!;
  await cluster.propose(leader, ...many(20, "before "));
  await cluster.converge();
  await cluster.settle(lagging.node.takeSnapshot());
  return { cluster, leader, lagging, disk: disks.get(lagging.id)! };
}

Deno.test("a lagging follower has at most one snapshot beside the current one, whatever hangs and whichever node leads", async () => {
  const { cluster, lagging, disk } = await withDisks();
  // Its own snapshot waits for the log; then comes one after the other, of two leaders.
  disk.hold(({ type, path }) => type === "sync" && path.includes("/log-"));
  lagging.node.takeSnapshot().catch(() => {});
  cluster.network.isolate(lagging.id);
  const others = () => cluster.running.filter(({ id }) => id !== lagging.id);
  for (let round = 0; round < 6; round++) {
    const now = await cluster.leader(others().map(({ id }) => id));
    await cluster.propose(now, ...many(20, `${round} ${"x".repeat(500)} `));
    for (const { node } of others()) await cluster.settle(node.takeSnapshot());
    cluster.network.heal();
    // Longer than the leader sends the same snapshot without progress.
    await cluster.pass(15_000);
    if (round === 2) await cluster.settle(now.node.transferLeadership({ to: others().find((o) => o !== now)!.id }));
  }
  disk.release();
  await cluster.converge();
  assert.equal(disk.most, 2, "the current one, and one beside it");
  assert.equal(disk.snapshots.length, 1, `${disk.snapshots}`);
  await cluster.end();
});

Deno.test("a snapshot of its own ends at once when one from the leader arrives, although its write hangs", async () => {
  const { cluster, leader, lagging, disk } = await withDisks();
  await cluster.propose(leader, ...many(20, "more "));
  await cluster.converge();
  const current = disk.snapshots;
  disk.hold(({ type, path }) => type === "write" && path.endsWith(".tmp"));
  const own = rejection(cluster, lagging.node.takeSnapshot());
  await cluster.until(() => disk.snapshots.length === 2, "its own snapshot");
  const [hanging] = disk.snapshots.filter((path) => !current.includes(path));
  cluster.network.isolate(lagging.id);
  await cluster.propose(leader, ...many(50, `later ${"x".repeat(500)} `));
  await cluster.settle(leader.node.takeSnapshot());
  cluster.network.heal();
  assert.equal((await own).code, "busy");
  await cluster.until(() => !disk.snapshots.includes(hanging!), "the end of its file", 2_000);
  disk.release();
  await cluster.until(() => lagging.machine.restores === 1, "the leader's snapshot");
  await cluster.converge();
  assert.equal(disk.most, 2);
  assert.equal(disk.snapshots.length, 1);
  await cluster.end();
});

Deno.test("a node takes no snapshot of its own while one from the leader arrives, and does again if that never ends", async () => {
  const { cluster, leader, lagging, disk } = await withDisks();
  await cluster.propose(leader, "one more");
  await cluster.converge();
  cluster.network.isolate(lagging.id);
  await cluster.propose(leader, ...many(100, `later ${"x".repeat(500)} `));
  await cluster.settle(leader.node.takeSnapshot());
  cluster.network.heal();
  await cluster.until(() => disk.snapshots.length === 2, "the leader's snapshot");
  await cluster.pass(200);
  assert.equal((await rejection(cluster, lagging.node.takeSnapshot())).code, "busy");
  cluster.network.isolate(lagging.id);
  await cluster.until(() => disk.snapshots.length === 1, "the end of the transfer that is no longer sent", 13_000);
  cluster.network.heal();
  await cluster.converge();
  await cluster.settle(lagging.node.takeSnapshot());
  assert.equal(disk.most, 2);
  await cluster.end();
});

Deno.test("snapshots that were staged or being written are gone after a restart", async () => {
  const { cluster, leader, lagging, disk } = await withDisks();
  cluster.network.isolate(lagging.id);
  await cluster.propose(leader, ...many(50, `later ${"x".repeat(500)} `));
  await cluster.settle(leader.node.takeSnapshot());
  cluster.network.heal();
  await cluster.until(() => disk.snapshots.length === 2, "the leader's snapshot");
  await cluster.crash(lagging.id);
  assert.equal(disk.snapshots.length, 2);
  await cluster.restart(lagging.id);
  assert.equal(disk.snapshots.length, 1);
  await cluster.converge();
  await cluster.end();
});
