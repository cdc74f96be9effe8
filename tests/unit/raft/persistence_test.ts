import assert from "node:assert/strict";
import {
  appendedResponse,
  appendEntries,
  command,
  ELECTION_TICKS,
  members,
  membership,
  membershipEntry,
  requestVote,
  Server,
  snapshotMeta,
  timeoutNow,
  vote,
} from "./harness.ts";

const three = ["n1", "n2", "n3"];
const after1 = { term: 1, prevLogIndex: 1, prevLogTerm: 1 };

Deno.test("rule 2: term and vote are written together, before the vote leaves", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n2", requestVote({ term: 5 }));
  assert.deepEqual(s.messages(), []);
  const write = s.beginPersist();
  assert.deepEqual(write?.hardState, { term: 5, votedFor: "n2" });
  assert.deepEqual(s.messages(), []);
  s.endPersist(write);
  assert.deepEqual(s.sent("RequestVoteResponse", "n2"), [vote({ term: 5 })]);
});

Deno.test("rule 2: a candidate asks for votes once its own is on disk, and counts it only then", () => {
  const s = new Server("n1", { voters: three });
  s.timeout();
  s.drain().deliver("n2", vote({ term: 2, preVote: true }));
  const write = s.beginPersist();
  assert.deepEqual(write?.hardState, { term: 2, votedFor: "n1" });
  assert.deepEqual(s.messages(), []);
  s.deliver("n2", vote({ term: 2 }));
  assert.equal(s.raft.role, "candidate", "a vote that no node can have given yet");
  s.endPersist(write);
  assert.equal(s.raft.role, "leader");
});

Deno.test("rule 2: an acknowledgement waits until its term is on disk", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n2", appendEntries({ ...after1, term: 7 }));
  s.deliver("n3", requestVote({ term: 3 }));
  s.deliver("n3", appendEntries({ ...after1, term: 3 }));
  assert.deepEqual(s.messages(), []);
  s.persist();
  const answers = s.messages();
  assert.deepEqual(answers.map(({ to, message }) => [to, message.type, message.term]), [
    ["n2", "AppendEntriesResponse", 7],
    ["n3", "RequestVoteResponse", 7],
    ["n3", "AppendEntriesResponse", 7],
  ]);
});

Deno.test("rule 2: a refusal waits until its term is on disk", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n2", appendEntries({ term: 7, prevLogIndex: 5, prevLogTerm: 6 }));
  assert.deepEqual(s.messages(), []);
  s.persist();
  assert.deepEqual(s.sent("AppendEntriesResponse").map(({ term, success }) => [term, success]), [[7, false]]);
});

Deno.test("rule 2: entries are acknowledged once they are on disk, not before", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n2", appendEntries({ ...after1, entries: [command(2, 1)] }));
  assert.deepEqual(s.messages(), []);
  const write = s.beginPersist();
  s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 2, prevLogTerm: 1, entries: [command(3, 1)] }));
  s.endPersist(write);
  assert.deepEqual(s.sent("AppendEntriesResponse").map(({ matchIndex }) => matchIndex), [2]);
  s.persist();
  assert.deepEqual(s.sent("AppendEntriesResponse").map(({ matchIndex }) => matchIndex), [3]);
});

Deno.test("rule 2: an entry that arrives again while it is written is acknowledged with what is on disk", () => {
  const s = new Server("n1", { voters: three });
  const request = appendEntries({ ...after1, entries: [command(2, 1)], round: 1 });
  s.deliver("n2", request);
  const write = s.beginPersist();
  s.deliver("n2", { ...request, round: 2 });
  assert.deepEqual(s.sent("AppendEntriesResponse").map(({ matchIndex, round }) => [matchIndex, round]), [[1, 2]]);
  s.endPersist(write);
  assert.deepEqual(s.sent("AppendEntriesResponse").map(({ matchIndex, round }) => [matchIndex, round]), [[2, 2]]);
});

Deno.test("rule 2: a vote is not sent if its term is over by the time it is on disk", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n2", requestVote({ term: 2 }));
  const write = s.beginPersist();
  s.deliver("n3", appendEntries({ ...after1, term: 3 }));
  s.endPersist(write);
  assert.deepEqual(s.messages(), []);
  s.persist();
  assert.deepEqual(s.messages().map(({ to, message }) => [to, message.term]), [["n3", 3]]);
});

Deno.test("rule 2: after a crash a node still has exactly what it promised", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n2", requestVote({ term: 5 })).persist();
  s.deliver("n2", appendEntries({ ...after1, term: 5, entries: [command(2, 5)] })).persist();
  s.deliver("n2", appendEntries({ term: 5, prevLogIndex: 2, prevLogTerm: 5, entries: [command(3, 5)] })).crash();
  assert.deepEqual([s.raft.term, s.raft.votedFor, s.raft.lastIndex], [5, "n2", 2]);
});

