import assert from "node:assert/strict";
import {
  appendedResponse,
  appendEntries,
  command,
  exchange,
  HEARTBEAT_TICKS,
  installResponse,
  joint,
  logOf,
  membership,
  membershipEntry,
  Server,
} from "./harness.ts";

const three = ["n1", "n2", "n3"];
const five = ["n1", "n2", "n3", "n4", "n5"];

Deno.test("§5.3: an entry is committed once a majority has it on disk, and all entries before it with it", () => {
  const s = new Server("n1", { voters: five }).lead("n2", "n3");
  s.propose("a", "b");
  s.persist().ack("n2", 4);
  assert.equal(s.raft.commitIndex, 2);
  s.ack("n3", 3);
  assert.equal(s.raft.commitIndex, 3);
  s.ack("n5", 4);
  assert.equal(s.raft.commitIndex, 4);
});

Deno.test("§5.3: acknowledgements repeated by one server count once", () => {
  const s = new Server("n1", { voters: five }).lead("n2", "n3");
  s.propose("a");
  s.persist().ack("n2").ack("n2").ack("n2");
  assert.equal(s.raft.commitIndex, 2);
});

Deno.test("§5.1: acknowledgements of an older term commit nothing: their entries may have been overwritten since", () => {
  const s = new Server("n1", { voters: three, log: [1, 1], term: 2 }).elect("n2").persist();
  s.deliver("n2", appendedResponse({ term: 2, matchIndex: 3, prevLogIndex: 2 }));
  assert.deepEqual([s.raft.commitIndex, s.progress("n2").matchIndex], [0, 0]);
  s.ack("n2", 3);
  assert.equal(s.raft.commitIndex, 3);
});

Deno.test("§10.2.1: the leader sends while it writes, and its own vote counts once its entry is on disk", () => {
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  s.propose("a");
  assert.equal(s.sent("AppendEntries", "n2")[0]?.entries.length, 1, "sent before it is on the leader's disk");
  const write = s.beginPersist();
  s.ack("n2");
  assert.equal(s.raft.commitIndex, 2, "n2 alone is not a majority");
  s.endPersist(write);
  assert.equal(s.raft.commitIndex, 3);
});

Deno.test("§10.2.1: followers alone may commit an entry that the leader has not written yet; the leader applies only durable entries", () => {
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  s.propose("a");
  const write = s.beginPersist();
  s.ack("n2").ack("n3");
  assert.deepEqual([s.raft.commitIndex, s.raft.applicableIndex], [3, 2]);
  s.endPersist(write);
  assert.equal(s.raft.applicableIndex, 3);
});

Deno.test("§5.4.2: entries of older terms are not committed by counting replicas", () => {
  const s = new Server("n1", { voters: three, log: [1, 1, 2], term: 2 }).elect("n2").persist();
  assert.deepEqual(s.terms(), [1, 1, 2, 3]);
  s.ack("n2", 3).ack("n3", 3);
  assert.equal(s.raft.commitIndex, 0, "on all three servers, and not committed");
  s.ack("n2", 4);
  assert.equal(s.raft.commitIndex, 4, "the no-op of its own term commits them");
});

/** Figure 8: S1 to S5; entry 1 is the common membership, so that the figure's index n is n + 1 here. */
function figure8(): Record<"s1" | "s2" | "s3" | "s4" | "s5", Server> {
  const make = (id: string) => new Server(id, { voters: ["s1", "s2", "s3", "s4", "s5"] });
  return { s1: make("s1"), s2: make("s2"), s3: make("s3"), s4: make("s4"), s5: make("s5") };
}

/** Plays (a) to (c): S1 leads term 2 and replicates its entry to S2 alone; S5 leads term 3 with S3 and S4; S1 leads term 4. */
function figure8UpToC() {
  const all = figure8();
  const { s1, s2, s3, s4, s5 } = all;
  s1.elect("s2", "s3").persist().drain();
  assert.deepEqual(s1.terms(), [1, 2], "(a) S1 is leader of term 2");
  s2.deliver("s1", appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: s1.disk.entries.slice(1) }));
  s2.persist();
  for (const s of [s3, s4]) {
    s.deliver("s1", appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1 })).persist().drain();
  }
  s1.crash();
  s5.deliver("s4", { type: "RequestVoteResponse", term: 2, voteGranted: false, preVote: false }).persist();
  s5.elect("s3", "s4").persist().drain();
  assert.deepEqual([s5.raft.term, ...s5.terms()], [3, 1, 3], "(b) S5 is leader of term 3, with another entry 2");
  s5.crash();
  s1.deliver("s3", { type: "RequestVoteResponse", term: 3, voteGranted: false, preVote: false }).persist();
  s1.settle().elect("s2", "s3");
  assert.deepEqual([s1.raft.term, ...s1.terms()], [4, 1, 2, 4], "(c) S1 is leader of term 4");
  // Entry 2 of term 2 reaches S3: it is on a majority. The entry of term 4 is on S1 alone.
  const entries = [s1.disk.entries[1]!];
  s3.deliver("s1", appendEntries({ term: 4, prevLogIndex: 1, prevLogTerm: 1, entries, round: 0 })).persist();
  for (const { to, message } of s3.messages()) if (to === "s1") s1.deliver("s3", message);
  s1.ack("s2", 2);
  assert.deepEqual([s1.progress("s2").matchIndex, s1.progress("s3").matchIndex], [2, 2]);
  return all;
}

