import assert from "node:assert/strict";
import { crc32c } from "../../lib/crc32c.ts";
import type { RaftError } from "../../lib/errors.ts";
import type { Membership, Message } from "../../lib/raft/types.ts";
import { PROTOCOL_VERSION } from "../../lib/transport.ts";
import type { Envelope } from "../../lib/transport.ts";
import { Cluster, member } from "../support/cluster.ts";
import { bytes, text } from "../support/journal.ts";

/** Joins a forger to the network of a cluster. Returns a function that sends a message under any name. */
async function forger(cluster: Cluster): Promise<(to: string, message: Message, changes?: Partial<Envelope>) => void> {
  const transport = cluster.network.transport("evil");
  await transport.start(() => {});
  return (to, message, changes = {}) => {
    const { clusterId, incarnation } = cluster.get(to).node.status();
    transport.send(to, {
      protocolVersion: PROTOCOL_VERSION,
      clusterId,
      from: "evil",
      fromIncarnation: "evil",
      fromAddress: "evil",
      to,
      toIncarnation: incarnation,
      message,
      ...changes,
    });
  };
}

const heartbeat = (term: number): Message => ({
  type: "AppendEntries",
  term,
  prevLogIndex: 0,
  prevLogTerm: 0,
  entries: [],
  leaderCommit: 0,
  round: 1,
});

Deno.test("a message that no correct peer sends changes nothing; it is counted, and reported once with its sender", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const send = await forger(cluster);
  const { term } = leader.node.status();
  const reports: string[] = [];
  let counted = 0;
  leader.node.addEventListener("refused", ({ detail }) => {
    reports.push(`${detail.kind} of ${detail.from} at ${detail.fromAddress}: ${detail.reason}`);
  });
  leader.node.addEventListener("metric", ({ detail }) => void (detail.type === "refused" && counted++));
  for (let i = 0; i < 3; i++) {
    send(leader.id, heartbeat(term));
    send(leader.id, {
      type: "RequestVote",
      term: Number.MAX_SAFE_INTEGER,
      lastLogIndex: 0,
      lastLogTerm: 0,
      preVote: false,
      leadershipTransfer: true,
    });
    await cluster.pass(100);
  }
  assert.equal(counted, 6);
  assert.deepEqual(reports.sort(), [
    `leader of evil at evil: its AppendEntries claims to lead in term ${term}, and "${leader.id}" does`,
    `term of evil at evil: its RequestVote has term ${Number.MAX_SAFE_INTEGER}, and this node's term is ${term}`,
  ]);
  const { role, term: after, lifecycle } = leader.node.status();
  assert.deepEqual([role, after, lifecycle], ["leader", term, "running"]);
  await cluster.propose(leader, "a");
  await cluster.end();
});

Deno.test("clients are sent to addresses of members only, never to what an envelope says", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const { term } = leader.node.status();
  const follower = cluster.running.find(({ id }) => id !== leader.id)!;
  const refused = (): Promise<unknown> =>
    cluster.settle(
      follower.node.propose(bytes("secret")).then(() => assert.fail("it does not lead"), (error) => error),
    );
  const { leader: hint } = await refused() as RaftError;
  assert.deepEqual(hint, { id: leader.id, address: leader.id });
  const send = await forger(cluster);

  send(follower.id, heartbeat(term + 1));
  await cluster.until(() => follower.node.status().leader?.id === "evil", "a false leader");
  assert.deepEqual(follower.node.status().leader, { id: "evil", address: "" });
  const error = await refused() as RaftError;
  assert.deepEqual([error.code, error.leader], ["no_leader", undefined]);

  // Under a member's name, with another data folder: a node without a leader must process it.
  await cluster.until(() => follower.node.status().leader === null, "an end of the false leader");
  send(follower.id, heartbeat(follower.node.status().term + 1), { from: leader.id });
  await cluster.until(() => follower.node.status().leader !== null, "a leader");
  assert.equal(follower.node.status().leader?.address, leader.id);
  await cluster.leader();
  await cluster.end();
});

/** The whole of a snapshot as one chunk. */
function snapshotOf(content: string, term: number, index: number, membership: Membership): Message {
  const data = bytes(content);
  const snapshot = { id: `false-${index}`, index, term, membership, size: data.length, checksum: crc32c(data) };
  return { type: "InstallSnapshot", term, round: 1, snapshot, offset: 0, data };
}

