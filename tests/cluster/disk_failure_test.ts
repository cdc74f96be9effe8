import assert from "node:assert/strict";
import { StorageError } from "../../lib/errors.ts";
import { Cluster, rejection } from "../support/cluster.ts";
import { bytes } from "../support/journal.ts";

Deno.test("a leader whose disk is unchanged after a failed write steps down, and continues as a follower", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  await cluster.propose(leader, "a");
  const told: string[] = [];
  leader.node.addEventListener("storageError", ({ detail }) => told.push(detail.consequence));
  leader.storage.failNextPersist("unchanged");
  const error = await rejection(cluster, leader.node.propose(bytes("b")));
  assert.deepEqual([error.code, error.outcome], ["storage", "unknown"], "it was sent while it was written");
  assert.equal(leader.node.lifecycle, "running");
  assert(!leader.node.isLeader);
  const next = await cluster.leader();
  await cluster.propose(next, "c");
  await cluster.converge();
  assert.deepEqual(told, ["steppedDown"]);
  assert(leader.node.status().storage.healthy, "a write has succeeded since");
  await cluster.end();
});

Deno.test("a proposal that was never sent and not written is rejected when the disk fails", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const leader = await cluster.leader();
  leader.storage.failNextPersist("unchanged");
  const error = await rejection(cluster, leader.node.propose(bytes("a")));
  assert.deepEqual([error.code, error.outcome], ["storage", "rejected"]);
  await cluster.propose(await cluster.leader(), "b");
  assert.deepEqual(leader.machine.commands, ["b"]);
  await cluster.end();
});

Deno.test("a leader whose disk is in doubt gives up leadership and stops", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  let stopped = "";
  leader.node.addEventListener("stopped", ({ detail }) => stopped = detail.error.message);
  leader.storage.failNextPersist("in_doubt");
  const error = await rejection(cluster, leader.node.propose(bytes("a")));
  assert.deepEqual([error.code, error.outcome], ["stopped", "unknown"]);
  const { lifecycle, role, storage } = leader.node.status();
  assert.deepEqual([lifecycle, role, storage.healthy], ["stopped", "follower", false]);
  assert.match(storage.error!, /injected write failure/);
  assert.equal((await rejection(cluster, leader.node.propose(bytes("b")))).code, "stopped");
  await cluster.leader();
  await cluster.pass(100);
  assert.match(stopped, /injected write failure/);
  await cluster.end();
});

for (const disk of ["unchanged", "in_doubt"] as const) {
  Deno.test(`a follower that can't write stops, and neither votes nor acknowledges: ${disk}`, async () => {
    const cluster = await Cluster.start();
    const leader = await cluster.leader();
    const [failing, other] = cluster.running.filter(({ id }) => id !== leader.id);
    failing!.storage.failNextPersist(disk);
    await cluster.propose(leader, "a");
    await cluster.until(() => failing!.node.lifecycle === "stopped", "the follower's stop");
    const { durableIndex } = failing!.node.status();
    await cluster.crash(other!.id);
    const hopeless = leader.node.propose(bytes("b"), { signal: leader.power.signal });
    hopeless.catch(() => {});
    await cluster.pass(10_000);
    assert(!leader.node.isLeader, "no node acknowledges");
    assert(durableIndex < leader.node.status().lastIndex);
    await cluster.end();
  });
}

Deno.test("a node that can't write its vote stops", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const followers = cluster.running.filter(({ id }) => id !== leader.id);
  for (const { storage } of followers) storage.failNextPersist("unchanged");
  await cluster.crash(leader.id);
  await cluster.until(() => followers.some(({ node }) => node.lifecycle === "stopped"), "the candidate's stop");
  await cluster.pass(10_000);
  for (const { disk } of followers) assert.equal(disk.hardState.term, leader.node.status().term);
  await cluster.end();
});

Deno.test("rule 9: a write that never returns deposes the leader within two election timeouts, and finally stops it", async () => {
  const cluster = await Cluster.start({ node: { storageStallTimeoutMs: 5_000 } });
  const leader = await cluster.leader();
  leader.storage.hang();
  const error = rejection(cluster, leader.node.propose(bytes("a")));
  await cluster.until(() => !leader.node.isLeader, "the leader's stepping down", 2_000);
  assert.deepEqual([(await error).code, (await error).outcome], ["storage", "unknown"]);
  const next = await cluster.leader(cluster.running.map(({ id }) => id).filter((id) => id !== leader.id));
  await cluster.propose(next, "b");
  assert.equal(leader.node.lifecycle, "running");
  await cluster.until(() => leader.node.lifecycle === "stopped", "the stop", 6_000);
  await cluster.end();
});

