import assert from "node:assert/strict";
import {
  appendedResponse,
  appendEntries,
  bytes,
  command,
  config,
  ELECTION_TICKS,
  exchange,
  HEARTBEAT_TICKS,
  installSnapshot,
  logOf,
  membership,
  reasonOf,
  Server,
  snapshotMeta,
} from "./harness.ts";
import { Raft } from "../../../lib/raft/mod.ts";

const three = ["n1", "n2", "n3"];
const first = membership(three);

/** Figure 7: the log of the leader for term 8, and of six followers. */
const figure7Leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
const figure7: Record<string, number[]> = {
  a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
  b: [1, 1, 1, 4],
  c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
  d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
  e: [1, 1, 1, 4, 4, 4, 4],
  f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
};

for (const [name, log] of Object.entries(figure7)) {
  Deno.test(`§5.3, figure 7 (${name}): the follower's log becomes the leader's, in few round trips`, () => {
    const leader = new Server("n1", { voters: three, log: figure7Leader, term: 7 }).elect("n3");
    const follower = new Server("n2", { voters: three, log, term: 7 });
    assert.equal(leader.raft.term, 8);
    const delivered = exchange(leader, follower);
    assert.deepEqual(follower.terms(), [...figure7Leader, 8]);
    assert.deepEqual(follower.disk.entries, leader.disk.entries);
    assert.equal(leader.progress("n2").matchIndex, 11);
    assert.equal(leader.raft.commitIndex, 11);
    assert.ok(delivered <= 12, `${delivered} messages`);
  });
}

Deno.test("§5.3: a conflict skips a whole term in one round trip, on either side", () => {
  const terms = (prefix: number[], term: number) => [...prefix, ...Array<number>(1000).fill(term)];
  for (const [leaderLog, followerLog] of [[terms([1, 1], 5), terms([1, 1], 3)], [terms([1, 1], 3), terms([1], 2)]]) {
    const leader = new Server("n1", { voters: three, log: leaderLog!, term: 5 }).elect("n3");
    const follower = new Server("n2", { voters: three, log: followerLog!, term: 5 });
    const delivered = exchange(leader, follower);
    assert.deepEqual(follower.terms(), leader.terms());
    assert.ok(delivered <= 12, `${delivered} messages`);
  }
});

Deno.test("§5.3: the conflict hint goes back over several terms, none of them entry by entry", () => {
  const leader = new Server("n1", { voters: three, log: [1, 1, ...Array<number>(300).fill(7)], term: 7 }).elect("n3");
  const log = [1, 1, ...Array<number>(100).fill(2), ...Array<number>(100).fill(4), ...Array<number>(100).fill(6)];
  const follower = new Server("n2", { voters: three, log, term: 7 });
  assert.ok(exchange(leader, follower) <= 12);
  assert.deepEqual(follower.terms(), leader.terms());
});

Deno.test("§5.3: a follower refuses entries that do not follow its log, and returns where the logs may meet", () => {
  const cases: [
    log: number[],
    prevLogIndex: number,
    prevLogTerm: number,
    conflictIndex: number,
    conflictTerm: number,
  ][] = [
    [[1, 1], 5, 1, 3, 1], // the log is too short
    [[1, 1, 2, 2, 2], 5, 4, 5, 2], // the whole of term 2 may still match: its term is older than the leader's there
    [[1, 1, 4, 4, 4], 5, 2, 3, 1], // no entry of term 4 can match
  ];
  for (const [log, prevLogIndex, prevLogTerm, conflictIndex, conflictTerm] of cases) {
    const s = new Server("n1", { voters: three, log, term: 5 });
    s.deliver("n2", appendEntries({ term: 5, prevLogIndex, prevLogTerm, leaderCommit: 5, round: 3 }));
    assert.deepEqual(s.sent("AppendEntriesResponse"), [
      appendedResponse({ term: 5, success: false, prevLogIndex, conflictIndex, conflictTerm, round: 3 }),
    ]);
    assert.deepEqual(s.terms(), log, "and changes nothing");
    assert.equal(s.raft.commitIndex, 0);
  }
});

Deno.test("§5.3: an AppendEntries of an older term is refused with the newer term, and acknowledges no round", () => {
  const s = new Server("n1", { voters: three, term: 5 });
  s.deliver("n2", appendEntries({ term: 4, entries: [command(2, 4)], prevLogIndex: 1, prevLogTerm: 1, round: 77 }));
  const [response] = s.sent("AppendEntriesResponse");
  assert.deepEqual([response?.term, response?.success, response?.round], [5, false, 0]);
  assert.equal(s.raft.lastIndex, 1);
});

