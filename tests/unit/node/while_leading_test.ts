import assert from "node:assert/strict";
import type { LeaderTerm } from "../../../lib/node/mod.ts";
import { Cluster, rejection } from "../../support/cluster.ts";

/** Returns a callback that records its calls, and runs until its signal aborts. */
function recorder() {
  const calls: LeaderTerm[] = [];
  let running = 0;
  const callback = async (leadership: LeaderTerm): Promise<void> => {
    assert.equal(++running, 1, "two calls overlap");
    calls.push(leadership);
    await aborted(leadership.signal);
    running--;
  };
  return { calls, callback, isRunning: () => running > 0 };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve());
  });
}

Deno.test("whileLeading calls back once the state machine has an entry of the leader's term", async () => {
  const cluster = await Cluster.start({ voters: 1, applyMs: 50 });
  const [test] = cluster.running;
  await cluster.leader();
  await cluster.propose(test!, "a");
  await cluster.crash("n1");
  const { node, machine } = await cluster.restart("n1");
  const applied: string[] = [];
  const done = node.whileLeading(({ term }) => {
    applied.push(...machine.commands);
    assert.equal(term, node.status().term);
  });
  await cluster.until(() => applied.length > 0);
  assert.deepEqual(applied, ["a"]);
  await cluster.close("n1");
  await cluster.settle(done);
});

Deno.test("whileLeading aborts when leadership is lost, and calls back again in the next one", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const { calls, callback, isRunning } = recorder();
  const done = leader.node.whileLeading(callback);
  await cluster.until(() => calls.length === 1);
  assert.equal(calls[0]!.term, leader.node.status().term);
  cluster.network.isolate(leader.id);
  await cluster.until(() => calls[0]!.signal.aborted);
  assert.equal(calls[0]!.signal.reason.code, "leadership_lost");
  assert.equal(leader.node.isLeader, false);
  cluster.network.heal();
  const other = await cluster.leader();
  assert.equal(calls.length, 1);
  assert.equal(isRunning(), false);
  if (other !== leader) await cluster.settle(other.node.transferLeadership({ to: leader.id }));
  await cluster.until(() => calls.length === 2);
  assert.ok(calls[1]!.term > calls[0]!.term);
  await cluster.close(leader.id);
  await cluster.settle(done);
  assert.equal(isRunning(), false);
  await cluster.end();
});

Deno.test("whileLeading never overlaps calls, even if a callback ignores its signal", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const finish: (() => void)[] = [];
  const terms: number[] = [];
  const done = leader.node.whileLeading(({ term }) => {
    terms.push(term);
    return new Promise((resolve) => finish.push(resolve));
  });
  await cluster.until(() => terms.length === 1);
  const other = await cluster.settle(leader.node.transferLeadership());
  await cluster.leader();
  await cluster.settle(cluster.get(other).node.transferLeadership({ to: leader.id }));
  await cluster.until(() => leader.node.isLeader);
  await cluster.pass(2_000);
  assert.equal(terms.length, 1, "the first call has not returned");
  finish[0]!();
  await cluster.until(() => terms.length === 2);
  assert.equal(terms[1], leader.node.status().term);
  finish[1]!();
  await cluster.close(leader.id);
  await cluster.settle(done);
  await cluster.end();
});

Deno.test("whileLeading calls back once per term", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const leader = await cluster.leader();
  let calls = 0;
  const done = leader.node.whileLeading(() => void calls++);
  await cluster.pass(5_000);
  assert.equal(calls, 1);
  await cluster.close(leader.id);
  await cluster.settle(done);
  await cluster.end();
});

Deno.test("whileLeading ends with the caller's signal, after the call under way", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const leader = await cluster.leader();
  const { calls, callback, isRunning } = recorder();
  const quit = new AbortController();
  const done = leader.node.whileLeading(callback, { signal: quit.signal });
  await cluster.until(() => calls.length === 1);
  quit.abort("enough");
  assert.equal(calls[0]!.signal.reason, "enough");
  await cluster.settle(done);
  assert.equal(isRunning(), false);
  assert.equal(leader.node.isLeader, true);
  await leader.node.whileLeading(callback, { signal: quit.signal });
  await cluster.pass(1_000);
  assert.equal(calls.length, 1);
  await cluster.end();
});

Deno.test("whileLeading aborts when close begins, and resolves", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const { calls, callback } = recorder();
  const done = leader.node.whileLeading(callback);
  await cluster.until(() => calls.length === 1);
  const closed = cluster.close(leader.id);
  assert.equal(calls[0]!.signal.reason.code, "closed");
  assert.equal(leader.node.isLeader, true);
  await cluster.settle(Promise.all([done, closed]));
  await assert.rejects(leader.node.whileLeading(callback), { code: "closed" });
  await cluster.end();
});

Deno.test("whileLeading rejects with an error of the callback; the node continues to lead", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const leader = await cluster.leader();
  const fault = new Error("fault");
  let calls = 0;
  const done = leader.node.whileLeading(() => {
    calls++;
    throw fault;
  });
  await assert.rejects(cluster.settle(done), fault);
  await cluster.pass(2_000);
  assert.deepEqual([calls, leader.node.isLeader], [1, true]);
  await cluster.end();
});

Deno.test("whileLeading ignores errors after the signal", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  let calls = 0;
  const done = leader.node.whileLeading(async ({ signal }) => {
    calls++;
    await aborted(signal);
    throw signal.reason;
  });
  await cluster.until(() => calls === 1);
  const other = await cluster.settle(leader.node.transferLeadership());
  await cluster.leader();
  await cluster.settle(cluster.get(other).node.transferLeadership({ to: leader.id }));
  await cluster.until(() => calls === 2);
  await cluster.close(leader.id);
  await cluster.settle(done);
  await cluster.end();
});

Deno.test("whileLeading rejects when the node stops itself", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const leader = await cluster.leader();
  const { calls, callback } = recorder();
  const done = rejection(cluster, leader.node.whileLeading(callback));
  await cluster.until(() => calls.length === 1);
  cluster.get(leader.id).machine.apply = () => {
    throw new Error("broken");
  };
  const proposed = rejection(cluster, leader.node.propose(new Uint8Array(1)));
  assert.equal((await done).code, "stopped");
  assert.equal((await proposed).code, "stopped");
  assert.equal(calls[0]!.signal.aborted, true);
  await cluster.end();
});
