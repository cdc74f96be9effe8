import assert from "node:assert/strict";
import {
  appendedResponse,
  appendEntries,
  ELECTION_TICKS,
  HEARTBEAT_TICKS,
  installSnapshot,
  joint,
  logOf,
  membership,
  membershipEntry,
  requestVote,
  Server,
  snapshotMeta,
} from "./harness.ts";

const three = ["n1", "n2", "n3"];

/** Returns the newest round that the leader sent to `to`. */
function round(s: Server, to = "n2"): number {
  return s.sent("AppendEntries", to).at(-1)!.round;
}

Deno.test("§6.4: a read is served once a quorum acknowledged a round that began after it arrived", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  assert.equal(s.raft.readIndex(7), null);
  const begun = round(s);
  assert.deepEqual(s.reads, []);
  s.ack("n2", 2, begun).collect();
  assert.deepEqual(s.reads, [{ id: 7, index: 2 }]);
  s.ack("n3", 2, begun).collect();
  assert.equal(s.reads.length, 1, "once");
});

Deno.test("§6.4: a read waits for a round that begins after it; one already under way does not confirm it", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.tick(HEARTBEAT_TICKS);
  const before = round(s);
  s.raft.readIndex(1);
  const own = round(s);
  assert.ok(own > before);
  s.ack("n2", 2, before).collect();
  assert.deepEqual(s.reads, []);
  s.ack("n2", 2, own).collect();
  assert.deepEqual(s.reads, [{ id: 1, index: 2 }]);
});

Deno.test("§6.4: many reads of one turn share one round, and each gets the commit index of its arrival", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  for (let id = 0; id < 100; id++) s.raft.readIndex(id);
  const effects = s.collect();
  assert.equal(effects.messages.length, 2, "one message to each peer");
  assert.ok(effects.roundStarted > 0);
  s.propose("between");
  s.persist().ack("n2", 3, effects.roundStarted).collect();
  assert.equal(s.raft.commitIndex, 3);
  assert.deepEqual(s.reads, Array.from({ length: 100 }, (_, id) => ({ id, index: 2 })));
});

Deno.test("§6.4: reads of several rounds are confirmed in order by the newest acknowledgement", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.raft.readIndex(1);
  const one = round(s);
  s.raft.readIndex(2);
  const two = round(s);
  s.raft.readIndex(3);
  s.ack("n2", 2, one).collect();
  assert.deepEqual(s.reads.map(({ id }) => id), [1]);
  s.ack("n3", 2, two).collect();
  assert.deepEqual(s.reads.map(({ id }) => id), [1, 2]);
});

Deno.test("rule 8: a new leader serves no read before its no-op commits", () => {
  const s = new Server("n1", { voters: three, log: [1, 1, 1] }).elect("n2").persist();
  s.raft.readIndex(1);
  const begun = round(s);
  // n2 is a quorum for the round, but does not have the no-op yet.
  s.deliver("n2", appendedResponse({ term: 2, matchIndex: 3, prevLogIndex: 3, round: begun })).collect();
  assert.equal(s.raft.confirmedRound, begun);
  assert.deepEqual(s.reads, []);
  assert.equal(s.raft.leaseAllowed, false, "nor by a lease");
  s.ack("n2", 4, begun).collect();
  assert.deepEqual(s.reads, [{ id: 1, index: 4 }]);
  assert.equal(s.raft.leaseAllowed, true);
});

Deno.test("rule 8: a new leader has no lease before its no-op commits", () => {
  const s = new Server("n1", { voters: three, log: [1, 1, 1] }).elect("n2").persist();
  assert.equal(s.raft.leaseAllowed, false);
  s.ack("n2");
  assert.equal(s.raft.leaseAllowed, true);
});

Deno.test("rule 8: acknowledgements of an older term, of a round not begun, or of unknown nodes confirm nothing", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.raft.readIndex(1);
  const begun = round(s);
  s.deliver("n2", appendedResponse({ term: 1, matchIndex: 2, prevLogIndex: 2, round: begun }));
  s.deliver("n9", appendedResponse({ term: 2, matchIndex: 2, prevLogIndex: 2, round: begun }));
  s.ack("n2", 2, begun + 1).ack("n1", 2, begun).collect();
  assert.deepEqual(s.reads, []);
  s.ack("n2", 2, begun).collect();
  assert.equal(s.reads.length, 1);
});

Deno.test("rule 8: a refused AppendEntries of an older term acknowledges no round of the newer one", () => {
  // n2 led in term 1 up to round 50, and leads again in term 3. A message of term 1 arrives late: the answer carries
  // term 3, and would be taken for an acknowledgement of round 50 of term 3, which has not begun.
  const s = new Server("n1", { voters: three });
  s.deliver("n2", appendEntries({ term: 3, prevLogIndex: 1, prevLogTerm: 1, round: 2 })).persist().drain();
  s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1, round: 50 }));
  assert.equal(s.sent("AppendEntriesResponse", "n2")[0]?.round, 0);
  s.deliver("n2", installSnapshot({ term: 1, snapshot: snapshotMeta(9, 1, membership(three)), round: 50 }));
  assert.equal(s.sent("InstallSnapshotResponse", "n2")[0]?.round, 2, "round 2 of term 3 was received");
});

