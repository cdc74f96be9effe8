import assert from "node:assert/strict";
import { Cluster } from "../support/cluster.ts";

Deno.test("§5.2, §5.3: a new cluster elects one leader, and replicates commands", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const proposed = await cluster.propose(leader, "a", "b", "c");
  assert.deepEqual(proposed.map(({ index }) => index), [3, 4, 5]);
  await cluster.converge();
  for (const { machine } of cluster.running) assert.deepEqual(machine.commands, ["a", "b", "c"]);
  await cluster.end();
});

Deno.test("a single node leads alone", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const leader = await cluster.leader();
  await cluster.propose(leader, "a");
  assert.deepEqual(leader.machine.commands, ["a"]);
  await cluster.end();
});

Deno.test("the cluster continues after the leader's crash, and the old leader catches up when it returns", async () => {
  const cluster = await Cluster.start();
  const first = await cluster.leader();
  await cluster.propose(first, "a");
  await cluster.crash(first.id);
  const second = await cluster.leader();
  assert.notEqual(second.id, first.id);
  await cluster.propose(second, "b");
  const back = await cluster.restart(first.id);
  await cluster.converge();
  assert.deepEqual(back.machine.commands, ["a", "b"]);
  await cluster.end();
});

Deno.test("acknowledged commands survive a crash of all nodes at once", async () => {
  const cluster = await Cluster.start({ node: { snapshotEntries: 30, trailingEntries: 5 } });
  for (let round = 0; round < 5; round++) {
    const leader = await cluster.leader();
    await cluster.propose(leader, ...Array.from({ length: 25 }, (_, i) => `${round}.${i}`));
    for (const id of cluster.nodes.keys()) await cluster.crash(id);
    for (const id of cluster.nodes.keys()) await cluster.restart(id);
  }
  await cluster.leader();
  await cluster.converge();
  const expected = Array.from({ length: 125 }, (_, i) => `${Math.floor(i / 25)}.${i % 25}`);
  assert.deepEqual(cluster.running[0]!.machine.commands, expected);
  await cluster.end();
});

Deno.test("rule 7: a partitioned follower that returns causes no election", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const away = cluster.running.find(({ id }) => id !== leader.id)!;
  const { term } = leader.node.status();
  cluster.network.isolate(away.id);
  await cluster.pass(20_000);
  assert.equal(away.node.status().term, term, "pre-vote changes no term (dissertation §9.6)");
  cluster.network.heal();
  await cluster.pass(5_000);
  assert.equal((await cluster.leader()).id, leader.id);
  assert.equal(leader.node.status().term, term);
  await cluster.end();
});

Deno.test("§6.2: a leader that no quorum answers steps down within two election timeouts", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  cluster.network.isolate(leader.id);
  await cluster.until(() => !leader.node.isLeader, "the old leader's stepping down", 2_500);
  assert.equal(leader.node.status().leader, null);
  await cluster.end();
});

Deno.test("a late timer causes one tick, not many, so that a frozen process does not campaign early", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const { term } = leader.node.status();
  // All loops are paused for much longer than an election timeout.
  cluster.time.freeze(30_000);
  await cluster.pass(3_000);
  assert.equal((await cluster.leader()).node.status().term, term);
  await cluster.end();
});

Deno.test("observers receive elections in tasks of their own, and may throw", async () => {
  const cluster = await Cluster.start();
  const heard: string[] = [];
  for (const { id, node } of cluster.running) {
    node.addEventListener("state", ({ detail }) => {
      heard.push(`${id} ${detail.role}`);
      throw new Error("an observer's fault");
    });
  }
  const leader = await cluster.leader();
  await cluster.pass(100);
  assert(heard.includes(`${leader.id} leader`));
  await cluster.propose(leader, "a");
  await cluster.end();
});
