import assert from "node:assert/strict";
import {
  appendedResponse,
  appendEntries,
  command,
  ELECTION_TICKS,
  HEARTBEAT_TICKS,
  installResponse,
  installSnapshot,
  logOf,
  membership,
  membershipEntry,
  Server,
  snapshotMeta,
} from "./harness.ts";

const three = ["n1", "n2", "n3"];
const first = membership(three);
const four = membership([...three, "n4"]);

/** A leader of term 2 whose log is compacted up to 8 of 10 entries, and whose peer n2 answers that it has only `has`. */
function leaderWithSnapshot(has = 1): Server {
  const s = new Server("n1", { voters: three, log: Array<number>(9).fill(1) }).lead("n3");
  s.raft.applied(8);
  s.raft.snapshotTaken(snapshotMeta(8, 1, first));
  s.raft.compact(8);
  s.deliver(
    "n2",
    appendedResponse({ term: 2, success: false, prevLogIndex: 9, conflictIndex: has + 1, conflictTerm: 1 }),
  );
  s.collect();
  return s;
}

Deno.test("§7: a peer whose next entry is compacted away gets a snapshot, and then the log that follows", () => {
  const s = leaderWithSnapshot();
  assert.deepEqual(s.snapshotSends, ["n2"]);
  assert.equal(s.progress("n2").state, "snapshot");
  const message = s.raft.snapshotMessage("n2", s.raft.snapshot!, 0, new Uint8Array(8));
  assert.deepEqual([message?.term, message?.snapshot.index], [2, 8]);
  s.drain().deliver("n2", installResponse({ term: 2, snapshotId: "s8", matchIndex: 8 }));
  assert.deepEqual(s.progress("n2").matchIndex, 8);
  const [append] = s.answerEntryReads().sent("AppendEntries", "n2");
  assert.deepEqual([append?.prevLogIndex, append?.prevLogTerm, append?.entries.length], [8, 1, 2]);
  assert.equal(
    s.raft.snapshotMessage("n2", s.raft.snapshot!, 0, new Uint8Array(0)),
    null,
    "no further chunk is wanted",
  );
});

Deno.test("§7: while a snapshot is sent, its receiver needs the log behind that snapshot, even if newer ones exist", () => {
  const s = leaderWithSnapshot();
  assert.equal(s.progress("n2").neededIndex, 9);
  s.raft.applied(10);
  s.raft.snapshotTaken(snapshotMeta(10, 2, first));
  assert.equal(s.progress("n2").neededIndex, 9);
  s.raft.snapshotMessage("n2", s.raft.snapshot!, 0, new Uint8Array(8));
  assert.equal(s.progress("n2").neededIndex, 11, "the newer one is sent");
});

Deno.test("§7: heartbeats continue while a snapshot is sent, and claim nothing that the leader can't compare", () => {
  const s = leaderWithSnapshot();
  s.drain().tick(HEARTBEAT_TICKS);
  const [heartbeat] = s.sent("AppendEntries", "n2");
  assert.deepEqual([heartbeat?.prevLogIndex, heartbeat?.prevLogTerm, heartbeat?.entries], [0, 0, []]);
  s.deliver("n2", appendedResponse({ term: 2, round: heartbeat!.round }));
  assert.equal(s.progress("n2").state, "snapshot", "the answer says nothing of the log");
});

Deno.test("§7: a peer that does not answer is sent no snapshot", () => {
  const s = leaderWithSnapshot();
  s.raft.snapshotFailed("n2");
  assert.equal(s.progress("n2").state, "probe");
  s.drain();
  for (let i = 0; i < ELECTION_TICKS; i++) s.tick().ack("n3");
  s.collect();
  s.raft.snapshotFailed("n2");
  s.drain().tick(HEARTBEAT_TICKS).collect();
  assert.deepEqual(s.snapshotSends, []);
  s.deliver("n2", appendedResponse({ term: 2 })).collect();
  assert.deepEqual(s.snapshotSends, ["n2"]);
});

Deno.test("§7: a failed transfer is started again", () => {
  const s = leaderWithSnapshot().drain();
  s.raft.snapshotFailed("n2");
  s.collect();
  assert.deepEqual(s.snapshotSends, ["n2"]);
});

Deno.test("§7: a peer that turns out to have the log needs no snapshot", () => {
  const s = leaderWithSnapshot().drain();
  s.ack("n2", 9);
  assert.notEqual(s.progress("n2").state, "snapshot");
  assert.deepEqual(s.sent("AppendEntries", "n2").at(-1)?.entries.map(({ index }) => index), [10]);
});

