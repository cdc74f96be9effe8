/**
 * The suite of nodes without a leader, which say what they see, and of data folders with
 * a term that no elections led to: real processes, ports and disks.
 */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import process from "node:process";
import { createFileStorage } from "../../storage/file/mod.ts";
import { eventually, freePort, Nodes } from "../support/server_processes.ts";
import type { Node } from "../support/server_processes.ts";
import type { Suite } from "./portable.ts";
import { pair, raft, statusSays } from "./standing_suite.ts";

const LAST_TERM = Number.MAX_SAFE_INTEGER;

/** Gives the folder of a node that is down another term, as a message could before terms were bounded. */
async function poison({ data }: Node, term: number): Promise<void> {
  const storage = createFileStorage(data);
  await storage.load();
  await storage.persist({ sequence: 1, hardState: { term, votedFor: null }, snapshot: null, entries: [] });
  await storage.close();
}

/** Ends all nodes, gives their folders a term, and starts them again. */
async function poisonAll(nodes: Nodes, term: number): Promise<void> {
  await Promise.all(nodes.all.map((node) => node.end("SIGTERM")));
  for (const node of nodes.all) await poison(node, term);
  for (const node of nodes.all) nodes.start(node);
}

/** Puts a value at a node that refuses it, and returns its error. */
async function refusedPut(
  node: Node,
): Promise<{ readonly code: string; readonly detail: string; readonly hint: string }> {
  const answer = await fetch(`${node.address}/kv/a`, { method: "PUT", body: "1" });
  assert.equal(answer.status, 503);
  return await answer.json();
}

async function onePoisoned(nodes: Nodes): Promise<void> {
  const { leader, other, rest } = await pair(nodes);
  await other.end("SIGTERM");
  await poison(other, LAST_TERM);
  const verified = await raft(rest, "log", "verify", other.data);
  assert.equal(verified.code, 5);
  assert.match(verified.out, /warning: .*its term, 9007199254740991, is the last one there is/);
  const { term } = (await leader.status())!;
  nodes.start(other);
  await other.printed(/error Its term, 9007199254740991, is the last one there is: no election can follow\..*replace/);
  await leader.printed(new RegExp(`Refused a message from .${other.id}.*no elections lead so far`));
  await statusSays(
    nodes.all,
    5,
    /2 of 3 voters up/,
    new RegExp(`^${other.id} .*its term, 9007199254740991, is the`, "m"),
  );
  // Many election timeouts, after each of which it would have been caught up with.
  const until = performance.now() + 8000;
  await eventually("some election timeouts", async () => {
    await leader.put("a", "1");
    return performance.now() > until;
  });
  assert.equal((await leader.status())?.term, term, "the others go on in their term");
  // Its log says how to go on.
  assert.equal((await raft(rest, "member", "remove", other.id)).code, 0);
  await other.end("SIGTERM");
  rmSync(other.data, { recursive: true });
  await nodes.join(other.id);
  const added = await raft(rest, "member", "add", other.id, new URL(other.address).host);
  assert.equal(added.code, 0, added.out);
  await statusSays(nodes.all, 0, /3 of 3 voters up/);
}

async function allInTheLastTerm(nodes: Nodes): Promise<void> {
  await (await nodes.leader()).put("a", "kept");
  await poisonAll(nodes, LAST_TERM);
  for (const node of nodes.all) await node.printed(/error Its term, .*see .{1,2}A term that no elections led to/);
  await statusSays(nodes.all, 4, /no leader/, /^n1 .*its term, 9007199254740991, is the last one there is/m);
  // Each waits as long as it may for a leader.
  const [{ detail, hint }, put] = await Promise.all([
    refusedPut(nodes.all[0]!),
    raft(nodes.all, "kv", "put", "a", "2"),
  ]);
  assert.match(detail, /No leader is known: its term, 9007199254740991, is the last one there is/);
  assert.ok(!hint.includes("An election takes"), hint);
  assert.equal(put.code, 4);
  assert.match(put.out, /This is more than an election\.\nn1: its term/);
  // The way out is to read what is there.
  assert.match((await raft(nodes.all, "log", "dump", nodes.all[0]!.data)).out, /put "a" = kept/);
}

async function allFarAhead(nodes: Nodes): Promise<void> {
  await (await nodes.leader()).put("a", "kept");
  await poisonAll(nodes, 2 ** 40);
  const leader = await nodes.leader();
  assert.equal(await leader.get("a"), "kept");
  assert.ok((await leader.status())!.term > 2 ** 40);
  // A new node follows at once, though its own term is 0.
  const fourth = await nodes.join("n4");
  const added = await raft(nodes.all, "member", "add", "n4", new URL(fourth.address).host);
  assert.equal(added.code, 0, added.out);
  await statusSays(nodes.all, 0, /4 of 4 voters up/);
}

