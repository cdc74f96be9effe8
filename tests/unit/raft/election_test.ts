import assert from "node:assert/strict";
import {
  appendEntries,
  command,
  ELECTION_TICKS,
  exchange,
  HEARTBEAT_TICKS,
  logOf,
  membership,
  membershipEntry,
  requestVote,
  Server,
  timeoutNow,
  vote,
} from "./harness.ts";
import { Raft } from "../../../lib/raft/mod.ts";
import { config } from "./harness.ts";

const three = ["n1", "n2", "n3"];

Deno.test("§5.2: servers start as followers", () => {
  const s = new Server("n1", { voters: three, settled: false });
  assert.equal(s.raft.role, "follower");
  assert.equal(s.raft.leader, null);
});

Deno.test("§5.2: a follower that receives from a leader stays a follower", () => {
  const s = new Server("n1", { voters: three });
  for (let i = 0; i < 10; i++) {
    s.deliver("n2", appendEntries({ term: 1 })).tick(ELECTION_TICKS - 1);
    assert.equal(s.raft.role, "follower");
  }
  assert.equal(s.raft.leader, "n2");
});

Deno.test("§5.2: election timeouts are random, from one to less than two minimum timeouts", () => {
  const seen = new Set<number>();
  for (let seed = 0; seed < 200; seed++) {
    const s = new Server("n1", { voters: three, settled: false, config: { seed } });
    seen.add(s.timeout());
  }
  assert.deepEqual([...seen].sort((a, b) => a - b), [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
});

Deno.test("§5.2: each new campaign draws a new timeout", () => {
  const s = new Server("n1", { voters: three, settled: false });
  const seen = new Set<number>();
  for (let i = 0; i < 40; i++) {
    let ticks = 0;
    const started = s.event("electionStarted").length;
    while (s.event("electionStarted").length === started) {
      s.tick();
      ticks++;
    }
    seen.add(ticks);
  }
  assert.ok(seen.size >= 8, [...seen].join());
});

Deno.test("§5.2: a candidate increments its term, votes for itself, and asks all others", () => {
  const s = new Server("n1", { voters: three, log: [1, 1], term: 4 });
  s.timeout();
  s.deliver("n2", vote({ term: 5, preVote: true }));
  assert.equal(s.raft.role, "candidate");
  assert.deepEqual([s.raft.term, s.raft.votedFor], [5, "n1"]);
  s.drain().persist();
  const requests = s.messages().filter(({ message }) => message.type === "RequestVote");
  assert.deepEqual(requests.map(({ to }) => to), ["n2", "n3"]);
  assert.deepEqual(requests[0]!.message, requestVote({ term: 5, lastLogIndex: 2, lastLogTerm: 1 }));
});

Deno.test("§5.2: votes of a majority elect a leader, which announces itself to all with the no-op of its term (§8)", () => {
  const s = new Server("n1", { voters: ["n1", "n2", "n3", "n4", "n5"] });
  s.timeout();
  s.deliver("n2", vote({ term: 2, preVote: true })).deliver("n3", vote({ term: 2, preVote: true })).persist();
  s.deliver("n2", vote({ term: 2 }));
  assert.equal(s.raft.role, "candidate", "two of five are not a majority");
  s.deliver("n2", vote({ term: 2 }));
  assert.equal(s.raft.role, "candidate", "one vote counts once");
  s.deliver("n3", vote({ term: 2 }));
  assert.equal(s.raft.role, "leader");
  assert.equal(s.raft.leader, "n1");
  const announced = s.messages().filter(({ message }) => message.type === "AppendEntries");
  assert.deepEqual(announced.map(({ to }) => to), ["n2", "n3", "n4", "n5"]);
  const { message } = announced[0]!;
  assert.ok(message.type === "AppendEntries");
  assert.deepEqual(message.entries.map(({ index, term, type }) => [index, term, type]), [[2, 2, "noop"]]);
});

Deno.test("§5.2: denials of a majority end the campaign", () => {
  const s = new Server("n1", { voters: three });
  s.timeout();
  s.deliver("n2", vote({ term: 2, preVote: true })).persist();
  s.deliver("n2", vote({ term: 2, voteGranted: false }));
  assert.equal(s.raft.role, "candidate");
  s.deliver("n3", vote({ term: 2, voteGranted: false }));
  assert.equal(s.raft.role, "follower");
  assert.deepEqual([s.raft.term, s.raft.votedFor], [2, "n1"], "the vote is kept");
});

Deno.test("§5.2: a late denial of an older request does not hide a later vote", () => {
  // Terms 2 and 3 are campaigns of n1. The answer to the first carries term 3, which n2 has seen by then.
  const s = new Server("n1", { voters: three });
  s.timeout();
  s.deliver("n2", vote({ term: 2, preVote: true })).persist();
  s.deliver("n2", vote({ term: 2, voteGranted: false }));
  s.deliver("n2", vote({ term: 2 }));
  assert.equal(s.raft.role, "leader");
});

Deno.test("§5.2: a candidate that receives from the leader of its term follows it", () => {
  const s = new Server("n1", { voters: three });
  s.timeout();
  s.deliver("n2", vote({ term: 2, preVote: true })).persist();
  s.deliver("n3", appendEntries({ term: 2 }));
  assert.deepEqual([s.raft.role, s.raft.term, s.raft.leader], ["follower", 2, "n3"]);
  s.deliver("n2", vote({ term: 2 })).deliver("n3", vote({ term: 2 }));
  assert.equal(s.raft.role, "follower", "later votes don't count");
});

Deno.test("§5.2: a candidate ignores leaders of older terms", () => {
  const s = new Server("n1", { voters: three, term: 3 });
  s.timeout();
  s.deliver("n2", vote({ term: 4, preVote: true })).persist();
  s.deliver("n3", appendEntries({ term: 3 }));
  assert.equal(s.raft.role, "candidate");
});

Deno.test("§5.2: a split vote ends with a campaign in a newer term", () => {
  const s = new Server("n1", { voters: three });
  s.timeout();
  s.deliver("n2", vote({ term: 2, preVote: true })).persist();
  s.timeout();
  s.deliver("n2", vote({ term: 3, preVote: true }));
  assert.deepEqual([s.raft.role, s.raft.term], ["candidate", 3]);
});

Deno.test("§5.2: each campaign is in a new term, however many there are", () => {
  const s = new Server("n1", { voters: three });
  for (let term = 2; term < 22; term++) {
    s.timeout();
    s.deliver("n2", vote({ term, preVote: true })).persist();
    assert.deepEqual([s.raft.role, s.raft.term], ["candidate", term]);
  }
});

Deno.test("§5.2: votes of another term don't count", () => {
  const s = new Server("n1", { voters: three, term: 4 });
  s.timeout();
  s.deliver("n2", vote({ term: 5, preVote: true })).persist();
  s.deliver("n2", vote({ term: 4 })).deliver("n3", vote({ term: 5, preVote: true }));
  assert.equal(s.raft.role, "candidate");
});

Deno.test("§5.2: a node votes once per term, first come first served", () => {
  const s = new Server("n1", { voters: three, term: 1 });
  s.deliver("n2", requestVote({ term: 2 })).persist();
  assert.deepEqual(s.sent("RequestVoteResponse", "n2"), [vote({ term: 2 })]);
  s.deliver("n3", requestVote({ term: 2 })).persist();
  assert.deepEqual(s.sent("RequestVoteResponse", "n3"), [vote({ term: 2, voteGranted: false })]);
  s.deliver("n2", requestVote({ term: 2 })).persist();
  assert.deepEqual(s.sent("RequestVoteResponse", "n2"), [vote({ term: 2 })], "a repeated request, a repeated answer");
});

Deno.test("§5.1: a request of an older term is denied with the newer one", () => {
  const s = new Server("n1", { voters: three, term: 5 });
  s.deliver("n2", requestVote({ term: 4 }));
  assert.deepEqual(s.sent("RequestVoteResponse"), [vote({ term: 5, voteGranted: false })]);
});

Deno.test("§5.1: a candidate or leader that learns of a newer term becomes a follower", () => {
  const candidate = new Server("n1", { voters: three });
  candidate.timeout();
  candidate.deliver("n2", vote({ term: 2, preVote: true })).persist();
  candidate.deliver("n2", vote({ term: 7, voteGranted: false }));
  assert.deepEqual([candidate.raft.role, candidate.raft.term, candidate.raft.votedFor], ["follower", 7, null]);
  const leader = new Server("n1", { voters: three }).lead("n2");
  leader.deliver("n3", appendEntries({ term: 3 }));
  assert.deepEqual([leader.raft.role, leader.raft.term, leader.raft.leader], ["follower", 3, "n3"]);
});

Deno.test("§5.4.1: the vote goes to a log that is at least as up-to-date, by last term and then by length", () => {
  const cases: [terms: number[], index: number, term: number, granted: boolean][] = [
    [[1], 1, 1, true],
    [[1], 2, 1, true],
    [[1, 1], 1, 1, false],
    [[1, 1], 1, 2, true],
    [[1, 2], 1, 2, false],
    [[1, 2], 9, 1, false],
    [[1, 2], 2, 2, true],
    [[1, 1, 1], 1, 3, true],
  ];
  for (const [terms, lastLogIndex, lastLogTerm, granted] of cases) {
    for (const preVote of [false, true]) {
      const s = new Server("n1", { voters: three, log: terms, term: 3 });
      s.deliver("n2", requestVote({ term: 4, lastLogIndex, lastLogTerm, preVote })).persist();
      const [response] = s.sent("RequestVoteResponse");
      assert.equal(response?.voteGranted, granted, `${terms} against ${lastLogIndex}/${lastLogTerm}`);
    }
  }
});

Deno.test("§9.6: a pre-vote changes no node's term or vote, and a grant carries the proposed term", () => {
  const s = new Server("n1", { voters: three, term: 4 });
  s.deliver("n2", requestVote({ term: 5, preVote: true }));
  assert.deepEqual(s.sent("RequestVoteResponse"), [vote({ term: 5, preVote: true })]);
  assert.deepEqual([s.raft.term, s.raft.votedFor], [4, null]);
  assert.equal(s.beginPersist(), null, "nothing to write");
  s.deliver("n3", requestVote({ term: 5, preVote: true }));
  assert.equal(s.sent("RequestVoteResponse")[0]!.voteGranted, true, "a pre-vote is not a promise");
  s.deliver("n2", requestVote({ term: 90, preVote: true }));
  assert.deepEqual(s.sent("RequestVoteResponse"), [vote({ term: 90, preVote: true })]);
  assert.deepEqual([s.raft.term, s.raft.votedFor], [4, null], "however far ahead the term is");
});

Deno.test("§9.6: a pre-candidate that can't win keeps its term, however long it tries", () => {
  const s = new Server("n1", { voters: three });
  s.tick(40 * ELECTION_TICKS);
  assert.deepEqual([s.raft.role, s.raft.term], ["preCandidate", 1]);
});

Deno.test("§9.6: pre-votes of an older campaign, and real votes, don't count in a pre-vote", () => {
  const s = new Server("n1", { voters: three, term: 4 });
  s.timeout();
  s.deliver("n2", vote({ term: 4, preVote: true })).deliver("n3", vote({ term: 4 }));
  assert.equal(s.raft.role, "preCandidate");
});

Deno.test("§9.6: a pre-candidate with an old term learns the newer one, and denials end its campaign", () => {
  const s = new Server("n1", { voters: three, term: 4 });
  s.timeout();
  s.deliver("n2", vote({ term: 6, preVote: true, voteGranted: false }));
  assert.deepEqual([s.raft.role, s.raft.term], ["follower", 6]);
});

Deno.test("§9.6: a late pre-vote is not a vote", () => {
  const s = new Server("n1", { voters: three, term: 4 });
  s.timeout();
  s.deliver("n2", vote({ term: 5, preVote: true })).persist();
  assert.equal(s.raft.role, "candidate");
  s.deliver("n3", vote({ term: 5, preVote: true }));
  assert.equal(s.raft.role, "candidate", "n3 has promised nothing");
  s.deliver("n3", vote({ term: 5 }));
  assert.equal(s.raft.role, "leader");
});

Deno.test("§9.6: no node pre-votes for a term that is not newer", () => {
  const s = new Server("n1", { voters: three, term: 4 });
  s.deliver("n2", requestVote({ term: 4, lastLogIndex: 9, lastLogTerm: 4, preVote: true }));
  assert.deepEqual(s.sent("RequestVoteResponse"), [vote({ term: 4, preVote: true, voteGranted: false })]);
});

Deno.test("§4.2.3: while a leader is alive others' campaigns are ignored, their term included", () => {
  for (const preVote of [true, false]) {
    const s = new Server("n1", { voters: three });
    s.deliver("n2", appendEntries({ term: 1 })).tick(ELECTION_TICKS - 1);
    s.deliver("n3", requestVote({ term: 9, lastLogIndex: 9, lastLogTerm: 8, preVote })).persist();
    const [response] = s.sent("RequestVoteResponse");
    assert.deepEqual([response?.voteGranted, response?.term, s.raft.term], [false, 1, 1]);
    assert.equal(s.event("voteDenied")[0]?.reason, "leaderAlive");
    s.tick();
    s.deliver("n3", requestVote({ term: 9, lastLogIndex: 9, lastLogTerm: 8, preVote })).persist();
    assert.equal(s.sent("RequestVoteResponse", "n3")[0]?.voteGranted, true, "after a minimum timeout it may");
  }
});

Deno.test("§4.2.3: a leader ignores campaigns as well", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.deliver("n3", requestVote({ term: 9, lastLogIndex: 9, lastLogTerm: 8 }));
  assert.deepEqual([s.raft.role, s.raft.term], ["leader", 2]);
});

Deno.test("§4.2.3: the flag of a transfer overrides stickiness; a pre-vote can't claim it", () => {
  const request = requestVote({ term: 2, leadershipTransfer: true });
  const s = new Server("n1", { voters: three });
  s.deliver("n2", appendEntries({ term: 1 }));
  s.deliver("n3", { ...request, preVote: true });
  assert.equal(s.sent("RequestVoteResponse", "n3")[0]?.voteGranted, false);
  s.deliver("n3", request).persist();
  assert.equal(s.sent("RequestVoteResponse", "n3")[0]?.voteGranted, true);
});

Deno.test("§6.4.1: the promise to a leader holds although a newer term was seen elsewhere", () => {
  // The leader's lease counts on it: n1 acknowledged n2 just now, and then gets a late answer of a newer term.
  for (const preVote of [true, false]) {
    const s = new Server("n1", { voters: three });
    s.deliver("n2", appendEntries({ term: 1 }));
    s.deliver("n3", vote({ term: 7, voteGranted: false })).persist().drain();
    assert.equal(s.raft.term, 7);
    s.tick(ELECTION_TICKS - 1);
    s.deliver("n3", requestVote({ term: 8, preVote })).persist();
    assert.equal(s.sent("RequestVoteResponse", "n3")[0]?.voteGranted, false);
    s.tick();
    s.deliver("n3", requestVote({ term: 8, preVote })).persist();
    assert.equal(s.sent("RequestVoteResponse", "n3")[0]?.voteGranted, true);
  }
});

Deno.test("§6.4.1: a restarted node grants no vote for one minimum election timeout: it may have promised a lease before", () => {
  const s = new Server("n1", { voters: three, settled: false }).tick(ELECTION_TICKS - 1);
  for (const preVote of [true, false]) {
    s.deliver("n2", requestVote({ term: 2, preVote })).persist();
    assert.equal(s.sent("RequestVoteResponse")[0]?.voteGranted, false);
  }
  assert.equal(s.event("voteDenied")[0]?.reason, "restartedRecently");
  assert.equal(s.raft.term, 1);
  s.deliver("n2", requestVote({ term: 2, leadershipTransfer: true })).persist();
  assert.equal(
    s.sent("RequestVoteResponse")[0]?.voteGranted,
    true,
    "but a transfer was requested by the leader itself",
  );
  const other = new Server("n1", { voters: three, settled: false }).tick(ELECTION_TICKS);
  other.deliver("n2", requestVote({ term: 2 })).persist();
  assert.equal(other.sent("RequestVoteResponse")[0]?.voteGranted, true);
});

Deno.test("§6.2: a leader that reaches no quorum for an election timeout steps down, in the same term", () => {
  const s = new Server("n1", { voters: ["n1", "n2", "n3", "n4", "n5"] }).lead("n2", "n3");
  s.tick(ELECTION_TICKS - 1);
  assert.equal(s.raft.role, "leader");
  s.ack("n2").tick();
  assert.deepEqual([s.raft.role, s.raft.term, s.raft.leader], ["follower", 2, null], "two of five are not a quorum");
  const other = new Server("n1", { voters: three }).lead("n2");
  for (let i = 0; i < 5; i++) other.tick(ELECTION_TICKS - 1).ack("n3");
  assert.equal(other.raft.role, "leader");
});

Deno.test("§5.2: a leader sends heartbeats in every heartbeat interval", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  for (let i = 0; i < 4; i++) {
    s.tick(HEARTBEAT_TICKS - 1);
    assert.deepEqual(s.sent("AppendEntries", "n2"), []);
    s.tick();
    assert.equal(s.sent("AppendEntries", "n2").length, 1);
    s.ack("n2");
  }
});