Deno.test("§7: answers to a transfer are passed on to its sender, except those of an older term", () => {
  const s = leaderWithSnapshot().drain();
  s.deliver("n2", installResponse({ term: 2, snapshotId: "s8", status: "accepted", offset: 4 }));
  s.deliver("n2", installResponse({ term: 1, snapshotId: "s8", status: "failed" })).collect();
  assert.deepEqual(s.snapshotResponses.map(({ message }) => [message.status, message.offset]), [["accepted", 4]]);
  assert.equal(s.progress("n2").state, "snapshot");
});

Deno.test("§7, figure 13: a snapshot resets log, membership and commit index; the answer leaves when it is durable", () => {
  const s = new Server("n2", { voters: three, log: [1, 1, 1], term: 2 });
  const meta = snapshotMeta(9, 2, four);
  s.deliver("n1", installSnapshot({ term: 2, snapshot: meta, round: 3 })).collect();
  assert.deepEqual(s.snapshotChunks.map(({ from, message }) => [from, message.snapshot.id]), [["n1", "s9"]]);
  assert.equal(s.raft.leader, "n1");
  assert.equal(s.raft.installSnapshot("n1", meta, 3), true);
  assert.deepEqual([s.raft.commitIndex, s.raft.lastIndex, s.raft.firstIndex], [9, 9, 10]);
  assert.deepEqual(s.raft.membership, four);
  assert.deepEqual(s.raft.snapshot, meta);
  assert.deepEqual(s.sent("InstallSnapshotResponse"), []);
  const batch = s.beginPersist();
  assert.deepEqual([batch?.snapshot, batch?.entries], [meta, []]);
  assert.deepEqual(s.sent("InstallSnapshotResponse"), []);
  s.endPersist(batch);
  assert.deepEqual(s.sent("InstallSnapshotResponse"), [
    installResponse({ term: 2, snapshotId: "s9", matchIndex: 9, round: 3 }),
  ]);
  assert.equal(s.raft.applicableIndex, 9);
});

Deno.test("§7: nothing is applied while an installed snapshot is not on disk", () => {
  const s = new Server("n2", { voters: three, log: [1, 1, 1], term: 2 });
  s.deliver("n1", appendEntries({ term: 2, prevLogIndex: 3, prevLogTerm: 1, leaderCommit: 3 }));
  s.raft.applied(2);
  assert.equal(s.raft.applicableIndex, 3);
  assert.equal(s.raft.installSnapshot("n1", snapshotMeta(9, 2, first), 1), true);
  assert.equal(s.raft.applicableIndex, 2);
  const batch = s.beginPersist();
  assert.equal(s.raft.applicableIndex, 2);
  s.endPersist(batch);
  assert.equal(s.raft.applicableIndex, 9);
});

Deno.test("§7: no further snapshot is collected while an installed one is not on disk", () => {
  const s = new Server("n2", { voters: three, log: [1, 1, 1], term: 2 });
  const chunksOf = (index: number): number => {
    s.deliver("n1", installSnapshot({ term: 2, snapshot: snapshotMeta(index, 2, first) })).collect();
    return s.snapshotChunks.splice(0).length;
  };
  assert.equal(chunksOf(9), 1);
  assert.equal(s.raft.installSnapshot("n1", snapshotMeta(9, 2, first), 1), true);
  assert.equal(chunksOf(12), 0, "it waits for the disk");
  const batch = s.beginPersist();
  assert.equal(chunksOf(12), 0, "it is being written");
  s.endPersist(batch);
  assert.equal(chunksOf(12), 1);
});

Deno.test("§7: entries that follow a pending snapshot are written after it, and acknowledged only then", () => {
  const s = new Server("n2", { voters: three, term: 2 });
  const meta = snapshotMeta(9, 2, first);
  s.raft.installSnapshot("n1", meta, 1);
  const entries = [command(10, 2), command(11, 2)];
  s.deliver("n1", appendEntries({ term: 2, prevLogIndex: 9, prevLogTerm: 2, entries, leaderCommit: 11 }));
  assert.deepEqual(s.sent("AppendEntriesResponse"), []);
  const batch = s.beginPersist();
  assert.deepEqual([batch?.snapshot?.index, batch?.entries.map(({ index }) => index)], [9, [10, 11]]);
  s.endPersist(batch);
  assert.equal(s.sent("AppendEntriesResponse").at(-1)?.matchIndex, 11);
  assert.equal(s.raft.applicableIndex, 11);
  s.crash();
  assert.deepEqual([s.raft.firstIndex, s.raft.lastIndex, s.raft.commitIndex], [10, 11, 9]);
});

