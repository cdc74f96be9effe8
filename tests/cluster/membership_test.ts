import assert from "node:assert/strict";
import { Cluster, member, rejection } from "../support/cluster.ts";
import { bytes } from "../support/journal.ts";

/** Proposes one command every 20 ms until stopped. Returns the number of acknowledged ones. */
function load(cluster: Cluster): { stop: () => Promise<number> } {
  let going = true;
  let done = 0;
  const run = (async () => {
    for (let i = 0; going; i++) {
      const leader = cluster.leaderNow;
      await leader?.node.propose(bytes(`load${i}`), { signal: leader.power.signal }).then(() => done++, () => {});
      await new Promise<void>((resolve) => void ticker.clock.setTimer(20, resolve));
    }
  })();
  const ticker = cluster.time.host();
  return {
    stop: async () => {
      going = false;
      await cluster.settle(run);
      return done;
    },
  };
}

Deno.test("a learner is added and promoted, and the old leader removed, while commands continue", async () => {
  const cluster = await Cluster.start({ node: { snapshotEntries: 20, trailingEntries: 5 } });
  const leader = await cluster.leader();
  const background = load(cluster);
  await cluster.pass(2_000);
  await cluster.add("n4");
  const voters = ["n1", "n2", "n3"].map(member);
  const withLearner = await cluster.settle(leader.node.changeMembership({ voters, learners: [member("n4")] }));
  assert.deepEqual(withLearner.learners, ["n4"]);
  await cluster.until(
    () => cluster.get("n4").node.status().appliedIndex >= leader.node.status().appliedIndex - 1,
    "the learner's catching up",
  );
  assert.equal(cluster.get("n4").node.status().clusterId, "c1", "adopted from its first leader");
  assert.equal(cluster.get("n4").node.status().role, "follower");
  await cluster.settle(leader.node.changeMembership({ voters: [...voters, member("n4")] }));
  const rest = [...voters, member("n4")].filter(({ id }) => id !== leader.id);
  const last = await cluster.settle(leader.node.changeMembership({ voters: rest }));
  assert.equal(last.voters.includes(leader.id), false);
  await cluster.until(() => !leader.node.isLeader, "the removed leader's stepping down");
  const next = await cluster.leader(rest.map(({ id }) => id));
  const { term } = next.node.status();
  await cluster.pass(5_000);
  assert.equal((await cluster.leader(rest.map(({ id }) => id))).node.status().term, term, "it disturbs no node");
  assert(await background.stop() > 50);
  await cluster.crash(leader.id);
  await cluster.converge();
  await cluster.end();
});

Deno.test("§4.3: all voters are replaced at once, through a joint configuration", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  await cluster.propose(leader, "a");
  for (const id of ["n4", "n5", "n6"]) await cluster.add(id);
  const seen: number[] = [];
  leader.node.addEventListener("raft", ({ detail }) => {
    if (detail.type === "membershipCommitted") seen.push(detail.membership.outgoing.length);
  });
  const membership = await cluster.settle(leader.node.changeMembership({ voters: ["n4", "n5", "n6"].map(member) }));
  assert.deepEqual([membership.voters, membership.outgoing], [["n4", "n5", "n6"], []]);
  const next = await cluster.leader(["n4", "n5", "n6"]);
  assert.deepEqual(seen, [3, 0], "the joint configuration is committed, then left");
  for (const id of ["n1", "n2", "n3"]) await cluster.crash(id);
  await cluster.propose(next, "b");
  await cluster.converge();
  assert.deepEqual(next.machine.commands, ["a", "b"]);
  await cluster.end();
});

Deno.test("a joint change whose leader crashes is finished or undone by the next", async () => {
  const cluster = await Cluster.start({ seed: 5 });
  const leader = await cluster.leader();
  for (const id of ["n4", "n5"]) await cluster.add(id);
  const rest = ["n1", "n2", "n3"].filter((id) => id !== leader.id);
  const voters = [...rest, "n4", "n5"].map(member);
  const change = leader.node.changeMembership({ voters }, { signal: leader.power.signal });
  change.catch(() => {});
  await cluster.until(() => leader.node.status().membership.outgoing.length > 0, "the joint configuration");
  await cluster.pass(4);
  await cluster.crash(leader.id);
  await cluster.until(
    () =>
      cluster.leaderNow?.node.status().membership.outgoing.length === 0 &&
      cluster.leaderNow.node.status().membershipCommitted,
    "a configuration that is not joint",
  );
  await cluster.propose(cluster.leaderNow!, "a");
  await cluster.end();
});