Deno.test("a single voter leads as soon as its vote is on disk", () => {
  const s = new Server("n1", { voters: ["n1"], settled: false }).tick();
  assert.equal(s.raft.role, "candidate");
  s.persist();
  assert.deepEqual([s.raft.role, s.raft.term, s.raft.commitIndex], ["leader", 2, 2]);
});

Deno.test("a node with another data folder has no vote, although the log says that its name had one", () => {
  // It was removed, and came back with an empty folder: its log begins with a membership in which its name had a vote.
  const replaced = (voters: readonly string[]) => {
    const entries = logOf([1], membership([...voters]));
    return new Server("n1", { entries, settled: false, config: { incarnation: "another" } });
  };
  for (const voters of [["n1"], ["n1", "n2"], three]) {
    const s = replaced(voters).tick(5 * ELECTION_TICKS);
    assert.deepEqual([s.raft.role, s.raft.term, s.sent("RequestVote")], ["follower", 1, []], `${voters}`);
  }
});

Deno.test("§4.2.2: the only voter of an uncommitted membership does not depose the leader that is leaving", () => {
  const entries = [...logOf([1], membership(["n1", "n2"])), membershipEntry(2, 1, membership(["n2"]))];
  for (const settled of [false, true]) {
    const s = new Server("n2", { entries, settled });
    s.deliver("n1", appendEntries({ term: 1, prevLogIndex: 2, prevLogTerm: 1 })).tick(ELECTION_TICKS - 1);
    assert.deepEqual([s.raft.role, s.raft.term], ["follower", 1]);
  }
  const restarted = new Server("n2", { entries, settled: false }).tick(ELECTION_TICKS - 1);
  assert.equal(restarted.raft.role, "follower", "it may have received from that leader before the restart");
});