Deno.test("a leader whose stalled write returns after all becomes an ordinary follower", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  leader.storage.hang();
  const lost = rejection(cluster, leader.node.propose(bytes("a")));
  await cluster.until(() => !leader.node.isLeader, "the leader's stepping down");
  await lost;
  const next = await cluster.leader(cluster.running.map(({ id }) => id).filter((id) => id !== leader.id));
  await cluster.propose(next, "b");
  leader.storage.resume();
  await cluster.converge();
  assert(leader.node.status().storage.healthy);
  await cluster.end();
});

Deno.test("a follower whose write hangs acknowledges nothing new, and stops after the stall timeout", async () => {
  const cluster = await Cluster.start({ node: { storageStallTimeoutMs: 3_000 } });
  const leader = await cluster.leader();
  const follower = cluster.running.find(({ id }) => id !== leader.id)!;
  follower.storage.hang();
  await cluster.propose(leader, "a");
  await cluster.pass(1_000);
  const { peers, lastIndex } = leader.node.status();
  assert(peers.find(({ id }) => id === follower.id)!.matchIndex < lastIndex);
  assert(peers.find(({ id }) => id === follower.id)!.lastContactMs! < 500, "the leader hears it all the same");
  assert(follower.node.diagnostics().pendingWriteMs > 500);
  assert.equal(leader.node.diagnostics().pendingWriteMs, 0);
  assert.equal(follower.node.lifecycle, "running");
  await cluster.until(() => follower.node.lifecycle === "stopped", "the stop", 3_000);
  assert(leader.node.isLeader);
  await cluster.end();
});

Deno.test("a state machine that throws stops its node", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const leader = await cluster.leader();
  const error = await rejection(cluster, leader.node.propose(bytes("boom")));
  assert.deepEqual([error.code, error.outcome], ["stopped", "unknown"]);
  assert.equal(leader.node.lifecycle, "stopped");
  await cluster.end();
});

Deno.test("a snapshot that can't be written is taken again, and stops no node", async () => {
  const cluster = await Cluster.start({ voters: 1, node: { snapshotEntries: 10 } });
  const leader = await cluster.leader();
  const create = leader.storage.createSnapshot.bind(leader.storage);
  let failures = 2;
  leader.storage.createSnapshot = () => failures-- > 0 ? Promise.reject(new Error("no space")) : create();
  await cluster.propose(leader, ...Array.from({ length: 20 }, (_, i) => `c${i}`));
  await cluster.until(() => leader.node.status().snapshotIndex > 0, "a snapshot");
  assert.equal(leader.node.lifecycle, "running");
  assert(failures < 0);
  await cluster.end();
});

/** Starts a cluster in which a follower is cut off, and the entries that it lacks are compacted away. */
async function needingSnapshot() {
  const cluster = await Cluster.start({ node: { snapshotEntries: 0, trailingEntries: 0 } });
  const leader = await cluster.leader();
  const away = cluster.running.find(({ id }) => id !== leader.id)!;
  cluster.network.isolate(away.id);
  await cluster.propose(leader, "a", "b", "c");
  await cluster.settle(leader.node.takeSnapshot());
  return { cluster, leader, away };
}

Deno.test("a follower whose disk is in doubt after a failed snapshot stops, although no write to the log failed", async () => {
  const { cluster, away } = await needingSnapshot();
  const { storage } = away;
  const createSnapshot = storage.createSnapshot.bind(storage);
  storage.createSnapshot = async () => {
    const writer = await createSnapshot();
    writer.stage = () => Promise.reject(new StorageError("a sync failed", { disk: "in_doubt" }));
    return writer;
  };
  cluster.network.heal();
  await cluster.until(() => away.node.lifecycle === "stopped", "the follower's stop");
  await cluster.end();
});

Deno.test("a snapshot that can't be read is read again after a while, not in a loop", async () => {
  const { cluster, leader } = await needingSnapshot();
  let reads = 0;
  const { storage } = leader;
  const openSnapshot = storage.openSnapshot.bind(storage);
  storage.openSnapshot = () => {
    reads++;
    return Promise.reject(new StorageError("a read failed", { disk: "unchanged" }));
  };
  cluster.network.heal();
  await cluster.pass(10_000);
  assert(reads >= 2 && reads <= 12, `${reads} in ten seconds`);
  storage.openSnapshot = openSnapshot;
  await cluster.converge();
  await cluster.end();
});