Deno.test("rule 5: a late or repeated AppendEntries never truncates entries that match", () => {
  const s = new Server("n1", { voters: three });
  const entries = [command(2, 1), command(3, 1), command(4, 1)];
  s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries })).persist().drain();
  s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: entries.slice(0, 1) }));
  assert.equal(s.raft.lastIndex, 4);
  assert.deepEqual(s.event("logTruncated"), []);
  assert.equal(s.beginPersist(), null, "nothing to write again");
  assert.equal(s.sent("AppendEntriesResponse")[0]?.matchIndex, 2, "it acknowledges no more than the message proved");
  s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 2, prevLogTerm: 1, entries: entries.slice(1) })).persist();
  assert.equal(s.sent("AppendEntriesResponse")[0]?.matchIndex, 4);
});

Deno.test("rule 5: a real conflict truncates from there on, and not before", () => {
  const s = new Server("n1", { voters: three, log: [1, 1, 1, 2, 2], term: 3 });
  const entries = [command(3, 1), command(4, 3)];
  s.deliver("n2", appendEntries({ term: 3, prevLogIndex: 2, prevLogTerm: 1, entries }));
  assert.deepEqual(s.terms(), [1, 1, 1, 3]);
  assert.deepEqual(s.event("logTruncated"), [{ type: "logTruncated", from: 4 }]);
  assert.equal(s.raft.durableIndex, 3);
  s.persist();
  assert.deepEqual(s.disk.entries.map(({ term }) => term), [1, 1, 1, 3]);
});

Deno.test("rule 5: committed entries are never truncated; a message that contradicts them is refused", () => {
  const s = new Server("n1", { voters: three, log: [1, 1, 1] });
  s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 3, prevLogTerm: 1, leaderCommit: 3 }));
  const refused = [
    appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 2)] }),
    appendEntries({ term: 2, prevLogIndex: 3, prevLogTerm: 2 }),
    installSnapshot({ term: 2, snapshot: snapshotMeta(2, 2, membership(three)) }),
  ];
  for (const message of refused) assert.equal(s.raft.step("n3", message)?.kind, "conflict");
  assert.deepEqual(s.terms(), [1, 1, 1]);
  assert.deepEqual([s.raft.term, s.raft.leader], [1, "n2"], "not even its term counts: no leader lacks these entries");
});

Deno.test("rule 5: commit never passes the last entry that the message proved equal", () => {
  // Entries 3 and 4 are of an old leader, and lost; the heartbeat matches at 2 only.
  const s = new Server("n1", { voters: three, log: [1, 1, 2, 2], term: 3 });
  s.deliver("n2", appendEntries({ term: 3, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 4 }));
  assert.equal(s.raft.commitIndex, 2);
  s.deliver(
    "n2",
    appendEntries({ term: 3, prevLogIndex: 2, prevLogTerm: 1, entries: [command(3, 3)], leaderCommit: 9 }),
  );
  assert.equal(s.raft.commitIndex, 3);
  s.deliver("n2", appendEntries({ term: 3, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 1 }));
  assert.equal(s.raft.commitIndex, 3, "nor does it go back");
});

Deno.test("an AppendEntries that no leader would send changes nothing", () => {
  const bad = [
    [command(2, 1), command(4, 1)],
    [command(3, 1)],
    [command(2, 1), command(3, 9)],
    [command(2, 3), command(3, 2)],
    [{ ...command(2, 1), type: "membership" as const, data: bytes("no membership") }],
  ];
  for (const entries of bad) {
    const s = new Server("n1", { voters: three });
    s.deliver("n2", appendEntries({ term: 4, prevLogIndex: 1, prevLogTerm: 1, entries }));
    assert.deepEqual([s.raft.lastIndex, s.raft.term, s.messages()], [1, 1, []]);
  }
});