Deno.test("no node campaigns while its term and vote are not on disk", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n2", requestVote({ term: 2 }));
  const batch = s.beginPersist();
  s.tick(5 * ELECTION_TICKS);
  assert.deepEqual([s.raft.role, s.raft.term], ["follower", 2]);
  s.endPersist(batch).tick(2 * ELECTION_TICKS);
  assert.equal(s.raft.role, "preCandidate");
});

Deno.test("rule 7: learners answer a vote request, and never campaign", () => {
  const s = new Server("n4", { voters: three, learners: ["n4"] });
  s.deliver("n2", requestVote({ term: 2 })).persist();
  assert.deepEqual(s.sent("RequestVoteResponse", "n2"), [vote({ term: 2 })]);
  s.tick(20 * ELECTION_TICKS);
  assert.deepEqual([s.raft.role, s.raft.term], ["follower", 2]);
  s.deliver("n2", appendEntries({ term: 2 })).deliver("n2", timeoutNow(2));
  assert.equal(s.raft.role, "follower", "not even by TimeoutNow");
});

Deno.test("§4.2.1: a learner's vote doesn't count, even if it sends one", () => {
  const s = new Server("n1", { voters: three, learners: ["n4"] });
  s.timeout();
  s.deliver("n4", vote({ term: 2, preVote: true }));
  assert.equal(s.raft.role, "preCandidate");
  s.deliver("n2", vote({ term: 2, preVote: true })).persist();
  s.deliver("n4", vote({ term: 2 }));
  assert.equal(s.raft.role, "candidate");
});