Deno.test("batches come in order, one at a time, and hold everything to write", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n2", appendEntries({ ...after1, term: 2, entries: [command(2, 1), command(3, 2)] }));
  const one = s.beginPersist();
  assert.deepEqual([one?.sequence, one?.hardState, one?.entries.length], [1, { term: 2, votedFor: null }, 2]);
  assert.throws(() => s.raft.takePersist(), /still under way/);
  s.deliver("n2", appendEntries({ term: 2, prevLogIndex: 3, prevLogTerm: 2, entries: [command(4, 2)] }));
  s.endPersist(one);
  const two = s.beginPersist();
  assert.deepEqual([two?.sequence, two?.hardState, two?.entries.map(({ index }) => index)], [2, null, [4]]);
  s.endPersist(two);
  assert.equal(s.beginPersist(), null);
  assert.throws(() => s.raft.persisted(one!), /not the one under way/);
});

Deno.test("rule 6: a late completion of an overwritten write acknowledges nothing", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n2", appendEntries({ ...after1, entries: [command(2, 1), command(3, 1), command(4, 1)] }));
  const write = s.beginPersist();
  const other = [command(3, 2), command(4, 2)];
  s.deliver("n3", appendEntries({ term: 2, prevLogIndex: 2, prevLogTerm: 1, entries: other, leaderCommit: 4 }));
  s.endPersist(write);
  assert.deepEqual([s.raft.durableIndex, s.raft.applicableIndex], [2, 2], "entries 3 and 4 on disk are others");
  assert.deepEqual(
    s.messages(),
    [],
    "the acknowledgement to the old leader is dropped, that to the new one is not due",
  );
  const next = s.beginPersist();
  assert.deepEqual(next?.entries, other);
  s.endPersist(next);
  assert.deepEqual(s.disk.entries.map(({ term }) => term), [1, 1, 2, 2]);
  assert.equal(s.sent("AppendEntriesResponse", "n3")[0]?.matchIndex, 4);
});

Deno.test("rule 6: a shorter log that replaced a longer one does not count as written", () => {
  const s = new Server("n1", { voters: three, log: [1, 1, 1, 1, 1], term: 2 });
  s.deliver("n2", appendEntries({ term: 2, prevLogIndex: 2, prevLogTerm: 1, entries: [command(3, 2)] }));
  assert.equal(s.raft.durableIndex, 2);
  const write = s.beginPersist();
  s.deliver("n3", appendEntries({ term: 3, prevLogIndex: 2, prevLogTerm: 1, entries: [command(3, 3)] }));
  s.endPersist(write);
  assert.equal(s.raft.durableIndex, 2);
  s.persist();
  assert.equal(s.raft.durableIndex, 3);
});

Deno.test("a leader that can't write steps down, keeps its vote, and is cut back to its durable log", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.raft.readIndex(1);
  s.propose("a", "b");
  const write = s.beginPersist();
  s.ack("n2").ack("n3");
  assert.equal(s.raft.commitIndex, 4);
  assert.equal(s.raft.persistFailed(write!), true);
  assert.deepEqual([s.raft.role, s.raft.term, s.raft.votedFor], ["follower", 2, "n1"]);
  assert.deepEqual([s.raft.lastIndex, s.raft.commitIndex, s.raft.durableIndex], [2, 2, 2]);
  s.collect();
  assert.deepEqual(s.rejectedReads, [1]);
  assert.equal(s.beginPersist(), null, "nothing is tried again");
  assert.deepEqual(s.event("logTruncated"), [{ type: "logTruncated", from: 3 }]);
});

Deno.test("rule 4: a failed write restores the membership before the one that was not written", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  assert.ok(s.raft.changeMembership({ voters: members("n1", "n2", "n3", "n4"), learners: [] }).ok);
  assert.deepEqual(s.raft.membership.voters, ["n1", "n2", "n3", "n4"]);
  s.raft.persistFailed(s.beginPersist()!);
  assert.deepEqual([s.raft.membership.voters, s.raft.membershipIndex], [three, 1]);
  assert.equal(s.event("membershipChanged").at(-1)?.reason, "rolledBack");
});