Deno.test("§5.4.2, figure 8 (c): an entry of term 2 on a majority is not committed in term 4", () => {
  const { s1, s2, s3 } = figure8UpToC();
  for (const s of [s1, s2, s3]) assert.equal(s.raft.termAt(2), 2);
  s1.persist();
  assert.equal(s1.raft.commitIndex, 0);
});

Deno.test("§5.4.2, figure 8 (d): S5 can still be elected, and overwrites that entry", () => {
  const { s1, s2, s3, s4, s5 } = figure8UpToC();
  s1.crash();
  for (const s of [s2, s3, s4, s5]) s.tick(2 * HEARTBEAT_TICKS + 10).drain();
  s5.deliver("s2", { type: "RequestVoteResponse", term: 4, voteGranted: false, preVote: false }).persist();
  s5.timeout();
  exchange(s2, s3, s4, s5);
  assert.equal(s5.raft.role, "leader");
  for (const s of [s2, s3, s4, s5]) assert.deepEqual(s.terms(), [1, 3, s5.raft.term]);
  for (const s of [s2, s3]) assert.equal(s.event("logTruncated").length, 1);
});

Deno.test("§5.4.2, figure 8 (e): once an entry of term 4 is on a majority, S5 can no longer win", () => {
  const { s1, s2, s3, s4, s5 } = figure8UpToC();
  s1.persist().drain();
  const entries = s1.disk.entries.slice(2);
  for (const s of [s2, s3]) {
    s.deliver("s1", appendEntries({ term: 4, prevLogIndex: 2, prevLogTerm: 2, entries })).persist();
    for (const { to, message } of s.messages()) if (to === "s1") s1.deliver(s.id, message);
  }
  assert.equal(s1.raft.commitIndex, 3, "and with it the entry of term 2");
  s1.crash();
  for (const s of [s2, s3, s4, s5]) s.tick(10).drain();
  s5.deliver("s2", { type: "RequestVoteResponse", term: 4, voteGranted: false, preVote: false }).persist();
  s5.timeout();
  exchange(s2, s3, s4, s5);
  assert.equal(s5.raft.role, "preCandidate", "S4 alone would vote for it");
  for (const s of [s2, s3]) {
    assert.deepEqual(s.event("voteDenied").map(({ to, reason }) => [to, reason]), [["s5", "logBehind"]]);
  }
});

Deno.test("§5.3: followers learn the commit index, but never beyond what is proved to match", () => {
  const s = new Server("n2", { voters: three });
  s.deliver(
    "n1",
    appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 1)], leaderCommit: 1 }),
  );
  assert.deepEqual([s.raft.commitIndex, s.raft.applicableIndex], [1, 1]);
  s.deliver("n1", appendEntries({ term: 1, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 2 }));
  assert.deepEqual([s.raft.commitIndex, s.raft.applicableIndex], [2, 1], "only durable entries are applied");
  s.persist();
  assert.equal(s.raft.applicableIndex, 2);
});

Deno.test("§4.2.2: a leader outside the membership counts majorities without itself", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  const change = s.raft.changeMembership({ voters: membership(["n2", "n3"]).members, learners: [] });
  assert.ok(typeof change === "object");
  s.persist().ack("n2");
  assert.equal(s.raft.commitIndex, 2, "n1 and n2 are two of three, but n1 does not count");
  s.ack("n3");
  assert.equal(s.raft.commitIndex, 3);
});

Deno.test("§4.3: in a joint configuration entries need majorities of both halves", () => {
  const entries = [...logOf([1], membership(three)), membershipEntry(2, 1, joint(three, ["n3", "n4", "n5"]))];
  for (const [acks, commits] of [[["n2"], false], [["n4", "n5"], false], [["n2", "n4"], false], [["n3", "n4"], true]]) {
    const s = new Server("n1", { entries }).elect("n2", "n3", "n4").persist();
    for (const id of acks as string[]) s.ack(id, 3);
    assert.equal(s.raft.commitIndex >= 3, commits, String(acks));
  }
});

Deno.test("§5.3: learners do not count", () => {
  const s = new Server("n1", { voters: three, learners: ["n4", "n5"] }).lead("n2");
  s.propose("a");
  s.persist().ack("n4").ack("n5");
  assert.equal(s.raft.commitIndex, 2);
});

Deno.test("§7: an installed snapshot counts for the entries that it covers", () => {
  const s = new Server("n1", { voters: three }).elect("n3").persist();
  s.deliver("n2", installResponse({ term: 2, snapshotId: "s", matchIndex: 2 }));
  assert.equal(s.raft.commitIndex, 2);
});

Deno.test("a restarted node starts with its snapshot's index as the commit index", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.crash();
  assert.deepEqual([s.raft.commitIndex, s.raft.applicableIndex, s.raft.role], [0, 0, "follower"]);
});