Deno.test("rule 8: a chunk's answer that the disk delayed into a newer term acknowledges no round of it", () => {
  const meta = snapshotMeta(9, 1, membership(three));
  const s = new Server("n1", { voters: three });
  s.deliver("n2", installSnapshot({ term: 1, snapshot: meta, round: 50 }));
  s.deliver("n2", appendEntries({ term: 3, prevLogIndex: 1, prevLogTerm: 1, round: 2 })).persist().drain();
  s.raft.snapshotProgress("n2", meta.id, 4, "accepted", 50);
  const [accepted] = s.persist().sent("InstallSnapshotResponse");
  assert.deepEqual([accepted?.term, accepted?.round], [3, 2], "only rounds of this term");
  assert.equal(s.raft.installSnapshot("n2", meta, 50), true);
  const [installed] = s.persist().sent("InstallSnapshotResponse");
  assert.deepEqual([installed?.term, installed?.round], [3, 2]);
  s.raft.snapshotProgress("n3", meta.id, 4, "accepted", 50);
  assert.equal(s.persist().sent("InstallSnapshotResponse")[0]?.round, 0, "and none to a node that does not lead");
});

Deno.test("§6.4: reads are rejected when the leader steps down, each once", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.raft.readIndex(1);
  s.collect();
  s.raft.readIndex(2);
  s.deliver("n3", appendEntries({ term: 3 })).collect();
  assert.deepEqual([s.reads, s.rejectedReads], [[], [1, 2]]);
  assert.equal(s.raft.readIndex(3), "not_leader");
});

Deno.test("§6.4: a deposed leader that has not noticed it confirms nothing", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.raft.readIndex(1);
  s.tick(ELECTION_TICKS).collect();
  assert.deepEqual([s.reads, s.rejectedReads, s.raft.role], [[], [1], "follower"]);
});

Deno.test("§6.4: a single node needs only its no-op committed", () => {
  const s = new Server("n1", { voters: ["n1"], settled: false }).tick();
  s.endPersist(s.beginPersist());
  assert.equal(s.raft.role, "leader");
  s.raft.readIndex(1);
  s.collect();
  assert.deepEqual(s.reads, []);
  s.persist().collect();
  assert.deepEqual(s.reads, [{ id: 1, index: 2 }]);
  s.raft.readIndex(2);
  s.collect();
  assert.deepEqual(s.reads.at(-1), { id: 2, index: 2 });
});

Deno.test("§4.3: in a joint configuration a round needs majorities of both halves", () => {
  const entries = [...logOf([1], membership(three)), membershipEntry(2, 1, joint(three, ["n3", "n4", "n5"]))];
  const s = new Server("n1", { entries }).elect("n2", "n3", "n4").persist();
  for (const id of ["n2", "n3", "n4"]) s.ack(id, 3);
  assert.equal(s.raft.commitIndex, 3);
  s.drain().raft.readIndex(1);
  const begun = round(s);
  s.ack("n2", 3, begun).collect();
  assert.deepEqual(s.reads, [], "a majority of the old half alone");
  s.ack("n4", 3, begun).collect();
  assert.deepEqual(s.reads, []);
  s.ack("n3", 3, begun).collect();
  assert.deepEqual(s.reads, [{ id: 1, index: 3 }]);
});

Deno.test("§6.4: learners confirm no round", () => {
  const s = new Server("n1", { voters: three, learners: ["n4", "n5"] }).lead("n2");
  s.raft.readIndex(1);
  const begun = round(s);
  s.ack("n4", 2, begun).ack("n5", 2, begun).collect();
  assert.deepEqual(s.reads, []);
});

Deno.test("§6.4: an acknowledgement confirms rounds although its entries are not on disk yet", () => {
  const s = new Server("n1", { voters: three });
  const entries = logOf([1, 1], membership(three)).slice(1);
  s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries, round: 4 }));
  s.beginPersist();
  s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 2, prevLogTerm: 1, round: 5 }));
  const [response] = s.sent("AppendEntriesResponse");
  assert.deepEqual([response?.matchIndex, response?.round], [1, 5], "a slow disk does not look like a dead node");
});

Deno.test("§6.4.1: followers grant no vote within the time that a lease may run", () => {
  const leader = new Server("n1", { voters: three }).lead("n2");
  leader.raft.readIndex(1);
  const begun = round(leader);
  leader.ack("n2", 2, begun);
  assert.equal(leader.raft.confirmedRound, begun);
  const follower = new Server("n2", { voters: three, term: 2 });
  follower.deliver("n1", appendEntries({ term: 2, round: begun })).tick(ELECTION_TICKS - 1);
  follower.deliver("n3", requestVote({ term: 3, lastLogIndex: 9, lastLogTerm: 2 })).persist();
  assert.equal(follower.sent("RequestVoteResponse", "n3")[0]?.voteGranted, false);
});