Deno.test("§7: a snapshot that is not newer than what is committed is never installed", () => {
  const s = new Server("n2", { voters: three, log: [1, 1, 1, 1], term: 2 });
  s.deliver("n1", appendEntries({ term: 2, prevLogIndex: 4, prevLogTerm: 1, leaderCommit: 4 })).drain();
  const meta = snapshotMeta(3, 1, first);
  s.deliver("n1", installSnapshot({ term: 2, snapshot: meta, round: 2 })).collect();
  assert.deepEqual(s.snapshotChunks, [], "not even its bytes are requested");
  assert.deepEqual(s.sent("InstallSnapshotResponse"), [
    installResponse({ term: 2, snapshotId: "s3", matchIndex: 4, round: 2 }),
  ]);
  assert.equal(s.raft.installSnapshot("n1", meta, 2), false);
  assert.deepEqual([s.raft.lastIndex, s.raft.commitIndex, s.raft.snapshot], [4, 4, null]);
});

Deno.test("§7: a log that has the snapshot's last entry keeps what follows it", () => {
  const s = new Server("n2", { voters: three, log: [1, 1, 1, 1, 1], term: 2 });
  s.deliver("n1", installSnapshot({ term: 2, snapshot: snapshotMeta(3, 1, first), round: 2 })).collect();
  assert.deepEqual(s.snapshotChunks, []);
  assert.deepEqual([s.raft.commitIndex, s.raft.lastIndex], [3, 5]);
  assert.equal(s.sent("InstallSnapshotResponse")[0]?.matchIndex, 3);
});

Deno.test("§7: entries that arrived while a snapshot was stored are kept: they were acknowledged", () => {
  // The chunks came from the old leader. The new leader had all the entries, and counts n2's disk for entry 5.
  const s = new Server("n2", { voters: three, log: [1], term: 2 });
  const meta = snapshotMeta(3, 1, first);
  s.deliver("n1", installSnapshot({ term: 2, snapshot: meta, round: 2 })).collect();
  assert.equal(s.snapshotChunks.length, 1);
  const entries = [command(2, 1), command(3, 1), command(4, 1), command(5, 3)];
  s.deliver("n3", appendEntries({ term: 3, prevLogIndex: 1, prevLogTerm: 1, entries, round: 9 })).persist();
  assert.equal(s.sent("AppendEntriesResponse", "n3").at(-1)?.matchIndex, 5);
  assert.equal(s.raft.installSnapshot("n1", meta, 2), false);
  assert.deepEqual([s.raft.lastIndex, s.raft.commitIndex, s.raft.durableIndex], [5, 3, 5]);
  assert.equal(s.persist().sent("InstallSnapshotResponse", "n1")[0]?.matchIndex, 3);
  s.crash();
  assert.equal(s.raft.lastIndex, 5);
});

Deno.test("§7: entries that conflict with the snapshot are removed, wherever they end", () => {
  const s = new Server("n2", { voters: three, log: [1, 1, 2, 2, 2, 2], term: 3 });
  assert.equal(s.raft.installSnapshot("n1", snapshotMeta(4, 3, first), 1), true);
  s.persist();
  assert.deepEqual([s.raft.firstIndex, s.raft.lastIndex, s.disk.entries.length], [5, 4, 0]);
});

Deno.test("rule 4: a snapshot restores the membership as of its index, and the role that follows from it", () => {
  const s = new Server("n4");
  assert.equal(s.tick(20 * ELECTION_TICKS).raft.role, "follower");
  s.raft.installSnapshot("n1", snapshotMeta(9, 1, four), 1);
  assert.deepEqual(s.raft.membership, four);
  assert.equal(s.event("membershipChanged")[0]?.reason, "restored");
  s.persist().crash();
  assert.deepEqual([s.raft.membership, s.raft.membershipIndex, s.raft.membershipCommitted], [four, 9, true]);
  s.tick(2 * ELECTION_TICKS);
  assert.equal(s.raft.role, "preCandidate");
});