Deno.test("rule 7: a partitioned node that returns causes no election", () => {
  const [a, b, c] = three.map((id) => new Server(id, { voters: three })) as [Server, Server, Server];
  a.timeout();
  exchange(a, b, c);
  assert.equal(a.raft.role, "leader");
  for (let i = 0; i < 20; i++) {
    a.tick(HEARTBEAT_TICKS);
    b.tick(HEARTBEAT_TICKS);
    c.tick(3 * ELECTION_TICKS).drain();
    exchange(a, b);
  }
  assert.equal(c.raft.role, "preCandidate");
  exchange(c, a, b);
  assert.equal(c.raft.role, "preCandidate", "its pre-votes were denied");
  a.tick(HEARTBEAT_TICKS);
  exchange(a, b, c);
  assert.deepEqual([a.raft.role, a.raft.term, c.raft.leader], ["leader", 2, "n1"]);
});

Deno.test("rule 7: a node that returns with a durable term that is higher causes exactly one election", () => {
  const [a, b] = ["n1", "n2"].map((id) => new Server(id, { voters: three })) as [Server, Server];
  const c = new Server("n3", { voters: three, term: 9 });
  a.timeout();
  exchange(a, b);
  assert.deepEqual([a.raft.role, a.raft.term], ["leader", 2]);
  // The stale AppendEntries is answered with the newer term; otherwise c could never take part again.
  a.tick(HEARTBEAT_TICKS);
  exchange(a, b, c);
  assert.deepEqual([a.raft.role, a.raft.term], ["follower", 9]);
  const servers = [a, b, c];
  for (let i = 0; i < 20 * ELECTION_TICKS; i++) {
    for (const s of servers) s.tick();
    exchange(...servers);
  }
  assert.equal(servers.filter((s) => s.raft.role === "leader").length, 1);
  assert.deepEqual(servers.map((s) => s.raft.term), [10, 10, 10]);
});