const RESTORES = [
  ["§7: a snapshot that can't be restored replaces nothing: a state machine that keeps its state when it throws", true],
  ["§7: a snapshot that can't be restored replaces nothing: a state machine that is left with half a state", false],
] as const;
for (const [name, restoresAtomically] of RESTORES) {
  Deno.test(name, async () => {
    const cluster = await Cluster.start({ node: { snapshotEntries: 0, trailingEntries: 0 } });
    const leader = await cluster.leader();
    await cluster.propose(leader, "a", "b");
    await cluster.converge();
    const follower = cluster.running.find(({ id }) => id !== leader.id)!;
    await cluster.settle(follower.node.takeSnapshot());
    await cluster.propose(leader, "c");
    await cluster.converge();
    const { machine, disk } = follower;
    machine.restoresAtomically = restoresAtomically;
    machine.unreadable = "false";
    const before = { snapshot: disk.snapshot, entries: disk.entries.slice() };
    const refused: string[] = [];
    follower.node.addEventListener("refused", ({ detail }) => refused.push(`${detail.kind} of ${detail.from}`));

    const send = await forger(cluster);
    const { term, membership } = leader.node.status();
    send(follower.id, snapshotOf("false", term + 1, 1_000_000, membership));
    await cluster.until(() => refused.length > 0, "a refusal");
    assert.deepEqual(refused, ["snapshot of evil"]);
    assert.deepEqual(machine.commands, ["a", "b", "c"]);
    assert.deepEqual({ snapshot: disk.snapshot, entries: disk.entries.slice() }, before);
    assert.equal(machine.restores, restoresAtomically ? 0 : 1);
    assert.equal(
      text((await cluster.settle(follower.node.read(bytes("all"), { consistency: "stale" }))).result),
      "a\nb\nc",
    );

    await cluster.propose(await cluster.leader(), "d");
    await cluster.converge();
    assert.deepEqual(machine.commands, ["a", "b", "c", "d"]);
    await cluster.crash(follower.id);
    await cluster.restart(follower.id);
    await cluster.converge();
    await cluster.end();
  });
}

Deno.test("§7: a follower that is stopped, or loses power, while it restores a snapshot keeps its former one", async () => {
  for (const end of ["close", "crash"] as const) {
    const cluster = await Cluster.start({ node: { snapshotEntries: 0, trailingEntries: 0 } });
    const leader = await cluster.leader();
    await cluster.propose(leader, "a", "b");
    await cluster.converge();
    const follower = cluster.running.find(({ id }) => id !== leader.id)!;
    const before = follower.disk.entries.slice();
    const send = await forger(cluster);
    const { term, membership } = leader.node.status();
    const restore = Promise.withResolvers<void>();
    follower.machine.heldRestore = restore.promise;
    send(follower.id, snapshotOf("x\n", term + 1, 1_000_000, membership));
    await cluster.until(() => follower.machine.restoring, "a restore");
    const [ended] = [end === "close" ? cluster.close(follower.id) : cluster.crash(follower.id)];
    restore.resolve();
    await ended;
    assert.deepEqual([follower.disk.snapshot, follower.disk.entries], [null, before]);
    await cluster.restart(follower.id);
    await cluster.converge();
    await cluster.end();
  }
});

Deno.test("§7: a snapshot that is overtaken by the log while it is restored is not installed, and the state goes back", async () => {
  const cluster = await Cluster.start({ node: { snapshotEntries: 0, trailingEntries: 0 } });
  const leader = await cluster.leader();
  await cluster.propose(leader, "a", "b");
  await cluster.converge();
  const follower = cluster.running.find(({ id }) => id !== leader.id)!;
  const send = await forger(cluster);
  const { term, membership, commitIndex } = leader.node.status();
  const restore = Promise.withResolvers<void>();
  follower.machine.heldRestore = restore.promise;
  // From the leader's own name: only so can its log arrive meanwhile.
  const { incarnation } = leader.node.status();
  const name = { from: leader.id, fromIncarnation: incarnation, fromAddress: leader.id };
  send(follower.id, snapshotOf("false\n", term, commitIndex + 1, membership), name);
  await cluster.until(() => follower.machine.restoring, "a restore");
  await cluster.propose(leader, "c");
  await cluster.until(() => follower.node.status().commitIndex > commitIndex, "the log");
  assert.equal(follower.node.status().appliedIndex, commitIndex);
  restore.resolve();
  await cluster.converge();
  assert.deepEqual([follower.machine.commands, follower.disk.snapshot], [["a", "b", "c"], null]);
  await cluster.end();
});

Deno.test("a node that waits to be added is not taken by a message that is refused, and reports the cluster that takes it", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const waiting = await cluster.add("n4");
  const send = await forger(cluster);
  const joined: unknown[] = [];
  waiting.node.addEventListener("joined", ({ detail }) => joined.push(detail));
  const other = { clusterId: "another" };
  send("n4", heartbeat(1), { ...other, toIncarnation: "" });
  send("n4", heartbeat(Number.MAX_SAFE_INTEGER), other);
  send("n4", { ...heartbeat(1), prevLogTerm: 9 } as Message, other);
  await cluster.pass(100);
  assert.deepEqual([waiting.node.status().clusterId, joined], ["", []]);
  const { clusterId, membership } = leader.node.status();
  const learners = [member("n4")];
  await cluster.settle(leader.node.changeMembership({ voters: membership.members, learners }));
  await cluster.until(() => waiting.node.status().clusterId === clusterId, "its cluster");
  await cluster.until(() => joined.length > 0, "a report");
  assert.deepEqual(joined, [{ clusterId, from: leader.id, fromAddress: leader.id }]);
  await cluster.end();
});