Deno.test("§5.3: a leader sends entries in one message a batch, and pipelines up to its caps", () => {
  const limits = { maxBatchBytes: 100, maxInflightMessages: 3 };
  const s = new Server("n1", { voters: three, config: limits }).lead("n2", "n3");
  s.propose(...Array.from({ length: 20 }, () => "x".repeat(18)));
  const messages = s.sent("AppendEntries", "n2");
  assert.deepEqual(messages.map(({ entries }) => entries.map(({ index }) => index)), [[3, 4], [5, 6], [7, 8]]);
  assert.deepEqual([s.progress("n2").inflightMessages, s.progress("n2").inflightBytes], [3, 300]);
  s.ack("n2", 4);
  assert.deepEqual(s.sent("AppendEntries", "n2").map(({ prevLogIndex }) => prevLogIndex), [8]);
  s.ack("n2", 10);
  assert.equal(s.sent("AppendEntries", "n2").length, 3);
});

Deno.test("§5.3: bytes in flight are capped as well; one message may always go", () => {
  const s = new Server("n1", { voters: three, config: { maxBatchBytes: 100, maxInflightBytes: 120 } }).lead("n2", "n3");
  s.propose("x".repeat(500), "y", "z", "z");
  const messages = s.sent("AppendEntries", "n2");
  assert.deepEqual(messages.map(({ entries }) => entries.length), [1]);
  s.ack("n2", 3);
  assert.deepEqual(s.sent("AppendEntries", "n2").map(({ entries }) => entries.length), [3]);
});

Deno.test("§5.3: until a leader has found where the logs meet it sends one message at a time", () => {
  const s = new Server("n1", { voters: three, log: [1, 1, 1], config: { maxBatchBytes: 1 } }).elect("n3");
  assert.equal(s.sent("AppendEntries", "n2").length, 1);
  s.propose("a", "b", "c");
  assert.deepEqual(s.sent("AppendEntries", "n2"), []);
  s.tick(HEARTBEAT_TICKS);
  assert.deepEqual(s.sent("AppendEntries", "n2").map(({ entries }) => entries.length), [0], "heartbeats continue");
  s.ack("n2", 3);
  assert.equal(s.sent("AppendEntries", "n2").length, 4);
});

Deno.test("§5.3: lost messages are detected by the next heartbeat, and sent again", () => {
  const a = new Server("n1", { voters: three }).lead("n2", "n3");
  const b = new Server("n2", { voters: three, entries: a.disk.entries, term: 2 });
  a.propose("lost", "too");
  a.persist().drain();
  a.tick(HEARTBEAT_TICKS);
  exchange(a, b);
  assert.equal(b.raft.lastIndex, 4);
  assert.equal(a.progress("n2").matchIndex, 4);
  assert.equal(a.progress("n2").inflightMessages, 0);
});

Deno.test("§7: a full window whose entries were lost, and then compacted away, becomes a snapshot", () => {
  const a = new Server("n1", { voters: three, config: { maxInflightMessages: 2, maxBatchBytes: 1 } }).lead("n2", "n3");
  a.propose("a", "b", "c", "d", "e");
  a.persist().ack("n3").drain();
  assert.deepEqual([a.progress("n2").inflightMessages, a.progress("n2").nextIndex], [2, 5]);
  a.raft.applied(7);
  a.raft.snapshotTaken(snapshotMeta(7, 2, first));
  a.raft.compact(7);
  // The follower has entry 2 only; a heartbeat at index 4 can no longer be compared, and proves nothing.
  const b = new Server("n2", { voters: three, entries: a.disk.entries.slice(0, 2), term: 2 });
  a.tick(HEARTBEAT_TICKS);
  exchange(a, b);
  a.tick(HEARTBEAT_TICKS);
  exchange(a, b);
  assert.deepEqual(a.snapshotSends, ["n2"]);
  assert.deepEqual([a.progress("n2").state, a.progress("n2").inflightMessages], ["snapshot", 0]);
});

Deno.test("rule 10: counters of bytes and messages in flight are zero when idle", () => {
  const limits = { maxBatchBytes: 64, maxInflightMessages: 2, maxInflightBytes: 100 };
  const a = new Server("n1", { voters: three, config: limits });
  const b = new Server("n2", { voters: three });
  a.timeout();
  exchange(a, b);
  for (let i = 0; i < 20; i++) a.propose(`command ${i}`, "another");
  exchange(a, b);
  const { inflightBytes, inflightMessages, matchIndex } = a.progress("n2");
  assert.deepEqual([inflightMessages, inflightBytes, matchIndex], [0, 0, a.raft.lastIndex]);
  assert.equal(a.raft.uncommittedBytes, 0);
});

