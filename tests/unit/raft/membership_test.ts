import assert from "node:assert/strict";
import {
  appendedResponse,
  appendEntries,
  command,
  ELECTION_TICKS,
  exchange,
  HEARTBEAT_TICKS,
  joint,
  logOf,
  member,
  members,
  membership,
  membershipEntry,
  reasonOf,
  requestVote,
  Server,
  vote,
} from "./harness.ts";
import {
  decodeMembership,
  encodeMembership,
  equalMemberships,
  membershipOf,
  validateMembership,
} from "../../../lib/raft/mod.ts";
import { leaveOf, MAX_PROMOTION_LAG, transition } from "../../../lib/raft/membership_change.ts";
import type { Member, Membership } from "../../../lib/raft/types.ts";

const three = ["n1", "n2", "n3"];
const four = ["n1", "n2", "n3", "n4"];
const first = membership(three);

function change(s: Server, voters: string[], learners: string[] = []): unknown {
  return reasonOf(s.raft.changeMembership({ voters: members(...voters), learners: members(...learners) }));
}

/** Returns a log with the first membership and then a joint one. */
function jointLog(outgoing: string[], voters: string[], learnersNext: string[] = []) {
  return [...logOf([1], membership(outgoing)), membershipEntry(2, 1, joint(outgoing, voters, learnersNext))];
}

Deno.test("§4.1: a membership is in force from the moment it is appended, on the leader and on followers", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  assert.deepEqual(change(s, four), { ok: true, index: 3, term: 2 });
  assert.deepEqual([s.raft.membership.voters, s.raft.membershipIndex, s.raft.membershipCommitted], [four, 3, false]);
  s.persist().ack("n2");
  assert.equal(s.raft.commitIndex, 2, "two of four are not a majority");
  s.ack("n4");
  assert.equal(s.raft.membershipCommitted, true);
  assert.deepEqual(s.event("membershipCommitted").map(({ index }) => index), [3]);
  const f = new Server("n2", { voters: three });
  const entries = [membershipEntry(2, 1, membership(four))];
  f.deliver("n1", appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries }));
  assert.deepEqual([f.raft.membership.voters, f.raft.membershipCommitted], [four, false]);
});

Deno.test("rule 4: a truncation restores the older membership and the node's own role", () => {
  const s = new Server("n4", { voters: three, learners: ["n4"] });
  const entries = [membershipEntry(2, 1, membership(four)), command(3, 1)];
  s.deliver("n1", appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries })).persist();
  assert.deepEqual(s.raft.membership.voters, four);
  s.deliver("n2", appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 2)] })).persist();
  assert.deepEqual([s.raft.membership.voters, s.raft.membership.learners], [three, ["n4"]]);
  assert.equal(s.raft.membershipIndex, 1);
  const last = s.event("membershipChanged").at(-1);
  assert.deepEqual([last?.reason, last?.index, last?.membership.learners], ["rolledBack", 1, ["n4"]]);
  s.tick(10 * ELECTION_TICKS);
  assert.equal(s.raft.role, "follower", "a learner again, it does not campaign");
});

Deno.test("rule 4: a truncation after the membership leaves it alone", () => {
  const s = new Server("n2", { voters: three });
  const entries = [membershipEntry(2, 1, membership(four)), command(3, 1)];
  s.deliver("n1", appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries }));
  s.deliver("n3", appendEntries({ term: 2, prevLogIndex: 2, prevLogTerm: 1, entries: [command(3, 2)] }));
  assert.deepEqual([s.raft.membership.voters, s.raft.membershipIndex], [four, 2]);
  assert.equal(s.event("membershipChanged").length, 1);
});

Deno.test("rule 1: one uncommitted change at a time", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  change(s, four);
  assert.equal(change(s, three), "membership_change_in_progress");
  s.persist().ack("n2").ack("n4");
  assert.equal(typeof change(s, three), "object");
});

