import assert from "node:assert/strict";
import type { RaftNodeOptions } from "../../lib/node/types.ts";
import { Cluster } from "../support/cluster.ts";
import type { TestNode } from "../support/cluster.ts";

/** The bytes that an entry with one byte of data counts as. */
const SMALL_BYTES = 33;

const small = (count: number) => Array.from({ length: count }, () => "y");

/** Records the sizes of the snapshots that a node takes. */
function sizesTaken({ node }: TestNode): number[] {
  const sizes: number[] = [];
  node.addEventListener("snapshot", ({ detail }) => {
    if (detail.reason === "taken") sizes.push(detail.size);
  });
  return sizes;
}

/** Starts one node with a snapshot of about 100 KB, after which nothing was written. */
async function withState(node: Partial<RaftNodeOptions> = {}) {
  const cluster = await Cluster.start({
    voters: 1,
    node: { snapshotEntries: 0, snapshotRatio: 1, trailingEntries: 0, ...node },
  });
  const leader = await cluster.leader();
  for (let i = 0; i < 10; i++) await cluster.propose(leader, ...Array.from({ length: 10 }, () => "x".repeat(1000)));
  const { size } = await cluster.settle(leader.node.takeSnapshot());
  assert(size > 100_000);
  return { cluster, leader, size };
}

/** Writes small entries, and lets a snapshot end that they call for. */
async function write(cluster: Cluster, node: TestNode, entries: number): Promise<void> {
  await cluster.propose(node, ...small(entries));
  await cluster.pass(500);
}

Deno.test("snapshots follow the size of the log: all but the newest together are no larger than the log", async () => {
  const { cluster, leader, size } = await withState({ snapshotEntries: 50 });
  const taken = sizesTaken(leader);
  let written = 0;
  while (taken.length < 3) {
    await cluster.propose(leader, ...small(100));
    written += 100 * SMALL_BYTES;
    const before = [size, ...taken].slice(0, -1).reduce((sum, each) => sum + each, 0);
    assert(before <= written, `snapshots of ${before} bytes for ${written} bytes of log`);
    assert(written < 1_000_000, "the log stays within the size of a snapshot");
  }
  await cluster.end();
});

Deno.test("`snapshotEntries` and `snapshotBytes` are the least log, also for a small state", async () => {
  for (const node of [{ snapshotEntries: 500 }, { snapshotEntries: 0, snapshotBytes: 500 * SMALL_BYTES }]) {
    const cluster = await Cluster.start({ voters: 1, node: { snapshotRatio: 1, ...node } });
    const leader = await cluster.leader();
    const taken = sizesTaken(leader);
    await write(cluster, leader, 400);
    assert.equal(taken.length, 0);
    await write(cluster, leader, 200);
    assert.equal(taken.length, 1);
    await cluster.end();
  }
});

Deno.test("`maxLogBytes` bounds the log that a node reads at its start, whatever the size of the snapshot", async () => {
  const { cluster, leader } = await withState({ snapshotEntries: 50, maxLogBytes: 20_000 });
  const taken = sizesTaken(leader);
  await write(cluster, leader, 500);
  assert.equal(taken.length, 0);
  await write(cluster, leader, 200);
  assert.equal(taken.length, 1);
  await cluster.end();
});

Deno.test("without `snapshotEntries` and `snapshotBytes` no snapshot is taken", async () => {
  const { cluster, leader } = await withState({ snapshotBytes: 0, maxLogBytes: 10_000 });
  const taken = sizesTaken(leader);
  await write(cluster, leader, 5000);
  assert.equal(taken.length, 0);
  await cluster.end();
});

Deno.test("after a restart the sizes of log and snapshot are those of the disk", async () => {
  const { cluster, leader, size } = await withState({ snapshotEntries: 50 });
  const entries = Math.floor(size / SMALL_BYTES);
  await cluster.propose(leader, ...small(Math.floor(entries * 0.6)));
  await cluster.crash(leader.id);
  const back = await cluster.restart(leader.id);
  await cluster.leader();
  const taken = sizesTaken(back);
  await write(cluster, back, Math.floor(entries * 0.2));
  assert.equal(taken.length, 0, "80 % of the snapshot");
  await write(cluster, back, Math.floor(entries * 0.3));
  assert.equal(taken.length, 1, "110 % of the snapshot");
  await cluster.end();
});

Deno.test("a snapshot on demand, and one from the leader, begin the log anew", async () => {
  const cluster = await Cluster.start({
    node: { snapshotEntries: 50, snapshotRatio: 1, trailingEntries: 0, maxRetainedBytes: 0 },
  });
  const leader = await cluster.leader();
  const away = cluster.running.find(({ id }) => id !== leader.id)!;
  await cluster.propose(leader, ...small(40));
  await cluster.converge();
  cluster.network.isolate(away.id);
  for (let i = 0; i < 10; i++) await cluster.propose(leader, ...Array.from({ length: 10 }, () => "x".repeat(1000)));
  const { size } = await cluster.settle(leader.node.takeSnapshot());
  cluster.network.heal();
  await cluster.converge();
  assert.equal(away.machine.restores, 1);
  const taken = [leader, away].map(sizesTaken);
  const entries = Math.floor(size / SMALL_BYTES);
  for (let i = 0; i < 9; i++) await write(cluster, leader, Math.floor(entries / 10));
  assert.deepEqual(taken.map((sizes) => sizes.length), [0, 0], "90 % of the snapshot");
  for (let i = 0; i < 2; i++) await write(cluster, leader, Math.floor(entries / 10));
  assert.deepEqual(taken.map((sizes) => sizes.length), [1, 1], "110 % of the snapshot");
  await cluster.end();
});

Deno.test("a snapshot that can't be written is tried again after pauses that double", async () => {
  const cluster = await Cluster.start({ voters: 1, node: { snapshotEntries: 10 } });
  const leader = await cluster.leader();
  const attempts: number[] = [];
  leader.storage.createSnapshot = () => {
    attempts.push(cluster.time.nowMs);
    return Promise.reject(new Error("no space"));
  };
  await cluster.propose(leader, ...small(20));
  await cluster.pass(40_000);
  const pauses = attempts.slice(1).map((ms, i) => Math.floor((ms - attempts[i]!) / 1000));
  assert.deepEqual(pauses, [1, 2, 4, 8, 16]);
  await cluster.end();
});