Deno.test("rule 10: a leader that restarted with a log counts what it proposed, and nothing else", () => {
  // Entries 1 to 3 are on disk and not in memory, and are committed together with the no-op.
  const s = new Server("n1", { voters: three, log: [1, 1, 1], config: { maxUncommittedBytes: 100 } }).elect("n2");
  s.propose("early");
  assert.ok(s.raft.uncommittedBytes > 0);
  s.persist().ack("n2");
  assert.equal(s.raft.commitIndex, 5);
  assert.equal(s.raft.uncommittedBytes, 0);
  assert.notEqual(s.raft.propose([bytes("x".repeat(90))]), "busy");
});

Deno.test("rule 10: counters are zero after a leadership ended, too", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.propose("never committed");
  s.deliver("n3", appendEntries({ term: 9 }));
  assert.equal(s.raft.uncommittedBytes, 0);
  assert.deepEqual(s.raft.progress(), []);
});

Deno.test("proposals are refused when too much is uncommitted; a single one over the limit is accepted alone", () => {
  const s = new Server("n1", { voters: three, config: { maxUncommittedBytes: 200 } }).lead("n2");
  s.propose("x".repeat(1000));
  assert.equal(reasonOf(s.raft.propose([bytes("y")])), "busy");
  assert.equal(s.raft.lastIndex, 3, "nothing was taken on");
  s.persist().ack("n2");
  s.propose("y".repeat(100));
  assert.equal(reasonOf(s.raft.propose([bytes("y".repeat(40)), bytes("y".repeat(40))])), "busy", "all or none");
});

Deno.test("a follower refuses proposals", () => {
  assert.equal(reasonOf(new Server("n1", { voters: three }).raft.propose([bytes("x")])), "not_leader");
});

Deno.test("entries that only the disk has are read one batch at a time, and checked before they are sent", () => {
  const s = new Server("n1", { voters: three, log: [1, 1, 1, 1], config: { maxCachedBytes: 0 } }).lead("n3");
  s.deliver("n2", appendedResponse({ term: 2, success: false, prevLogIndex: 4, conflictIndex: 2, conflictTerm: 1 }));
  s.collect();
  s.tick(HEARTBEAT_TICKS).collect();
  assert.deepEqual(s.entryReads, [{ peer: "n2", from: 2, to: 5, maxBytes: 1 << 20 }]);
  const read = s.entryReads[0]!;
  s.drain().raft.entriesRead(read, [command(2, 9)]);
  assert.deepEqual(
    s.sent("AppendEntries", "n2").filter(({ entries }) => entries.length > 0),
    [],
    "another log's entries",
  );
  assert.equal(s.entryReads.length, 1, "so it asks again");
  s.raft.entriesRead(read, s.disk.entries.slice(1));
  assert.deepEqual(s.sent("AppendEntries", "n2").map(({ entries }) => entries.map(({ index }) => index)), [[
    2,
    3,
    4,
    5,
  ]]);
  s.raft.entriesRead(read, s.disk.entries.slice(1));
  assert.deepEqual(s.sent("AppendEntries", "n2"), [], "an answer counts once");
});

Deno.test("a message has a limit of entries, which empty ones reach before that of bytes", () => {
  const log = Array<number>(40_000).fill(1);
  const back = appendedResponse({ term: 2, success: false, prevLogIndex: 40_000, conflictIndex: 2, conflictTerm: 1 });
  for (const maxCachedBytes of [0, 1 << 30]) {
    const s = new Server("n1", { voters: three, log, config: { maxCachedBytes, maxBatchBytes: 1 << 30 } }).lead("n3");
    s.deliver("n2", back);
    s.collect();
    s.tick(HEARTBEAT_TICKS).collect();
    const read = s.entryReads.map(({ from, to }) => to - from + 1);
    const sent = s.sent("AppendEntries", "n2").map(({ entries }) => entries.length).filter((length) => length > 0);
    assert.deepEqual([...read, ...sent], [16_384], `${maxCachedBytes} bytes are cached`);
  }
});