Deno.test("rule 1: no membership change until an entry of the leader's own term has committed", () => {
  const s = new Server("n1", { voters: three, log: [1, 1] }).elect("n2").persist();
  assert.equal(
    change(s, four),
    "membership_change_in_progress",
    "it has not even learned that the first one committed",
  );
  // The leader has learned of an old commit while it was a follower; that is not enough.
  const f = new Server("n1", { voters: three, log: [1, 1] });
  f.deliver("n3", appendEntries({ term: 1, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 2 }));
  f.elect("n2").persist();
  assert.equal(change(f, four), "not_ready");
  f.ack("n2");
  assert.equal(typeof change(f, four), "object");
});

Deno.test("rule 1: two leaders' single-server changes can't have quorums that do not overlap", () => {
  // Ongaro on raft-dev, July 2015: n1 adds n5 in term 2, alone; n2 leads term 3 and removes n1;
  // n1 leads again. If n2 did not have to commit in its own term first, {n1,n2,n5...} and {n2,n3,n4} could both decide.
  const voters = four;
  const n1 = new Server("n1", { voters }).lead("n2", "n3");
  assert.equal(typeof change(n1, [...voters, "n5"]), "object");
  const n2 = new Server("n2", { voters, entries: n1.disk.entries.slice(0, 2), term: 2 });
  n2.deliver("n1", appendEntries({ term: 2, prevLogIndex: 2, prevLogTerm: 2, leaderCommit: 2 })).drain();
  n2.tick(ELECTION_TICKS).elect("n3", "n4").persist();
  assert.equal(n2.raft.membershipCommitted, true);
  assert.equal(change(n2, ["n2", "n3", "n4"]), "not_ready");
  // With its no-op on a majority n1's log can no longer win: only then may it change the membership.
  n2.ack("n3").ack("n4");
  assert.equal(typeof change(n2, ["n2", "n3", "n4"]), "object");
  const n3 = new Server("n3", { voters, entries: n2.disk.entries.slice(0, 3), term: 3 });
  n3.deliver("n1", requestVote({ term: 4, lastLogIndex: 3, lastLogTerm: 2 })).persist();
  assert.equal(n3.sent("RequestVoteResponse", "n1")[0]?.voteGranted, false);
});

Deno.test("§4.1, figure 4.3: one voter may come or go in a single step; more need a joint configuration", () => {
  const cases: [string[], string[], boolean][] = [
    [["n1"], ["n1", "n2"], false],
    [["n1", "n2", "n3"], ["n1", "n2"], false],
    [["n1", "n2", "n3"], ["n1", "n2", "n4"], true],
    [["n1", "n2", "n3"], ["n1"], true],
    [["n1"], ["n1", "n2", "n3"], true],
    [["n1"], ["n2"], true],
  ];
  for (const [from, to, isJoint] of cases) {
    assert.equal(transition(membership(from), membership(to)).outgoing.length > 0, isJoint, `${from} to ${to}`);
  }
  assert.deepEqual(
    transition(membership(three, ["n4", "n5"]), membership(three, ["n6"])).outgoing,
    [],
    "learners are free",
  );
});

Deno.test("§4.3: a joint configuration has both halves; a voter becomes a learner only when it is left", () => {
  const to = membership(["n1", "n4", "n5"], ["n2", "n6"]);
  const between = transition(first, to);
  assert.deepEqual(between, {
    voters: ["n1", "n4", "n5"],
    outgoing: ["n1", "n2", "n3"],
    learners: ["n6"],
    learnersNext: ["n2"],
    members: members("n1", "n2", "n3", "n4", "n5", "n6"),
  });
  validateMembership(between);
  assert.deepEqual(leaveOf(between), to);
});

Deno.test("§4.3: the joint entry needs both majorities, and its leader appends the leave once it has committed", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  change(s, ["n1", "n4", "n5"]);
  assert.deepEqual(s.raft.membership.outgoing, three);
  s.persist().ack("n2");
  assert.equal(s.raft.commitIndex, 2, "the old majority alone");
  s.ack("n4");
  assert.equal(s.raft.commitIndex, 3);
  assert.deepEqual(s.raft.membership, membership(["n1", "n4", "n5"]), "the leave is in force as well");
  assert.equal(s.raft.membershipCommitted, false);
  s.persist().ack("n4");
  assert.equal(s.raft.membershipCommitted, true);
  assert.deepEqual(s.event("membershipCommitted").map(({ membership }) => membership.outgoing.length), [3, 0]);
});

