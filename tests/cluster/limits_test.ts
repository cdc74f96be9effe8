import assert from "node:assert/strict";
import { PROTOCOL_VERSION } from "../../lib/transport.ts";
import type { Envelope } from "../../lib/transport.ts";
import { Cluster, rejection } from "../support/cluster.ts";
import { bytes } from "../support/journal.ts";

Deno.test("proposals over the limit of uncommitted bytes are refused as busy, until it has drained", async () => {
  const cluster = await Cluster.start({ node: { maxUncommittedBytes: 10_000 } });
  const leader = await cluster.leader();
  cluster.network.isolate(leader.id);
  const command = bytes("x".repeat(900));
  const outcomes: string[] = [];
  for (let i = 0; i < 20; i++) {
    leader.node.propose(command).then(() => outcomes.push("done"), (error) => outcomes.push(error.code));
  }
  await cluster.pass(100);
  assert.deepEqual(outcomes, Array.from({ length: 10 }, () => "busy"));
  cluster.network.heal();
  await cluster.until(() => outcomes.length === 20, "the answers");
  assert.equal(outcomes.filter((outcome) => outcome === "done").length, 10);
  await cluster.propose(leader, "more");
  await cluster.end();
});

Deno.test("the limit includes commands that a slow state machine has not applied yet", async () => {
  const cluster = await Cluster.start({ voters: 1, applyMs: 10, node: { maxUncommittedBytes: 5_000 } });
  const leader = await cluster.leader();
  let refused = 0;
  let done = 0;
  for (let i = 0; i < 100; i++) {
    leader.node.propose(bytes("x".repeat(500))).then(() => done++, () => refused++);
    await cluster.pass(1);
  }
  assert(refused > 50, `${refused} refused`);
  await cluster.until(() => done + refused === 100, "the answers");
  assert.equal(done, leader.machine.commands.length);
  await cluster.end();
});

Deno.test("a command over the limit is refused", async () => {
  const cluster = await Cluster.start({ voters: 1, node: { maxCommandBytes: 100 } });
  const leader = await cluster.leader();
  await cluster.propose(leader, "x".repeat(100));
  const error = await rejection(cluster, leader.node.propose(bytes("x".repeat(101))));
  assert.deepEqual([error.code, error.outcome], ["too_large", "rejected"]);
  await cluster.end();
});

Deno.test("an aborted proposal is rejected before it is in the log, and unknown after", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const early = AbortSignal.abort();
  assert.equal((await rejection(cluster, leader.node.propose(bytes("a"), { signal: early }))).outcome, "rejected");
  const queued = new AbortController();
  const first = rejection(cluster, leader.node.propose(bytes("b"), { signal: queued.signal }));
  queued.abort();
  assert.deepEqual(await first.then(({ code, outcome }) => [code, outcome]), ["aborted", "rejected"]);
  const logged = new AbortController();
  const second = rejection(cluster, leader.node.propose(bytes("c"), { signal: logged.signal }));
  await cluster.until(() => leader.node.status().lastIndex === 3, "its entry");
  logged.abort();
  assert.deepEqual(await second.then(({ code, outcome }) => [code, outcome]), ["aborted", "unknown"]);
  await cluster.converge();
  assert.deepEqual(leader.machine.commands, ["c"]);
  await cluster.end();
});

Deno.test("an invalid option is an error that names it", async () => {
  await assert.rejects(Cluster.start({ node: { heartbeatIntervalMs: 900 } }), /heartbeatIntervalMs/);
  await assert.rejects(Cluster.start({ node: { maxClockDrift: 1 } }), /maxClockDrift/);
  await assert.rejects(Cluster.start({ node: { maxCommandBytes: Number.NaN } }), /maxCommandBytes/);
});

Deno.test("messages of another cluster, version, node or data folder are refused, and reported once per kind", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const target = cluster.running.find(({ id }) => id !== leader.id)!;
  const told: string[] = [];
  target.node.addEventListener("refused", ({ detail }) => told.push(detail.reason));
  const { term } = target.node.status();
  const stranger = cluster.network.transport("stranger");
  await cluster.settle(stranger.start(() => {}));
  const good: Envelope = {
    protocolVersion: PROTOCOL_VERSION,
    clusterId: "c1",
    from: leader.id,
    fromIncarnation: `inc-${leader.id}`,
    fromAddress: "stranger",
    to: target.id,
    toIncarnation: `inc-${target.id}`,
    message: {
      type: "AppendEntries",
      term: term + 10,
      prevLogIndex: 0,
      prevLogTerm: 0,
      entries: [],
      leaderCommit: 0,
      round: 1,
    },
  };
  const bad: Partial<Envelope>[] = [
    { protocolVersion: 99 },
    { clusterId: "other" },
    { clusterId: "" },
    { to: "n9" },
    { toIncarnation: "wiped" },
    { fromIncarnation: "wiped" },
    { from: target.id },
  ];
  for (const change of [...bad, ...bad]) stranger.send(target.id, { ...good, ...change });
  await cluster.pass(20);
  assert.equal(target.node.status().term, term, "none of them was looked at");
  assert.equal(told.length, 6, told.join("\n"));
  assert(told.some((reason) => /remove that member, and then add/.test(reason)), "it says how to replace a node");
  stranger.send(target.id, good);
  await cluster.pass(20);
  assert.equal(target.node.status().term, term + 10, "while a good one is");
  await cluster.end();
});

Deno.test("a wiped voter under its old id takes no part", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  await cluster.propose(leader, "a");
  const victim = cluster.running.find(({ id }) => id !== leader.id)!;
  await cluster.crash(victim.id);
  const wiped = await cluster.add(victim.id, false, "another-incarnation");
  await cluster.pass(5_000);
  const { lastIndex, clusterId, term } = wiped.node.status();
  assert.deepEqual([lastIndex, clusterId, term], [0, "", 0]);
  await cluster.end();
});