Deno.test("rule 4: a snapshot carries the membership as of its index, not the newest", () => {
  const entries = [...logOf([1, 1, 1], first), membershipEntry(4, 1, four), command(5, 1)];
  const s = new Server("n1", { entries });
  assert.deepEqual(s.raft.membership, four);
  assert.deepEqual(s.raft.membershipAt(3), first);
  assert.deepEqual(s.raft.membershipAt(4), four);
  s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 5, prevLogTerm: 1, leaderCommit: 5 }));
  s.raft.applied(5);
  s.raft.snapshotTaken(snapshotMeta(3, 1, first));
  s.raft.compact(3);
  assert.deepEqual(s.raft.membership, four);
  assert.deepEqual([s.raft.membershipAt(3), s.raft.firstIndex], [first, 4]);
});

Deno.test("§7: a snapshot that is overtaken by an installed one is discarded", () => {
  const s = new Server("n2", { voters: three, log: [1, 1, 1], term: 2 });
  s.deliver("n1", appendEntries({ term: 2, prevLogIndex: 3, prevLogTerm: 1, leaderCommit: 3 }));
  s.raft.applied(3);
  s.raft.installSnapshot("n1", snapshotMeta(9, 2, first), 1);
  s.raft.snapshotTaken(snapshotMeta(3, 1, first));
  assert.equal(s.raft.snapshot?.index, 9);
});

Deno.test("§7: a snapshot ahead of what is applied is a fault", () => {
  const s = new Server("n1", { voters: three, log: [1, 1] });
  assert.throws(() => s.raft.snapshotTaken(snapshotMeta(2, 1, first)), { name: "InvariantViolation" });
});

Deno.test("§7: entries that no snapshot covers are never compacted", () => {
  const s = new Server("n1", { voters: three, log: [1, 1, 1] });
  s.raft.compact(3);
  assert.equal(s.raft.firstIndex, 1);
  s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 3, prevLogTerm: 1, leaderCommit: 3 }));
  s.raft.applied(2);
  s.raft.snapshotTaken(snapshotMeta(2, 1, first));
  s.raft.compact(3);
  assert.equal(s.raft.firstIndex, 3);
});

Deno.test("§7: a follower accepts AppendEntries whose start its snapshot covers", () => {
  const s = new Server("n2", { voters: three, snapshot: snapshotMeta(5, 1, first), entries: [command(6, 1)] });
  const entries = [command(4, 1), command(5, 1), command(6, 1), command(7, 1)];
  s.deliver("n1", appendEntries({ term: 1, prevLogIndex: 3, prevLogTerm: 1, entries })).persist();
  assert.equal(s.raft.lastIndex, 7);
  assert.equal(s.sent("AppendEntriesResponse").at(-1)?.matchIndex, 7);
});

Deno.test("§7: chunks of an older term are refused with the newer one", () => {
  const s = new Server("n2", { voters: three, term: 5 });
  s.deliver("n1", installSnapshot({ term: 4, snapshot: snapshotMeta(9, 4, first) })).collect();
  assert.deepEqual(s.snapshotChunks, []);
  const [response] = s.sent("InstallSnapshotResponse");
  assert.deepEqual([response?.term, response?.status], [5, "failed"]);
});

Deno.test("§7: only a follower installs a snapshot; a candidate ignores it", () => {
  const s = new Server("n2", { voters: three });
  s.timeout();
  assert.equal(s.raft.installSnapshot("n1", snapshotMeta(9, 1, first), 1), false);
  assert.equal(s.raft.lastIndex, 1);
});

Deno.test("rule 6: a write that ends after an installed snapshot replaced it acknowledges none of its entries", () => {
  // The write goes beyond the snapshot, and is of another leader: none of it is left in the log.
  const s = new Server("n2", { voters: three, term: 1 });
  const entries = Array.from({ length: 12 }, (_, i) => command(i + 2, 1));
  s.deliver("n3", appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries }));
  const write = s.beginPersist();
  s.deliver("n1", installSnapshot({ term: 2, snapshot: snapshotMeta(9, 2, first) }));
  assert.equal(s.raft.installSnapshot("n1", snapshotMeta(9, 2, first), 1), true);
  s.endPersist(write);
  assert.ok(s.raft.durableIndex < 9);
  assert.equal(s.raft.applicableIndex, 0);
  assert.deepEqual(s.sent("InstallSnapshotResponse"), []);
  s.persist();
  assert.equal(s.sent("InstallSnapshotResponse")[0]?.matchIndex, 9);
});