Deno.test("§4.2.2: a server outside its newest membership campaigns while that is not committed, without a vote of its own", () => {
  // Figure 4.6: n1 removed itself, crashed before any other node had the entry, and has the longest log.
  const entries = [...logOf([1], membership(["n1", "n2"])), membershipEntry(2, 1, membership(["n2"]))];
  const a = new Server("n1", { entries });
  const b = new Server("n2", { voters: ["n1", "n2"] });
  b.timeout();
  exchange(a, b);
  assert.equal(b.raft.role, "follower", "its log is behind");
  a.tick(2 * ELECTION_TICKS);
  assert.equal(a.raft.role, "preCandidate");
  b.tick(2 * ELECTION_TICKS).drain();
  exchange(a, b);
  for (let i = 0; i < 10 * ELECTION_TICKS; i++) {
    a.tick();
    b.tick();
    exchange(a, b);
  }
  assert.deepEqual([a.raft.role, b.raft.role], ["follower", "leader"]);
  assert.deepEqual(b.raft.membership.voters, ["n2"]);
  assert.equal(b.raft.membershipCommitted, true);
});

Deno.test("§4.2.2: a server outside a committed membership does not campaign", () => {
  const entries = [...logOf([1], membership(three)), membershipEntry(2, 1, membership(["n2", "n3"]))];
  const s = new Server("n1", { entries });
  s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 2 }));
  s.tick(20 * ELECTION_TICKS);
  assert.equal(s.raft.role, "follower");
  const blank = new Server("n9").tick(20 * ELECTION_TICKS);
  assert.equal(blank.raft.role, "follower", "nor one that belongs to no cluster yet");
});