Deno.test("§4.3: a commit before the joint entry does not end the joint configuration", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.propose("a");
  change(s, ["n1", "n4", "n5"]);
  s.persist().ack("n2", 3).ack("n4", 3);
  assert.deepEqual([s.raft.commitIndex, s.raft.lastIndex, s.raft.membershipIndex], [3, 4, 4]);
});

Deno.test("§4.3: in a joint configuration no change but the leave is allowed", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  change(s, ["n1", "n4", "n5"]);
  s.persist();
  assert.equal(change(s, three), "membership_change_in_progress");
});

Deno.test("§4.3: no change is allowed between the commit of the joint entry and its leave", () => {
  const s = new Server("n1", { entries: jointLog(three, ["n1", "n2", "n4"]) });
  s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 2 }));
  s.elect("n2", "n3", "n4").persist();
  assert.equal(s.raft.membershipCommitted, true);
  assert.equal(change(s, three), "membership_change_in_progress");
});

Deno.test("§4.3: an election in a joint configuration needs both majorities, for pre-votes and votes", () => {
  const s = new Server("n1", { entries: jointLog(three, ["n3", "n4", "n5"]) });
  s.timeout();
  assert.deepEqual(
    s.messages().filter(({ message }) => message.type === "RequestVote").map(({ to }) => to).sort(),
    ["n2", "n3", "n4", "n5"],
  );
  s.deliver("n2", vote({ term: 2, preVote: true })).deliver("n4", vote({ term: 2, preVote: true }));
  assert.equal(s.raft.role, "preCandidate", "n1 and n2 of the old, n4 of the new");
  s.deliver("n5", vote({ term: 2, preVote: true }));
  assert.equal(s.raft.role, "candidate");
  s.persist().deliver("n4", vote({ term: 2 })).deliver("n5", vote({ term: 2 }));
  assert.equal(s.raft.role, "candidate", "the new half alone");
  s.deliver("n3", vote({ term: 2 }));
  assert.equal(s.raft.role, "leader");
});

Deno.test("§4.3: an election is lost when either half denies", () => {
  const s = new Server("n1", { entries: jointLog(three, ["n3", "n4", "n5"]) });
  s.timeout();
  for (const id of ["n4", "n5"]) s.deliver(id, vote({ term: 1, preVote: true, voteGranted: false }));
  assert.equal(s.raft.role, "follower");
});

Deno.test("§4.3: check-quorum in a joint configuration needs both majorities", () => {
  for (const [answering, stays] of [[["n2"], false], [["n4", "n5"], false], [["n2", "n4", "n5"], true]] as const) {
    const s = new Server("n1", { entries: jointLog(three, ["n3", "n4", "n5"]) }).elect("n2", "n3", "n4").persist();
    s.tick(ELECTION_TICKS - 1);
    for (const id of answering) s.ack(id, 1);
    s.tick();
    assert.equal(s.raft.role === "leader", stays, answering.join());
  }
});

Deno.test("§4.3: a new leader appends the leave of a joint entry that another leader began", () => {
  const s = new Server("n2", { entries: jointLog(three, ["n3", "n4", "n5"]) }).elect("n1", "n3", "n4").persist();
  for (const id of ["n1", "n3", "n4"]) s.ack(id, 3);
  assert.equal(s.raft.commitIndex, 3);
  assert.deepEqual([s.raft.membershipIndex, s.raft.membership.voters, s.raft.membership.outgoing], [
    4,
    ["n3", "n4", "n5"],
    [],
  ]);
});

Deno.test("§4.3: the leave follows one joint entry once, and survives a transfer that is under way", () => {
  const s = new Server("n1", { entries: jointLog(three, ["n1", "n2", "n4"]) }).elect("n2", "n3", "n4").persist();
  assert.deepEqual(s.raft.transferLeadership("n2"), { ok: true, to: "n2" });
  for (const id of ["n2", "n4"]) s.ack(id, 3);
  assert.deepEqual([s.raft.membershipIndex, s.raft.lastIndex], [4, 4]);
  s.persist().ack("n2", 4).ack("n4", 4);
  assert.equal(s.raft.lastIndex, 4);
});