Deno.test("entries that are still being written are not read from the disk", () => {
  const s = new Server("n1", { voters: three, log: [1, 1, 1, 1], config: { maxCachedBytes: 0 } }).lead("n3");
  s.raft.propose([new Uint8Array(1)]);
  s.beginPersist();
  s.deliver("n2", appendedResponse({ term: 2, success: false, prevLogIndex: 4, conflictIndex: 2, conflictTerm: 1 }));
  s.collect();
  assert.deepEqual([s.raft.lastIndex, s.raft.durableIndex], [6, 5]);
  assert.deepEqual(s.entryReads.map(({ from, to }) => [from, to]), [[2, 5]]);
});

Deno.test("entries that could not be read are read again with the next heartbeat", () => {
  const s = new Server("n1", { voters: three, log: [1, 1, 1, 1] }).lead("n3");
  s.deliver("n2", appendedResponse({ term: 2, success: false, prevLogIndex: 4, conflictIndex: 2, conflictTerm: 1 }));
  s.collect();
  s.raft.entriesRead(s.entryReads.pop()!, []);
  s.collect();
  assert.deepEqual(s.entryReads, []);
  s.tick(HEARTBEAT_TICKS).collect();
  assert.equal(s.entryReads.length, 1);
});

Deno.test("§5.3: a late refusal does not move a peer back", () => {
  const s = new Server("n1", { voters: three, log: [1, 1, 1] }).lead("n2", "n3");
  s.deliver("n2", appendedResponse({ term: 2, success: false, prevLogIndex: 3, conflictIndex: 1, conflictTerm: 0 }));
  assert.deepEqual([s.progress("n2").matchIndex, s.progress("n2").state], [4, "replicate"]);
  s.deliver("n2", appendedResponse({ term: 2, matchIndex: 2, prevLogIndex: 2 }));
  assert.equal(s.progress("n2").matchIndex, 4, "nor does a late acknowledgement move it back");
});

Deno.test("an acknowledgement beyond the leader's log is ignored", () => {
  const s = new Server("n1", { voters: three }).elect("n3").persist();
  s.ack("n2", 99);
  assert.deepEqual([s.progress("n2").matchIndex, s.raft.commitIndex], [0, 0]);
});

Deno.test("§5.3: a leader reports a commit without waiting for the next heartbeat", () => {
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  s.propose("a");
  s.persist().drain();
  s.ack("n2");
  assert.deepEqual(s.sent("AppendEntries", "n3").map(({ leaderCommit }) => leaderCommit), [3]);
});

Deno.test("rule 3: inputs are synchronous, so that nothing happens between a check and its use", () => {
  // The core has no promise to await: each input returns a plain value, and has used what it checked by then.
  const s = new Server("n1", { voters: three, settled: false });
  const inputs: [string, () => unknown][] = [
    ["tick", () => s.raft.tick()],
    ["step", () => s.raft.step("n2", appendEntries({ term: 1 }))],
    ["propose", () => s.raft.propose([bytes("x")])],
    ["readIndex", () => s.raft.readIndex(1)],
    ["changeMembership", () => s.raft.changeMembership({ voters: [], learners: [] })],
    ["transferLeadership", () => s.raft.transferLeadership(null)],
    ["stepDown", () => s.raft.stepDown("test")],
    ["takeEffects", () => s.raft.takeEffects()],
    ["takePersist", () => s.raft.takePersist()],
    ["applied", () => s.raft.applied(0)],
  ];
  for (const [name, input] of inputs) {
    const result = input() as { then?: unknown } | null | undefined;
    assert.equal(typeof result?.then, "undefined", `${name} is synchronous`);
  }
  for (const name of Object.getOwnPropertyNames(Raft.prototype)) {
    const method = Object.getOwnPropertyDescriptor(Raft.prototype, name)?.value as unknown;
    if (typeof method === "function") {
      assert.equal(method.constructor.name, name === "constructor" ? "Function" : "Function");
    }
  }
});

Deno.test("a core given the same inputs gives the same outputs", () => {
  const run = () => {
    const s = new Server("n1", { voters: three, settled: false, config: config("n1") }).elect("n2").persist();
    s.propose("a");
    return JSON.stringify(s.persist().ack("n2").tick(ELECTION_TICKS - 1).messages());
  };
  assert.equal(run(), run());
});

Deno.test("a log restored from disk is the log that was written", () => {
  const s = new Server("n1", { entries: [...logOf([1, 1, 2, 5], first), command(5, 5)] });
  assert.deepEqual(s.terms(), [1, 1, 2, 5, 5]);
  assert.deepEqual([s.raft.durableIndex, s.raft.commitIndex], [5, 0]);
});
