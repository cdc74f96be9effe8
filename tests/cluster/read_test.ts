import assert from "node:assert/strict";
import { Cluster, rejection } from "../support/cluster.ts";
import type { TestNode } from "../support/cluster.ts";
import { bytes, text } from "../support/journal.ts";
import type { Consistency } from "../../lib/node/types.ts";

async function read(cluster: Cluster, test: TestNode, consistency: Consistency = "linearizable"): Promise<string> {
  return text((await cluster.settle(test.node.read(bytes(""), { consistency }))).result);
}

Deno.test("§6.4: a linearizable read sees what was acknowledged before it, and many share one round", async () => {
  const cluster = await Cluster.start({ node: { heartbeatIntervalMs: 500 } });
  const leader = await cluster.leader();
  await cluster.propose(leader, "a");
  assert.equal(await read(cluster, leader), "a");
  await cluster.pass(20);
  const before = cluster.network.counts.sent;
  const reads = await cluster.settle(Promise.all(Array.from({ length: 100 }, () => leader.node.read(bytes("")))));
  assert(reads.every(({ result }) => text(result) === "a"));
  assert(cluster.network.counts.sent - before <= 4, "one message and one answer a follower");
  await cluster.end();
});

Deno.test("a follower refuses a linearizable read and names the leader, and serves a stale one", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  await cluster.propose(leader, "a");
  await cluster.converge();
  const follower = cluster.running.find(({ id }) => id !== leader.id)!;
  await assert.rejects(cluster.settle(follower.node.read(bytes(""))), (error: { code: string; leader: unknown }) => {
    assert.equal(error.code, "not_leader");
    assert.deepEqual(error.leader, { id: leader.id, address: leader.id });
    return true;
  });
  assert.equal(await read(cluster, follower, "stale"), "a");
  await cluster.end();
});

Deno.test("an old leader in a partition serves no linearizable read", async () => {
  const cluster = await Cluster.start();
  const old = await cluster.leader();
  await cluster.propose(old, "a");
  cluster.network.isolate(old.id);
  const hopeless = rejection(cluster, old.node.read(bytes("")));
  assert.deepEqual(await hopeless.then(({ code, outcome }) => [code, outcome]), ["leadership_lost", "rejected"]);
  await cluster.end();
});

for (const consistency of ["lease", "linearizable"] as const) {
  Deno.test(`a leader that was paused while another was elected serves no stale read: ${consistency}`, async () => {
    const cluster = await Cluster.start({ node: { leaseReads: true } });
    const old = await cluster.leader();
    await cluster.propose(old, "a");
    await cluster.pass(500);
    assert.equal(await read(cluster, old, consistency), "a");
    cluster.network.isolate(old.id);
    old.host.pause();
    const rest = cluster.running.map(({ id }) => id).filter((id) => id !== old.id);
    const next = await cluster.leader(rest);
    await cluster.propose(next, "b");
    assert(old.node.isLeader, "it has not learned of the new leader yet");
    old.host.resume();
    const error = await rejection(cluster, old.node.read(bytes(""), { consistency }));
    assert.deepEqual([error.code, error.outcome], ["leadership_lost", "rejected"]);
    await cluster.end();
  });
}

Deno.test("a lease read costs no message, and a lease ends without a quorum", async () => {
  const cluster = await Cluster.start({ node: { leaseReads: true, heartbeatIntervalMs: 400 } });
  const leader = await cluster.leader();
  await cluster.propose(leader, "a");
  await cluster.pass(900);
  const before = cluster.network.counts.sent;
  const served = leader.node.read(bytes(""), { consistency: "lease" });
  assert.equal(text((await cluster.settle(served, 0)).result), "a");
  assert.equal(cluster.network.counts.sent, before);
  cluster.network.isolate(leader.id);
  // The lease ends 900 ms after the last acknowledged round, while the leader still leads.
  await cluster.pass(905);
  assert(leader.node.isLeader);
  assert.equal(
    (await rejection(cluster, leader.node.read(bytes(""), { consistency: "lease" }))).code,
    "leadership_lost",
  );
  await cluster.end();
});

Deno.test("without the option a lease read costs a round", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  await cluster.pass(500);
  const before = cluster.network.counts.sent;
  await read(cluster, leader, "lease");
  assert(cluster.network.counts.sent > before);
  await cluster.end();
});

Deno.test("a leader that has sent a TimeoutNow serves no read from its lease", async () => {
  const cluster = await Cluster.start({ node: { leaseReads: true } });
  const old = await cluster.leader();
  await cluster.propose(old, "a");
  await cluster.pass(500);
  const [to, other] = cluster.running.map(({ id }) => id).filter((id) => id !== old.id);
  const transfer = rejection(cluster, old.node.transferLeadership({ to: to! }));
  for (const id of [to!, other!]) cluster.network.block(id, old.id);
  await cluster.until(() => cluster.get(to!).node.isLeader, "the successor's election", 100);
  await cluster.propose(cluster.get(to!), "b");
  assert(old.node.isLeader, "it has not learned of it, and its last round was acknowledged a moment ago");
  const error = await rejection(cluster, old.node.read(bytes(""), { consistency: "lease" }));
  assert.equal(error.code, "leadership_lost");
  await transfer;
  await cluster.end();
});

Deno.test("a jump of the wall clock ends a lease, such as sleep that a monotonic clock misses", async () => {
  const cluster = await Cluster.start({ node: { leaseReads: true } });
  const leader = await cluster.leader();
  await cluster.pass(500);
  const served = async () => {
    const before = cluster.network.counts.sent;
    await cluster.settle(leader.node.read(bytes(""), { consistency: "lease" }));
    return cluster.network.counts.sent === before;
  };
  assert(await served());
  leader.host.shiftWallMs(2_000);
  assert(!await served());
  await cluster.pass(500);
  assert(await served());
  await cluster.end();
});

Deno.test("rule 8: a new leader serves no read before an entry of its term has committed", async () => {
  const cluster = await Cluster.start({ persistMs: 50 });
  const first = await cluster.leader();
  await cluster.propose(first, "a");
  await cluster.crash(first.id);
  await cluster.until(() => cluster.leaderNow !== undefined, "another leader");
  const next = cluster.leaderNow!;
  const { term } = next.node.status();
  const { appliedIndex } = await cluster.settle(next.node.read(bytes("")));
  assert.equal(next.disk.termAt(appliedIndex), term);
  await cluster.end();
});

Deno.test("a linearizable read waits until the state machine has caught up", async () => {
  const cluster = await Cluster.start({ applyMs: 300 });
  const leader = await cluster.leader();
  await cluster.propose(leader, ...Array.from({ length: 20 }, (_, i) => `c${i}`));
  for (const id of cluster.nodes.keys()) await cluster.crash(id);
  for (const id of cluster.nodes.keys()) await cluster.restart(id);
  const next = await cluster.leader();
  assert(next.machine.commands.length < 20, "it replays its log");
  assert.equal(await read(cluster, next), "c19");
  await cluster.end();
});

Deno.test("a stale read waits for at most one slow command", async () => {
  const cluster = await Cluster.start({ voters: 1, applyMs: 100 });
  const leader = await cluster.leader();
  const proposals = Array.from({ length: 20 }, (_, i) => leader.node.propose(bytes(`c${i}`)));
  await cluster.until(() => leader.machine.commands.length === 3, "the third command");
  const startedMs = cluster.time.nowMs;
  assert.match(await read(cluster, leader, "stale"), /^c[23]$/);
  assert(cluster.time.nowMs - startedMs <= 100);
  await cluster.settle(Promise.all(proposals));
  await cluster.end();
});