Deno.test("§4.3: a voter that becomes a learner votes until the leave", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  change(s, ["n1", "n4", "n5"], ["n2"]);
  assert.deepEqual([s.raft.membership.learnersNext, s.raft.membership.learners], [["n2"], []]);
  s.persist().ack("n2").ack("n4");
  assert.deepEqual(s.raft.membership, membership(["n1", "n4", "n5"], ["n2"]));
});

Deno.test("§4.2.2: a removed leader leads until its removal has committed, and then hands over", () => {
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  change(s, ["n2", "n3"]);
  s.persist().ack("n2").collect();
  assert.equal(s.raft.role, "leader");
  s.propose("still taken");
  s.drain().ack("n2").ack("n3", 3).collect();
  const sent = s.messages();
  assert.deepEqual(
    sent.filter(({ message }) => message.type === "TimeoutNow").map(({ to }) => to),
    ["n2"],
    "the longest log",
  );
  assert.deepEqual(
    sent.filter(({ message }) => message.type === "AppendEntries" && message.leaderCommit === 3).map(({ to }) => to),
    ["n2", "n3"],
    "and all peers received the commit index before",
  );
  assert.equal(s.raft.role, "follower");
  s.tick(10 * ELECTION_TICKS);
  assert.equal(s.raft.role, "follower", "it does not campaign");
});

Deno.test("§4.2.2: a leader whose removal has just committed begins no other change", () => {
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  change(s, ["n2", "n3"]);
  s.persist().ack("n2").ack("n3");
  assert.equal(s.raft.role, "leader", "it has not retired yet");
  // Its replacement of the same name would be counted with this node's disk.
  const voters = [member("n1", "another"), member("n2"), member("n3")];
  assert.equal(reasonOf(s.raft.changeMembership({ voters, learners: [] })), "not_leader");
});

Deno.test("§4.2.2: a leader that becomes a learner hands over as well", () => {
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  change(s, ["n2", "n3"], ["n1"]);
  s.persist().ack("n2").ack("n3").collect();
  assert.deepEqual([s.raft.role, s.raft.membership.learners], ["follower", ["n1"]]);
  assert.equal(s.sent("TimeoutNow").length, 1);
});

Deno.test("§4.1: messages of senders that the membership does not know are processed", () => {
  const s = new Server("n1", { voters: three });
  s.deliver("n9", requestVote({ term: 2 })).persist();
  assert.equal(s.sent("RequestVoteResponse", "n9")[0]?.voteGranted, true);
  s.deliver("n9", appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 2)] })).persist();
  assert.deepEqual([s.raft.leader, s.raft.lastIndex], ["n9", 2]);
  const blank = new Server("n4");
  blank.deliver("n1", appendEntries({ term: 1, entries: logOf([1, 1], membership(four)), leaderCommit: 2 })).persist();
  assert.deepEqual([blank.raft.leader, blank.raft.membership.voters, blank.raft.commitIndex], ["n1", four, 2]);
});

Deno.test("rule 7: a removed server that has not learned of it disturbs no node while a leader is alive", () => {
  const [a, b, c] = three.map((id) => new Server(id, { voters: three })) as [Server, Server, Server];
  a.timeout();
  exchange(a, b, c);
  change(a, ["n1", "n2"]);
  exchange(a, b);
  assert.equal(a.raft.membershipCommitted, true);
  for (let i = 0; i < 10 * ELECTION_TICKS; i++) {
    a.tick();
    b.tick();
    c.tick();
    exchange(a, b);
    // Messages of the removed node arrive; messages to it are lost.
    for (const { to, message } of c.persist().messages()) (to === "n1" ? a : b).deliver("n3", message);
  }
  assert.deepEqual([a.raft.role, a.raft.term, b.raft.leader, c.raft.term], ["leader", 2, "n1", 2]);
});