Deno.test("invalid changes are refused, and change nothing", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const voters = ["n1", "n2", "n3"].map(member);
  const follower = cluster.running.find(({ id }) => id !== leader.id)!;
  assert.equal((await rejection(cluster, follower.node.changeMembership({ voters }))).code, "not_leader");
  assert.equal((await rejection(cluster, leader.node.changeMembership({ voters: [] }))).code, "invalid_argument");
  const wiped = { ...member("n2"), incarnation: "another" };
  const refused = await rejection(cluster, leader.node.changeMembership({ voters: [voters[0]!, wiped, voters[2]!] }));
  assert.deepEqual([refused.code, refused.outcome], ["refused", "rejected"]);
  assert.deepEqual((await cluster.settle(leader.node.changeMembership({ voters }))).voters, ["n1", "n2", "n3"]);
  await cluster.add("n4");
  const first = leader.node.changeMembership({ voters: [...voters, member("n4")] });
  const second = await rejection(cluster, leader.node.changeMembership({ voters }));
  assert.equal(second.code, "membership_change_in_progress");
  await cluster.settle(first);
  await cluster.end();
});

Deno.test("rule 7: a learner receives the log, and never campaigns", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const leader = await cluster.leader();
  await cluster.add("n2");
  await cluster.settle(leader.node.changeMembership({ voters: [member("n1")], learners: [member("n2")] }));
  await cluster.propose(leader, "a");
  await cluster.converge();
  await cluster.crash("n1");
  const { term } = cluster.get("n2").node.status();
  await cluster.pass(20_000);
  const status = cluster.get("n2").node.status();
  assert.deepEqual([status.role, status.term], ["follower", term]);
  assert.equal(status.leader, null, "it forgets a leader that is gone");
  await cluster.end();
});

Deno.test("§4.2.1: a learner that lacks much of the log waits for its promotion", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const leader = await cluster.leader();
  await cluster.propose(leader, ...Array.from({ length: 1_100 }, (_, i) => `c${i}`));
  const [voter, learner] = [member("n1"), member("n2")];
  await cluster.settle(leader.node.changeMembership({ voters: [voter], learners: [learner] }));
  const error = await rejection(cluster, leader.node.changeMembership({ voters: [voter, learner] }));
  assert.deepEqual([error.code, error.outcome], ["not_ready", "rejected"]);
  await cluster.add("n2");
  await cluster.converge();
  await cluster.pass(100);
  await cluster.settle(leader.node.changeMembership({ voters: [voter, learner] }));
  await cluster.end();
});

Deno.test("a follower that was away while a member came back with another data folder follows that member", async () => {
  for (const snapshotEntries of [0, 20]) {
    const cluster = await Cluster.start({ voters: 5, node: { snapshotEntries, trailingEntries: 0 } });
    const leader = await cluster.leader();
    const [replaced, away] = cluster.running.filter(({ id }) => id !== leader.id).map(({ id }) => id);
    await cluster.propose(leader, "a");
    await cluster.converge();
    await cluster.crash(away!);
    const voters = ["n1", "n2", "n3", "n4", "n5"].filter((id) => id !== replaced).map(member);
    await cluster.settle(leader.node.changeMembership({ voters }));
    await cluster.crash(replaced!);
    const { node } = await cluster.add(replaced!, false, "another");
    const again = { ...member(replaced!), incarnation: "another" };
    await cluster.settle(leader.node.changeMembership({ voters, learners: [again] }));
    await cluster.propose(leader, ...Array.from({ length: 30 }, (_, i) => `c${i}`));
    await cluster.settle(leader.node.changeMembership({ voters: [...voters, again] }));
    await cluster.settle(leader.node.transferLeadership({ to: replaced! }));
    await cluster.restart(away!);
    await cluster.leader();
    assert(node.isLeader);
    await cluster.converge();
    assert.equal(cluster.get(away!).machine.commands.length, 31);
    await cluster.end();
  }
});