Deno.test("rule 2: a vote is not given twice across a restart", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n2", requestVote({ term: 2 })).persist().crash().settle();
  s.deliver("n3", requestVote({ term: 2 })).persist();
  assert.equal(s.sent("RequestVoteResponse", "n3")[0]?.voteGranted, false);
});

Deno.test("a candidate sends its log's last term, which may be older than its own", () => {
  const s = new Server("n1", { voters: three, entries: [...logOf([1, 3], membership(three)), command(3, 3)], term: 8 });
  s.timeout();
  const [request] = s.sent("RequestVote", "n3");
  assert.deepEqual(request, requestVote({ term: 9, lastLogIndex: 3, lastLogTerm: 3, preVote: true }));
});

Deno.test("settings that can't work are refused", () => {
  const { disk } = new Server("n1", { voters: three });
  for (const heartbeatTicks of [0, ELECTION_TICKS, Number.NaN]) {
    assert.throws(() => new Raft(config("n1", { heartbeatTicks }), disk.restored()), RangeError);
  }
});

Deno.test("§5.2: observers see the election timer and the votes of a campaign", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n2", appendEntries({ term: 1 }));
  const { elapsedTicks, timeoutTicks } = s.raft.electionTimer;
  assert.equal(elapsedTicks, 0);
  s.tick(timeoutTicks - 1);
  assert.deepEqual(s.raft.electionTimer, { elapsedTicks: timeoutTicks - 1, timeoutTicks });
  s.tick(1);
  assert.equal(s.raft.role, "preCandidate");
  assert.equal(s.raft.electionTimer.elapsedTicks, 0);
  s.deliver("n2", vote({ term: 1, voteGranted: false, preVote: true }));
  assert.deepEqual([...s.raft.votes], [["n1", true], ["n2", false]]);
});