Deno.test("§4.2.1: a new server gets the whole log, and counts once it has it", () => {
  const a = new Server("n1", { voters: ["n1"], settled: false }).tick().persist();
  const b = new Server("n2");
  a.propose("a", "b", "c");
  exchange(a);
  change(a, ["n1"], ["n2"]);
  exchange(a, b);
  a.tick(HEARTBEAT_TICKS);
  exchange(a, b);
  assert.equal(b.raft.lastIndex, a.raft.lastIndex);
  change(a, ["n1", "n2"]);
  exchange(a, b);
  assert.deepEqual([a.raft.membershipCommitted, b.raft.membershipCommitted], [true, true]);
  assert.deepEqual(b.raft.membership.voters, ["n1", "n2"]);
});

Deno.test("a removed server receives its removal, and then nothing more", () => {
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  change(s, ["n1", "n2"]);
  s.persist().drain().ack("n2");
  assert.equal(s.sent("AppendEntries", "n3").at(-1)?.leaderCommit, 3);
  s.ack("n3").tick(HEARTBEAT_TICKS).drain().tick(2 * HEARTBEAT_TICKS);
  assert.deepEqual(s.sent("AppendEntries", "n3"), []);
  assert.deepEqual(s.raft.progress().map(({ id }) => id), ["n2"]);
});

Deno.test("a removed server receives its removal again if the first message was lost", () => {
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  change(s, ["n1", "n2"]);
  s.persist().ack("n2").drain();
  s.tick(HEARTBEAT_TICKS);
  const [heartbeat] = s.sent("AppendEntries", "n3");
  assert.deepEqual([heartbeat?.prevLogIndex, heartbeat?.leaderCommit], [3, 3]);
  s.deliver("n3", appendedResponse({ term: 2, success: false, prevLogIndex: 3, conflictIndex: 3, conflictTerm: 2 }));
  assert.deepEqual(s.sent("AppendEntries", "n3")[0]?.entries.map(({ type }) => type), ["membership"]);
});

Deno.test("a removed server that never answers is dropped after a while", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  change(s, ["n1", "n2"]);
  s.persist().ack("n2").drain();
  for (let i = 0; i < 5 * ELECTION_TICKS; i++) s.tick().ack("n2");
  assert.deepEqual(s.raft.progress().map(({ id }) => id), ["n2"]);
});

Deno.test("a member never keeps its id with another data folder; a new member may have any", () => {
  const s = new Server("n1", { voters: three, learners: ["n4"] }).lead("n2");
  const other = (voters: Member[], learners: Member[]) => reasonOf(s.raft.changeMembership({ voters, learners }));
  const wiped = member("n3", "other-disk");
  assert.equal(other([...members("n1", "n2"), wiped], members("n4")), "other_data_folder", "as a voter");
  assert.equal(other(members("n1", "n2"), [wiped]), "other_data_folder", "as a learner: it votes until that commits");
  assert.equal(other(members(...three), [member("n4", "other-disk")]), "other_data_folder", "a learner");
  assert.ok(s.raft.changeMembership({ voters: members(...three), learners: [member("n5", "any")] }).ok);
});

Deno.test("acknowledgements of an older data folder do not count for the newer one", () => {
  const s = new Server("n1", { voters: ["n1", "n2"], learners: ["n3"] }).lead("n2");
  s.ack("n3");
  assert.equal(s.progress("n3").matchIndex, 2);
  change(s, ["n1", "n2"]);
  s.persist().ack("n2");
  assert.equal(s.progress("n3").matchIndex, 2, "the removed learner has not received its removal yet");
  assert.ok(s.raft.changeMembership({ voters: members("n1", "n2"), learners: [member("n3", "other-disk")] }).ok);
  assert.deepEqual([s.progress("n3").matchIndex, s.progress("n3").state], [0, "probe"]);
});

Deno.test("§4.2.1: a learner that lacks much of the log is not promoted", () => {
  const s = new Server("n1", { voters: three, learners: ["n4"] }).lead("n2");
  s.ack("n4");
  for (let i = 0; i <= MAX_PROMOTION_LAG; i++) s.propose("x");
  s.persist().ack("n2");
  const refused = s.raft.changeMembership({ voters: members(...four), learners: [] });
  assert.deepEqual([reasonOf(refused), refused.ok ? "" : refused.detail], [
    "learner_behind",
    'learner "n4" lacks 1001 entries',
  ]);
  s.ack("n4", s.raft.lastIndex - MAX_PROMOTION_LAG);
  assert.equal(typeof change(s, four), "object");
});

