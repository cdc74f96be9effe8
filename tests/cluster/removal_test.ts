import assert from "node:assert/strict";
import { Cluster, member, rejection } from "../support/cluster.ts";
import { bytes } from "../support/journal.ts";

/** Starts n1 to n3, and returns the leader, a follower to remove, and the change that removes it. */
async function three() {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  await cluster.propose(leader, "a");
  const ids = ["n1", "n2", "n3"];
  const gone = cluster.get(ids.find((id) => id !== leader.id)!);
  const voters = ids.filter((id) => id !== gone.id).map(member);
  const remove = () => cluster.settle(leader.node.changeMembership({ voters }));
  return { cluster, leader, gone, remove, others: voters.map(({ id }) => id) };
}

Deno.test("a removed node knows it at once, and says so to its callers", async () => {
  const { cluster, leader, gone, remove } = await three();
  const events: boolean[] = [];
  gone.node.addEventListener("removed", ({ detail }) => void events.push(detail.removed));
  await remove();
  await cluster.until(() => gone.node.status().removed, "its learning of the removal", 500);
  const error = await rejection(cluster, gone.node.propose(bytes("b")));
  assert.deepEqual([error.code, error.outcome], ["not_a_member", "rejected"]);
  assert.equal((await rejection(cluster, gone.node.read(bytes("")))).code, "not_a_member");
  await cluster.pass(5_000);
  assert.deepEqual(events, [true]);
  assert.equal(leader.node.status().removed, false);
  await cluster.end();
});

Deno.test("a removed node that restarts needs a member to tell it that its last entry is committed", async () => {
  const { cluster, leader, gone, remove } = await three();
  await remove();
  await cluster.until(() => gone.node.status().removed);
  await cluster.crash(gone.id);
  const { node } = await cluster.restart(gone.id);
  assert.equal(node.status().removed, false);
  node.learn(leader.node.status());
  assert.equal(node.status().removed, true);
  await cluster.end();
});

Deno.test("a node removed while it was down learns it from a member's status, and only from one that can know", async () => {
  const { cluster, leader, gone, remove } = await three();
  const before = leader.node.status();
  await cluster.crash(gone.id);
  await remove();
  await cluster.propose(leader, "b");
  // The leader gives up on it.
  await cluster.pass(60_000);
  const { node } = await cluster.restart(gone.id);
  await cluster.pass(5_000);
  assert.equal(node.status().removed, false, "nothing has told it");
  const status = leader.node.status();
  for (
    const other of [
      before,
      { ...status, leader: null },
      { ...status, membershipCommitted: false },
      { ...status, clusterId: "other" },
      { ...status, lifecycle: "stopped" as const },
      { ...status, membershipIndex: 0 },
    ]
  ) {
    node.learn(other);
    assert.equal(node.status().removed, false);
  }
  node.learn(status);
  assert.equal(node.status().removed, true);
  assert.equal((await rejection(cluster, node.propose(bytes("c")))).code, "not_a_member");
  await cluster.end();
});

Deno.test("a learner that catches up is not taken for a removed one, and an added node is none any longer", async () => {
  const { cluster, leader, gone, remove, others } = await three();
  await remove();
  await cluster.until(() => gone.node.status().removed);
  await cluster.settle(leader.node.changeMembership({ voters: others.map(member), learners: [member(gone.id)] }));
  await cluster.until(() => !gone.node.status().removed, "a leader counting on it again");
  const fresh = await cluster.add("n4");
  const seen: boolean[] = [];
  fresh.node.addEventListener("removed", ({ detail }) => void seen.push(detail.removed));
  const voters = others.map(member);
  await cluster.settle(leader.node.changeMembership({ voters, learners: [member(gone.id), member("n4")] }));
  await cluster.until(() => fresh.node.status().appliedIndex >= leader.node.status().appliedIndex - 1);
  assert.deepEqual([fresh.node.status().removed, seen], [false, []]);
  await cluster.end();
});

Deno.test("the leader reports a silent peer once, and its return with the length of the silence", async () => {
  const { cluster, leader, gone } = await three();
  const seen: (readonly [string, boolean, number])[] = [];
  leader.node.addEventListener("peer", ({ detail }) => void seen.push([detail.id, detail.answers, detail.silentMs]));
  await cluster.crash(gone.id);
  await cluster.pass(20_000);
  assert.deepEqual(seen.map(([id, answers]) => [id, answers]), [[gone.id, false]]);
  await cluster.restart(gone.id);
  await cluster.until(() => seen.length === 2, "its return");
  const [, answers, silentMs] = seen[1]!;
  assert.equal(answers, true);
  assert(silentMs >= 19_000 && silentMs < 25_000, `${silentMs} ms`);
  await cluster.pass(5_000);
  assert.equal(seen.length, 2);
  await cluster.end();
});

Deno.test("a removed peer is not reported as silent", async () => {
  const { cluster, leader, gone, remove } = await three();
  const seen: string[] = [];
  leader.node.addEventListener("peer", ({ detail }) => void seen.push(detail.id));
  await remove();
  await cluster.crash(gone.id);
  await cluster.pass(10_000);
  assert.deepEqual(seen, []);
  await cluster.end();
});

Deno.test("a node that was told of its removal does not take the leader's last messages for a return", async () => {
  const { cluster, leader, gone, remove } = await three();
  await cluster.crash(gone.id);
  await remove();
  const { node } = await cluster.restart(gone.id);
  const seen: boolean[] = [];
  node.addEventListener("removed", ({ detail }) => void seen.push(detail.removed));
  node.learn(leader.node.status());
  await cluster.until(() => node.status().membershipIndex > 1, "the leader's sending it the removal");
  await cluster.pass(30_000);
  assert.deepEqual([node.status().removed, seen], [true, [true]]);
  await cluster.end();
});

Deno.test("a member that lies about a removal is believed until a leader counts on the node", async () => {
  const { cluster, leader, gone, others } = await three();
  await cluster.crash(gone.id);
  const { node } = await cluster.restart(gone.id);
  const { membership, ...status } = leader.node.status();
  const lie = { ...membership, voters: others, members: others.map(member) };
  node.learn({ ...status, membership: lie, membershipIndex: 2 ** 52 });
  assert.equal(node.status().removed, true);
  await cluster.until(() => !node.status().removed, "the leader's proving otherwise", 30_000);
  await cluster.end();
});
