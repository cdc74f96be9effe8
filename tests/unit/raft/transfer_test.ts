import assert from "node:assert/strict";
import {
  appendEntries,
  bytes,
  command,
  ELECTION_TICKS,
  exchange,
  HEARTBEAT_TICKS,
  reasonOf,
  requestVote,
  Server,
  timeoutNow,
} from "./harness.ts";

const three = ["n1", "n2", "n3"];

Deno.test("§3.10: a leader hands leadership over: the successor leads in the next term, without a pre-vote", () => {
  const [a, b, c] = three.map((id) => new Server(id, { voters: three })) as [Server, Server, Server];
  a.timeout();
  exchange(a, b, c);
  a.propose("kept");
  assert.deepEqual(a.raft.transferLeadership("n3"), { ok: true, to: "n3" });
  exchange(a, b, c);
  assert.deepEqual([a, b, c].map(({ raft }) => [raft.role, raft.term, raft.leader]), [
    ["follower", 3, "n3"],
    ["follower", 3, "n3"],
    ["leader", 3, "n3"],
  ]);
  assert.deepEqual(c.event("electionStarted").map(({ preVote, reason }) => [preVote, reason]), [[false, "transfer"]]);
  assert.deepEqual(c.terms(), [1, 2, 2, 3]);
});

Deno.test("§3.10: TimeoutNow is sent once the successor's log is as long as the leader's, not before", () => {
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  s.propose("a");
  s.persist().drain();
  s.raft.transferLeadership("n2");
  assert.deepEqual(s.sent("TimeoutNow"), []);
  s.ack("n3");
  assert.deepEqual(s.sent("TimeoutNow"), []);
  s.ack("n2");
  assert.deepEqual(s.sent("TimeoutNow", "n2"), [timeoutNow(2)]);
});

Deno.test("§3.10: proposals are refused during a transfer, reads are not", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.raft.transferLeadership("n2");
  assert.equal(reasonOf(s.raft.propose([bytes("x")])), "leadership_transfer");
  assert.equal(s.raft.readIndex(1), null);
});

Deno.test("§3.10: TimeoutNow is repeated, and after an election timeout the transfer has failed", () => {
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  s.raft.transferLeadership("n2");
  assert.equal(s.sent("TimeoutNow").length, 1);
  s.tick(HEARTBEAT_TICKS).ack("n3");
  assert.equal(s.sent("TimeoutNow").length, 1);
  for (let i = HEARTBEAT_TICKS; i < ELECTION_TICKS; i++) {
    assert.equal(s.raft.transferTo, "n2");
    s.tick().ack("n3");
  }
  assert.equal(s.raft.transferTo, null);
  assert.deepEqual(s.event("transferEnded"), [{ type: "transferEnded", to: "n2", reason: "timeout" }]);
  assert.ok(s.raft.propose([bytes("x")]).ok);
});

Deno.test("§6.4.1: a leader has no lease from its first TimeoutNow of a term on: it may still arrive", () => {
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  assert.equal(s.raft.leaseAllowed, true);
  s.raft.transferLeadership("n2");
  assert.equal(s.raft.leaseAllowed, false);
  for (let i = 0; i < ELECTION_TICKS; i++) s.tick().ack("n3");
  assert.deepEqual([s.raft.role, s.raft.transferTo, s.raft.leaseAllowed], ["leader", null, false]);
  const other = new Server("n1", { voters: three }).lead("n3");
  other.raft.transferLeadership("n2");
  assert.equal(other.raft.leaseAllowed, false, "nor while one may leave any moment");
  for (let i = 0; i < ELECTION_TICKS; i++) other.tick().ack("n3");
  assert.equal(other.raft.leaseAllowed, true, "no TimeoutNow was sent in that transfer");
});