Deno.test("after a failed write a node does not campaign until a write succeeds; it probes the disk", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.propose("a");
  s.raft.persistFailed(s.beginPersist()!);
  assert.equal(s.raft.campaignBlocked, true);
  s.tick(2 * ELECTION_TICKS);
  assert.equal(s.raft.role, "follower");
  const probe = s.beginPersist();
  assert.deepEqual([probe?.hardState, probe?.entries], [{ term: 2, votedFor: "n1" }, []]);
  assert.equal(s.raft.persistFailed(probe!), true, "a probe that fails changes nothing");
  assert.equal(s.beginPersist(), null, "and is not repeated at once");
  s.deliver("n2", appendEntries({ term: 2, prevLogIndex: 2, prevLogTerm: 2, leaderCommit: 0 }));
  s.deliver("n2", timeoutNow(2));
  assert.equal(s.raft.role, "follower", "not even by TimeoutNow");
  s.tick(3 * ELECTION_TICKS).persist();
  assert.equal(s.raft.campaignBlocked, false);
  s.tick(2 * ELECTION_TICKS);
  assert.equal(s.raft.role, "preCandidate");
});

Deno.test("a failed write of term or vote, of a follower's entries or of a snapshot stops the node", () => {
  const voted = new Server("n1", { voters: three }).deliver("n2", requestVote({ term: 2 }));
  assert.equal(voted.raft.persistFailed(voted.beginPersist()!), false);
  const follower = new Server("n1", { voters: three }).deliver(
    "n2",
    appendEntries({ ...after1, entries: [command(2, 1)] }),
  );
  assert.equal(follower.raft.persistFailed(follower.beginPersist()!), false);
  const installing = new Server("n1", { voters: three });
  installing.raft.installSnapshot("n2", snapshotMeta(9, 1, membership(three)), 1);
  assert.equal(installing.raft.persistFailed(installing.beginPersist()!), false);
});

Deno.test("a failed write stops a node that follows another leader by then", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.propose("a");
  const write = s.beginPersist();
  s.deliver("n3", appendEntries({ term: 3, prevLogIndex: 2, prevLogTerm: 2 }));
  assert.equal(s.raft.persistFailed(write!), false);
});

Deno.test("rule 9: a write that does not return deposes the leader, which keeps its vote and does not campaign", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.propose("a");
  const write = s.beginPersist();
  s.drain().raft.stepDown("a write does not return");
  assert.deepEqual([s.raft.role, s.raft.term, s.raft.votedFor, s.raft.leader], ["follower", 2, "n1", null]);
  assert.equal(s.event("roleChanged").at(-1)?.reason, "a write does not return");
  s.tick(5 * ELECTION_TICKS);
  assert.deepEqual([s.raft.role, s.raft.campaignBlocked], ["follower", true]);
  s.deliver("n3", requestVote({ term: 3, lastLogIndex: 9, lastLogTerm: 2 }));
  assert.deepEqual(s.messages(), [], "nor does it promise anything to anyone");
  s.endPersist(write).persist();
  assert.deepEqual(s.sent("RequestVoteResponse", "n3"), [vote({ term: 3 })]);
  assert.equal(s.raft.campaignBlocked, false);
});

Deno.test("rule 9: acknowledgements behind a hanging write do not pile up", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n2", appendEntries({ ...after1, entries: [command(2, 1)], round: 1 }));
  const write = s.beginPersist();
  for (let i = 3; i < 200; i++) {
    s.deliver(
      "n2",
      appendEntries({ term: 1, prevLogIndex: i - 1, prevLogTerm: 1, entries: [command(i, 1)], round: i }),
    );
  }
  s.endPersist(write);
  assert.equal(s.sent("AppendEntriesResponse").length, 1);
  s.persist();
  const answers = s.sent("AppendEntriesResponse");
  assert.deepEqual(answers.map(({ matchIndex, round }) => [matchIndex, round]), [[199, 199]]);
});

Deno.test("stepDown does nothing on a follower", () => {
  const s = new Server("n1", { voters: three });
  s.raft.stepDown("no reason");
  assert.equal(s.raft.campaignBlocked, false);
});

Deno.test("a leader's answers to its own older entries change nothing after a restart", () => {
  const s = new Server("n1", { voters: three }).lead("n2").crash();
  s.deliver("n3", appendedResponse({ term: 2, matchIndex: 2 }));
  assert.deepEqual([s.raft.role, s.raft.commitIndex], ["follower", 0]);
});

Deno.test("figure 3: applying an entry that is not committed is a fault", () => {
  assert.throws(() => new Server("n1", { voters: three }).raft.applied(1), { name: "InvariantViolation" });
});

Deno.test("rule 4: a truncation on disk restores the older membership after a crash, too", () => {
  const four = membership(["n1", "n2", "n3", "n4"]);
  const s = new Server("n1", { voters: three });
  s.deliver("n2", appendEntries({ ...after1, entries: [membershipEntry(2, 1, four)] })).persist().crash();
  assert.deepEqual(s.raft.membership, four);
  s.deliver("n3", appendEntries({ ...after1, term: 2, entries: [command(2, 2)] })).persist().crash();
  assert.deepEqual([s.raft.membership.voters, s.raft.membershipIndex], [three, 1]);
});