Deno.test("a refused membership change has a reason and no effect", () => {
  assert.equal(change(new Server("n1", { voters: three }), four), "not_leader");
  const s = new Server("n1", { voters: three }).lead("n2");
  assert.equal(change(s, three), "unchanged");
  assert.equal(change(s, []), "invalid_membership");
  assert.equal(change(s, ["n1", "n1"]), "invalid_membership");
  assert.equal(change(s, three, ["n3"]), "invalid_membership");
  assert.equal(change(s, ["n1", ""]), "invalid_membership");
  s.raft.transferLeadership("n2");
  assert.equal(change(s, four), "leadership_transfer");
  assert.equal(s.raft.lastIndex, 2, "a refusal has no effect");
});

Deno.test("an address alone may change", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  const moved = { ...member("n3"), address: "elsewhere:9" };
  assert.ok(s.raft.changeMembership({ voters: [...members("n1", "n2"), moved], learners: [] }).ok);
  assert.deepEqual([s.raft.membership.outgoing, s.raft.membership.members[2]], [[], moved]);
});

Deno.test("a membership is decoded as it was encoded, and damaged bytes are refused", () => {
  const all: Membership[] = [first, membership(["a"], ["b", "c"]), joint(three, ["n3", "n4"], ["n1"])];
  for (const value of all) assert.ok(equalMemberships(decodeMembership(encodeMembership(value)), value));
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const damaged: Uint8Array[] = [
    new Uint8Array(0),
    new Uint8Array([0xff, 0xfe]),
    text(null),
    text(7),
    text({}),
    text({ ...first, voters: [] }),
    text({ ...first, voters: "n1" }),
    text({ ...first, voters: [1] }),
    text({ ...first, voters: ["n2", "n1", "n3"] }),
    text({ ...first, learners: ["n1"] }),
    text({ ...first, learnersNext: ["n1"] }),
    text({ ...first, members: [] }),
    text({ ...first, members: [null, null, null] }),
    text({ ...first, members: members("n1", "n2", "n4") }),
    text({ ...first, members: members("n1", "n2", "n3", "n4") }),
  ];
  for (const bytes of damaged) assert.throws(() => decodeMembership(bytes), TypeError);
});

Deno.test("memberships are equal if every field is", () => {
  assert.ok(!equalMemberships(first, membership(four)));
  assert.ok(!equalMemberships(membership(["n1", "n2"], ["n3"]), membership(three)));
  const moved = membershipOf({ voters: [...members("n1", "n2"), { ...member("n3"), address: "x" }] });
  assert.ok(!equalMemberships(first, moved));
  assert.ok(!equalMemberships(joint(three, ["n1"], ["n2"]), joint(three, ["n1"])));
});

Deno.test("§4.2.1: a learner's acknowledgement lets it catch up, and is shown in its progress", () => {
  const s = new Server("n1", { voters: three, learners: ["n4"] }).lead("n2");
  s.deliver("n4", appendedResponse({ term: 2, success: false, prevLogIndex: 1, conflictIndex: 1 }));
  s.answerEntryReads();
  assert.equal(s.sent("AppendEntries", "n4").at(-1)?.prevLogIndex, 0);
  s.ack("n4");
  assert.deepEqual([s.progress("n4").matchIndex, s.progress("n4").state], [2, "replicate"]);
});

Deno.test("a server that is removed and added again before it knows stays a peer, with its acknowledgements", () => {
  const s = new Server("n1", { voters: four }).lead("n2", "n3");
  s.persist().ack("n2").ack("n3").ack("n4");
  change(s, three);
  s.persist().ack("n2").ack("n3");
  assert.equal(s.raft.membershipCommitted, true);
  const known = s.progress("n4").matchIndex;
  change(s, four);
  s.persist().ack("n2").ack("n3");
  for (let round = 0; round < 10; round++) s.tick(ELECTION_TICKS - 1).ack("n2").ack("n3");
  assert.equal(s.raft.role, "leader");
  assert.equal(s.progress("n4").matchIndex, known);
  s.ack("n4");
  assert.equal(s.progress("n4").matchIndex, s.raft.lastIndex);
});
