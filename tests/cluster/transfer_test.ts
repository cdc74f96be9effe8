import assert from "node:assert/strict";
import { Cluster, member, rejection } from "../support/cluster.ts";
import { bytes } from "../support/journal.ts";

Deno.test("§3.10: leadership is handed to the named voter at once", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const to = cluster.running.find(({ id }) => id !== leader.id)!.id;
  const startedMs = cluster.time.nowMs;
  assert.equal(await cluster.settle(leader.node.transferLeadership({ to })), to);
  assert(cluster.time.nowMs - startedMs < 200, "without waiting for an election timeout");
  assert.equal((await cluster.leader()).id, to);
  await cluster.end();
});

Deno.test("proposals under way when leadership is handed over are answered", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const proposals = ["a", "b", "c"].map((command) => leader.node.propose(bytes(command)));
  await cluster.pass(0);
  const transfer = leader.node.transferLeadership();
  const refused = await rejection(cluster, leader.node.propose(bytes("d")));
  assert.deepEqual([refused.code, refused.outcome], ["not_ready", "rejected"]);
  await cluster.settle(transfer);
  assert.equal((await cluster.settle(Promise.all(proposals))).length, 3);
  await cluster.converge();
  assert.deepEqual(leader.machine.commands, ["a", "b", "c"]);
  await cluster.end();
});

Deno.test("a transfer to an unreachable voter is given up, and proposals are accepted again; the next one is refused", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const to = cluster.running.find(({ id }) => id !== leader.id)!.id;
  await cluster.crash(to);
  const { code, outcome } = await rejection(cluster, leader.node.transferLeadership({ to }));
  assert.deepEqual([code, outcome], ["not_ready", "unknown"]);
  assert(leader.node.isLeader);
  const next = await rejection(cluster, leader.node.transferLeadership({ to }));
  assert.deepEqual([next.code, next.outcome], ["not_ready", "rejected"]);
  await cluster.propose(leader, "a");
  await cluster.end();
});

Deno.test("a transfer to a node that can't lead is refused", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const leader = await cluster.leader();
  await cluster.add("n2");
  await cluster.settle(leader.node.changeMembership({ voters: [member("n1")], learners: [member("n2")] }));
  for (const to of ["n2", "n9"]) {
    assert.equal((await rejection(cluster, leader.node.transferLeadership({ to }))).code, "invalid_argument");
  }
  assert.equal(await cluster.settle(leader.node.transferLeadership({ to: "n1" })), "n1");
  await cluster.end();
});

Deno.test("close hands leadership over first, and answers requests under way", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const proposal = leader.node.propose(bytes("a"));
  const startedMs = cluster.time.nowMs;
  const closed = cluster.close(leader.id);
  await cluster.settle(proposal);
  await closed;
  const next = await cluster.leader();
  assert(cluster.time.nowMs - startedMs < 500, "without waiting for an election timeout");
  assert.equal(leader.disk.owner, null, "the storage is closed");
  assert.equal((await rejection(cluster, leader.node.propose(bytes("b")))).code, "closed");
  assert.equal(leader.node.status().lifecycle, "closed");
  await cluster.propose(next, "b");
  await cluster.restart(leader.id);
  await cluster.converge();
  await cluster.end();
});

Deno.test("close ends in bounded time without a successor, and with a write that hangs", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  for (const { id } of cluster.running) if (id !== leader.id) await cluster.crash(id);
  leader.storage.hang();
  const proposal = rejection(cluster, leader.node.propose(bytes("a")));
  const startedMs = cluster.time.nowMs;
  await cluster.close(leader.id);
  assert(cluster.time.nowMs - startedMs < 3_500);
  assert.equal((await proposal).outcome, "unknown");
  await cluster.end();
});

Deno.test("a deposed leader's proposal that another entry replaced is rejected, not unknown", async () => {
  const cluster = await Cluster.start({ voters: 5 });
  const old = await cluster.leader();
  cluster.network.isolate(old.id);
  const lost = rejection(cluster, old.node.propose(bytes("lost")));
  const rest = cluster.running.map(({ id }) => id).filter((id) => id !== old.id);
  old.host.pause();
  const next = await cluster.leader(rest);
  await cluster.propose(next, "kept");
  old.host.resume();
  cluster.network.heal();
  assert.deepEqual(await lost.then(({ code, outcome }) => [code, outcome]), ["leadership_lost", "rejected"]);
  await cluster.converge();
  await cluster.end();
});