async function cutOff(nodes: Nodes): Promise<void> {
  const [first, second, third] = nodes.all as [Node, Node, Node];
  await Promise.all([second.end("SIGKILL"), third.end("SIGKILL")]);
  const seen = /only 1 of 3 voters answer, which is no quorum; no answer from n2 for \d+ s \(no node answers at/;
  await first.printed(new RegExp(`warn  No leader: ${seen.source}`));
  const { reason } = await (await fetch(`${first.address}/status`)).json() as { readonly reason: string };
  assert.match(reason, seen);
  // Each waits as long as it may for a leader.
  const began = performance.now();
  const [{ code, detail, hint }, put, removed] = await Promise.all([
    refusedPut(first),
    raft([first], "kv", "put", "a", "1"),
    raft([first], "member", "remove", "n3"),
  ]);
  assert.ok(performance.now() - began < 40_000, "an operator is not kept waiting for a minute");
  assert.equal(code, "no_leader");
  assert.match(detail, new RegExp(`^No leader is known: ${seen.source}`));
  assert.match(hint, /^This is more than an election/);
  assert.equal(put.code, 4);
  assert.match(put.out, new RegExp(`hint: This is more than an election\\.\\nn1: ${seen.source}`));
  assert.equal(removed.code, 4);
  assert.match(removed.out, /This is more than an election/);
  nodes.start(second);
  await nodes.leader();
  await statusSays(nodes.all, 5, /2 of 3 voters up/, /^n1 .* ok$/m);
}

async function silentAddresses(nodes: Nodes): Promise<void> {
  await nodes.leader();
  const nowhere = `127.0.0.1:${await freePort()}`;
  const timed = async (...args: readonly string[]) => {
    const began = performance.now();
    const ran = await raft(nodes.all, ...args);
    return { ...ran, ms: performance.now() - began };
  };
  const added = await timed("member", "add", "n4", nowhere);
  assert.equal(added.code, 6, added.out);
  assert.match(added.out, new RegExp(`error: No node answers at http://${nowhere}\\.\\nhint: .*must run first`));
  assert.ok(added.ms < 15_000, `${added.ms}`);
  // A process that listens and does not answer.
  const leader = await nodes.leader();
  const fourth = await nodes.join("n4");
  const [other] = nodes.others(leader);
  process.kill(fourth.pid!, "SIGSTOP");
  process.kill(other.pid!, "SIGSTOP");
  try {
    const [hangs, snapshot] = await Promise.all([
      timed("member", "add", "n4", new URL(fourth.address).host),
      timed("snapshot", "take", other.id),
    ]);
    assert.equal(hangs.code, 6, hangs.out);
    assert.match(hangs.out, /error: No node answers at .* within 5 s/);
    assert.ok(hangs.ms < 20_000, `${hangs.ms}`);
    assert.equal(snapshot.code, 3, snapshot.out);
    assert.match(snapshot.out, new RegExp(`error: Node ${other.id} does not answer`, "i"));
    assert.ok(snapshot.ms < 20_000, `${snapshot.ms}`);
    const removed = await timed("member", "remove", other.id);
    assert.equal(removed.code, 0, removed.out);
    assert.ok(removed.ms < 20_000, `${removed.ms}`);
  } finally {
    for (const { pid } of [fourth, other]) if (pid !== undefined) process.kill(pid, "SIGCONT");
  }
}

/**
 * The suite.
 *
 * @param command the command that starts each node
 */
export function leaderlessSuite(command: readonly string[]): Suite {
  const commands = [command, command, command];
  const nodes = (work: (nodes: Nodes) => Promise<void>) => () => Nodes.run(commands, work);
  return {
    name: "leaderless",
    cases: [
      {
        name: "a cluster goes on beside a folder whose term no elections led to, until it is replaced",
        run: nodes(onePoisoned),
      },
      { name: "nodes that are all in the last term there is say so, and what to do", run: nodes(allInTheLastTerm) },
      {
        name: "nodes that are all in a term that no elections led to go on there, and take in new ones",
        run: nodes(allFarAhead),
      },
      {
        name: "a node that is cut off says what it sees, in its log, its status, to clients and operators",
        run: nodes(cutOff),
      },
      { name: "no operator waits for an address where no node answers", run: nodes(silentAddresses) },
    ],
  };
}
