import assert from "node:assert/strict";
import { Cluster, member, rejection } from "../support/cluster.ts";
import { bytes } from "../support/journal.ts";

const many = (count: number, prefix = "c") => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

Deno.test("snapshots are taken after `snapshotEntries`, and the log before them is compacted", async () => {
  const cluster = await Cluster.start({ node: { snapshotEntries: 50, trailingEntries: 10 } });
  const leader = await cluster.leader();
  for (let i = 0; i < 10; i++) await cluster.propose(leader, ...many(20, `${i}.`));
  await cluster.converge();
  for (const { node } of cluster.running) {
    const { snapshotIndex, firstIndex, lastIndex } = node.status();
    assert(snapshotIndex > lastIndex - 80, "recent");
    assert.equal(firstIndex, snapshotIndex - 10 + 1);
  }
  await cluster.end();
});

Deno.test("snapshots are taken after `snapshotBytes`", async () => {
  const cluster = await Cluster.start({ voters: 1, node: { snapshotEntries: 0, snapshotBytes: 1000 } });
  const leader = await cluster.leader();
  await cluster.propose(leader, "x".repeat(500));
  await cluster.pass(100);
  assert.equal(leader.node.status().snapshotIndex, 0);
  await cluster.propose(leader, "x".repeat(600));
  await cluster.until(() => leader.node.status().snapshotIndex === 4, "a snapshot");
  await cluster.end();
});

Deno.test("§7: a follower that was away too long catches up by snapshot, in small chunks over a bad network", async () => {
  const cluster = await Cluster.start({
    node: { snapshotEntries: 50, trailingEntries: 0, snapshotChunkBytes: 100 },
    network: { loss: 0.1, duplication: 0.1, reordering: 0.1 },
  });
  const leader = await cluster.leader();
  const away = cluster.running.find(({ id }) => id !== leader.id)!;
  await cluster.crash(away.id);
  for (let i = 0; i < 10; i++) await cluster.propose(await cluster.leader(), ...many(50, `${i}.`));
  const back = await cluster.restart(away.id);
  await cluster.converge();
  assert.equal(back.machine.restores, 1);
  await cluster.propose(await cluster.leader(), "more");
  await cluster.converge();
  await cluster.crash(back.id);
  const again = await cluster.restart(back.id);
  await cluster.converge();
  assert.equal(again.machine.restores, 1, "from its own disk this time");
  await cluster.end();
});

Deno.test("a snapshot transfer continues at the peer's offset, and its rate is capped", async () => {
  const cluster = await Cluster.start({
    node: { snapshotEntries: 0, trailingEntries: 0, snapshotChunkBytes: 1000, snapshotBytesPerSecond: 10_000 },
  });
  const leader = await cluster.leader();
  const away = cluster.running.find(({ id }) => id !== leader.id)!;
  cluster.network.isolate(away.id);
  await cluster.propose(leader, ...many(50, "x".repeat(1000)));
  await cluster.settle(leader.node.takeSnapshot());
  cluster.network.heal();
  const startedMs = cluster.time.nowMs;
  await cluster.pass(3_000);
  cluster.network.isolate(away.id);
  await cluster.pass(500);
  const before = cluster.network.counts.sent;
  cluster.network.heal();
  await cluster.until(() => away.machine.restores === 1, "the restore");
  const tookMs = cluster.time.nowMs - startedMs;
  assert(tookMs > 4_500 && tookMs < 8_500, `50 KB at 10 KB/s with a break took ${tookMs} ms`);
  assert(cluster.network.counts.sent > before);
  await cluster.converge();
  await cluster.end();
});

Deno.test("a snapshot on demand covers everything applied, and is not taken twice", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const [node] = cluster.running;
  assert.equal((await rejection(cluster, node!.node.takeSnapshot())).code, "not_ready");
  const leader = await cluster.leader();
  await cluster.propose(leader, "a", "b");
  const first = await cluster.settle(leader.node.takeSnapshot());
  assert.equal(first.index, 4);
  assert.equal((await cluster.settle(leader.node.takeSnapshot())).id, first.id);
  await cluster.end();
});

Deno.test("commands applied while a snapshot is written are not part of it", async () => {
  const cluster = await Cluster.start({ voters: 1, node: { snapshotEntries: 0 } });
  const leader = await cluster.leader();
  await cluster.propose(leader, ...many(500));
  const create = leader.storage.createSnapshot.bind(leader.storage);
  leader.storage.createSnapshot = async () => {
    await new Promise<void>((resolve) => void leader.host.clock.setTimer(200, resolve));
    return await create();
  };
  const snapshot = leader.node.takeSnapshot();
  await cluster.propose(leader, "later");
  const { index } = await cluster.settle(snapshot);
  assert.equal(index, 502);
  await cluster.crash(leader.id);
  leader.disk.entries = leader.disk.entries.filter((entry) => entry.index <= index);
  const back = await cluster.restart(leader.id);
  assert.deepEqual(back.machine.commands, many(500));
  await cluster.end();
});

Deno.test("rule 4: a snapshot carries the membership as of its index, not one that is only appended", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  await cluster.propose(leader, "a");
  cluster.network.isolate(leader.id);
  const voters = [...leader.node.status().membership.members, member("n4")];
  const change = rejection(cluster, leader.node.changeMembership({ voters }));
  assert.equal(leader.node.status().membership.voters.length, 4, "in force from the moment it is appended");
  const { index, membership } = await cluster.settle(leader.node.takeSnapshot());
  assert.equal(index, 3);
  assert.deepEqual(membership.voters, ["n1", "n2", "n3"]);
  assert.equal((await change).outcome, "unknown");
  await cluster.end();
});

Deno.test("callers that wait for a snapshot are rejected when the node ends", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const leader = await cluster.leader();
  await cluster.propose(leader, "a");
  leader.storage.hang();
  const error = rejection(cluster, leader.node.takeSnapshot());
  const proposal = rejection(cluster, leader.node.propose(bytes("b")));
  await cluster.pass(50);
  await cluster.close(leader.id);
  assert.equal((await error).code, "closed");
  assert.equal((await proposal).outcome, "unknown");
  await cluster.end();
});

Deno.test("the membership outlives the log entry that set it", async () => {
  const cluster = await Cluster.start({ node: { snapshotEntries: 20, trailingEntries: 0 } });
  const leader = await cluster.leader();
  await cluster.add("n4");
  const members = [...leader.node.status().membership.members, { id: "n4", address: "n4", incarnation: "inc-n4" }];
  await cluster.propose(leader, ...many(30));
  await cluster.settle(leader.node.changeMembership({ voters: members }));
  await cluster.propose(leader, ...many(30));
  await cluster.converge();
  for (const { disk } of cluster.running) {
    const { index, membership } = disk.snapshot!;
    assert.deepEqual(membership.voters.length, index > 32 ? 4 : 3);
  }
  for (const id of cluster.nodes.keys()) await cluster.crash(id);
  for (const id of cluster.nodes.keys()) await cluster.restart(id);
  assert.deepEqual((await cluster.leader()).node.status().membership.voters, ["n1", "n2", "n3", "n4"]);
  await cluster.end();
});