Deno.test("§3.10: TimeoutNow counts only from the leader of the term", () => {
  const s = new Server("n1", { voters: three, term: 3 });
  s.deliver("n2", timeoutNow(3));
  assert.equal(s.raft.role, "follower", "the leader is not known");
  s.deliver("n2", appendEntries({ term: 3 }));
  s.deliver("n3", timeoutNow(3)).deliver("n2", timeoutNow(2)).deliver("n2", timeoutNow(4));
  assert.deepEqual([s.raft.role, s.raft.term], ["follower", 3]);
  s.deliver("n2", timeoutNow(3));
  assert.deepEqual([s.raft.role, s.raft.term], ["candidate", 4]);
  s.drain().persist();
  assert.deepEqual(s.sent("RequestVote", "n3"), [requestVote({ term: 4, leadershipTransfer: true })]);
  s.deliver("n2", timeoutNow(4));
  assert.equal(s.raft.term, 4, "a late copy does nothing");
});

Deno.test("§3.10: by default the voter with the longest log that answers takes over", () => {
  const s = new Server("n1", { voters: three, learners: ["n4"] }).lead("n2", "n3");
  s.propose("a");
  s.persist().ack("n4").ack("n3");
  assert.deepEqual(s.raft.transferLeadership(null), { ok: true, to: "n3" });
  const other = new Server("n1", { voters: three }).lead("n2", "n3");
  other.propose("a");
  other.persist().ack("n3");
  for (let i = 0; i < ELECTION_TICKS; i++) other.tick().ack("n2", 2);
  assert.deepEqual(
    other.raft.transferLeadership(null),
    { ok: true, to: "n2" },
    "n3 has more of the log, but does not answer",
  );
});

Deno.test("§3.10: a refused transfer has a reason", () => {
  assert.equal(reasonOf(new Server("n1", { voters: three }).raft.transferLeadership(null)), "not_leader");
  const s = new Server("n1", { voters: three, learners: ["n4"] }).lead("n2");
  assert.equal(reasonOf(s.raft.transferLeadership("n1")), "unchanged");
  assert.equal(reasonOf(s.raft.transferLeadership("n4")), "not_a_voter");
  assert.equal(reasonOf(s.raft.transferLeadership("n9")), "unknown_member");
  s.raft.transferLeadership("n2");
  assert.equal(reasonOf(s.raft.transferLeadership("n3")), "leadership_transfer");
  assert.deepEqual(s.raft.transferLeadership("n2"), { ok: true, to: "n2" }, "the same again is the same transfer");
  const silent = new Server("n1", { voters: three }).lead("n2", "n3");
  for (let i = 0; i < ELECTION_TICKS; i++) silent.tick().ack("n2");
  assert.equal(reasonOf(silent.raft.transferLeadership("n3")), "silent_voter");
  assert.equal(silent.raft.transferTo, null, "proposals go on");
  silent.ack("n3");
  assert.deepEqual(silent.raft.transferLeadership("n3"), { ok: true, to: "n3" });
  const alone = new Server("n1", { voters: ["n1"], settled: false }).tick().persist();
  assert.equal(reasonOf(alone.raft.transferLeadership(null)), "not_a_voter");
});

Deno.test("§3.10: a transfer ends when the leader steps down", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.raft.transferLeadership("n2");
  s.deliver("n2", requestVote({ term: 3, lastLogIndex: 2, lastLogTerm: 2, leadershipTransfer: true })).persist();
  assert.deepEqual([s.raft.role, s.raft.term, s.raft.votedFor], ["follower", 3, "n2"]);
  assert.deepEqual(s.event("transferEnded"), [{ type: "transferEnded", to: "n2", reason: "steppedDown" }]);
});

Deno.test("§3.10: a successor whose log turns out shorter is not elected, and nothing is lost", () => {
  const s = new Server("n3", { voters: three, entries: new Server("n1", { voters: three }).disk.entries, term: 2 });
  s.deliver("n1", appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 2)] })).persist()
    .drain();
  s.deliver("n2", requestVote({ term: 3, leadershipTransfer: true })).persist();
  assert.equal(s.sent("RequestVoteResponse", "n2")[0]?.voteGranted, false);
});
