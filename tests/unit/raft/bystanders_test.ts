import assert from "node:assert/strict";
import { Progress } from "../../../lib/raft/progress.ts";
import {
  appendedResponse,
  appendEntries,
  command,
  ELECTION_TICKS,
  HEARTBEAT_TICKS,
  installResponse,
  logOf,
  member,
  members,
  membership,
  requestVote,
  Server,
  snapshotMeta,
  timeoutNow,
} from "./harness.ts";

const three = ["n1", "n2", "n3"];
const learners = ["n4", "n5"];

/** Returns the leader of three voters and two learners; n2 has its log. */
function leader(): Server {
  return new Server("n1", { voters: three, learners }).lead("n2");
}

Deno.test("§6.2: learners that answer keep no leader in office, and silent ones depose none", () => {
  const alone = leader();
  for (let i = 0; i < ELECTION_TICKS; i++) {
    assert.equal(alone.raft.role, "leader");
    alone.tick();
    for (const id of learners) alone.ack(id);
  }
  assert.equal(alone.raft.role, "follower");
  const backed = leader();
  for (let i = 0; i < 3 * ELECTION_TICKS; i++) backed.tick().ack("n2");
  assert.equal(backed.raft.role, "leader");
});

Deno.test("§3.10: a learner that is ahead of all voters takes no leadership over", () => {
  const s = leader();
  s.propose("a", "b", "c");
  s.persist().drain();
  for (const id of learners) s.ack(id);
  s.ack("n3", 3);
  assert.deepEqual(s.raft.transferLeadership(null), { ok: true, to: "n3" });
  const removed = leader();
  assert.ok(removed.raft.changeMembership({ voters: members("n2", "n3"), learners: members(...learners) }).ok);
  removed.persist().drain();
  for (const id of ["n4", "n5", "n3", "n2"]) removed.ack(id);
  const sent = removed.messages().filter(({ message }) => message.type === "TimeoutNow");
  assert.deepEqual([removed.raft.role, sent.length], ["follower", 1]);
  assert.ok(["n2", "n3"].includes(sent[0]!.to), sent[0]!.to);
});

Deno.test("§3.10: each transfer has an election timeout of its own", () => {
  const s = leader();
  const tick = () => s.tick().ack("n2").ack("n3");
  s.ack("n3").raft.transferLeadership("n2");
  for (let i = 0; i < ELECTION_TICKS; i++) tick();
  assert.equal(s.raft.transferTo, null, "the first one is given up");
  s.raft.transferLeadership("n3");
  for (let i = 1; i < ELECTION_TICKS; i++) {
    tick();
    assert.equal(s.raft.transferTo, "n3", `after ${i} ticks`);
  }
  tick();
  assert.equal(s.raft.transferTo, null);
});

/** Returns a leader whose log is compacted up to its end, so that n3 needs a snapshot. */
function compacted(): Server {
  const s = new Server("n1", { voters: three }).lead("n2");
  s.propose("a", "b");
  s.persist().ack("n2").drain();
  s.raft.applied(4);
  s.raft.snapshotTaken(snapshotMeta(4, 2, membership(three)));
  s.raft.compact(4);
  return s;
}

function sendingSnapshot(): Server {
  const s = compacted();
  s.deliver("n3", appendedResponse({ term: 2, success: false, prevLogIndex: 1, conflictIndex: 1 }));
  s.deliver("n3", appendedResponse({ term: 2, matchIndex: 1, prevLogIndex: 1 }));
  s.collect();
  assert.deepEqual([s.snapshotSends, s.progress("n3").state], [["n3"], "snapshot"]);
  return s;
}

Deno.test("§7: no snapshot is sent to a peer that has not answered in this term", () => {
  const s = new Server("n1", { voters: three, snapshot: snapshotMeta(4, 1, membership(three)), entries: [] }).lead(
    "n2",
  );
  s.propose("a");
  s.persist().ack("n2").drain();
  s.raft.applied(6);
  s.raft.snapshotTaken(snapshotMeta(6, 2, membership(three)));
  s.raft.compact(6);
  s.tick(HEARTBEAT_TICKS).collect();
  assert.deepEqual(s.snapshotSends, []);
  s.deliver("n3", appendedResponse({ term: 2, matchIndex: 1, prevLogIndex: 1 })).collect();
  assert.deepEqual(s.snapshotSends, ["n3"]);
});

Deno.test("§7: a late refusal moves no peer that receives a snapshot, or is probed elsewhere", () => {
  const s = sendingSnapshot();
  s.deliver("n3", appendedResponse({ term: 2, success: false, prevLogIndex: 4, conflictIndex: 2, conflictTerm: 1 }));
  assert.equal(s.progress("n3").state, "snapshot");
  const probes = new Server("n1", { voters: three, log: [1, 1, 1, 1, 1] }).elect("n2").persist();
  const { nextIndex } = probes.progress("n3");
  probes.deliver(
    "n3",
    appendedResponse({ term: 2, success: false, prevLogIndex: 3, conflictIndex: 1, conflictTerm: 1 }),
  );
  assert.deepEqual([probes.progress("n3").state, probes.progress("n3").nextIndex], ["probe", nextIndex]);
});

Deno.test("§7: an installed snapshot ends the transfer to a peer, even if it says nothing new", () => {
  const s = sendingSnapshot();
  s.deliver("n3", installResponse({ term: 2, snapshotId: "s4", matchIndex: 1 }));
  assert.equal(s.progress("n3").state, "probe");
});

Deno.test("§3.10: a successor that catches up by a snapshot gets its TimeoutNow at once", () => {
  const s = sendingSnapshot();
  s.raft.transferLeadership("n3");
  assert.deepEqual(s.sent("TimeoutNow"), []);
  s.deliver("n3", installResponse({ term: 2, snapshotId: "s4", matchIndex: 4 }));
  assert.deepEqual(s.sent("TimeoutNow", "n3"), [timeoutNow(2)]);
});

Deno.test("§7: entries that a peer has acknowledged beyond the snapshot on its way are not needed", () => {
  const peer = new Progress("n2", "", 1);
  peer.becomeSnapshot(5);
  peer.acknowledge(9);
  assert.equal(peer.neededIndex, 10);
});

Deno.test("the cache stays within its bound, whether an entry is committed or durable first", () => {
  const bounded = () => new Server("n1", { voters: three, config: { maxCachedBytes: 100 } }).lead("n2");
  const durableFirst = bounded();
  durableFirst.propose(..."abcdefghij");
  durableFirst.persist();
  assert.ok(durableFirst.raft.cachedBytes > 300);
  durableFirst.ack("n2");
  assert.ok(durableFirst.raft.cachedBytes <= 100, `${durableFirst.raft.cachedBytes} bytes`);
  const committedFirst = bounded();
  committedFirst.propose(..."abcdefghij");
  const batch = committedFirst.beginPersist();
  committedFirst.ack("n2").ack("n3");
  assert.ok(committedFirst.raft.cachedBytes > 300, "what is not on disk stays");
  committedFirst.endPersist(batch);
  assert.ok(committedFirst.raft.cachedBytes <= 100, `${committedFirst.raft.cachedBytes} bytes`);
});

Deno.test("§5.2: a vote that was granted leaves the candidate a whole election timeout", () => {
  // The voter knows the term already, so that only the vote begins its timeout anew.
  const s = new Server("n1", { voters: three, term: 2 });
  while (s.raft.electionTimer.elapsedTicks + 1 < s.raft.electionTimer.timeoutTicks) s.tick();
  s.deliver("n2", requestVote({ term: 2 })).persist();
  assert.equal(s.raft.votedFor, "n2");
  assert.equal(s.raft.electionTimer.elapsedTicks, 0);
  s.tick(ELECTION_TICKS - 1);
  assert.equal(s.raft.role, "follower");
});

Deno.test("a learner forgets a leader that has fallen silent", () => {
  const s = new Server("n4", { voters: three, learners: ["n4"] });
  s.deliver("n1", appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1 }));
  assert.equal(s.raft.leader, "n1");
  s.tick(2 * ELECTION_TICKS);
  assert.deepEqual([s.raft.leader, s.raft.role], [null, "follower"]);
});

Deno.test("a member that is added again before it knew of its removal stays", () => {
  const s = new Server("n1", { voters: three }).lead("n2");
  assert.ok(s.raft.changeMembership({ voters: members("n1", "n2"), learners: [] }).ok);
  s.persist().ack("n2").drain();
  assert.ok(s.raft.changeMembership({ voters: members("n1", "n2"), learners: [member("n3")] }).ok);
  s.persist().ack("n2").drain();
  for (let i = 0; i < 6 * ELECTION_TICKS; i++) s.tick().ack("n2");
  assert.deepEqual(s.raft.progress().map(({ id }) => id).sort(), ["n2", "n3"]);
});

Deno.test("rule 2: a held acknowledgement keeps the highest index, and confirms the newest round", () => {
  const s = new Server("n2", { entries: logOf([1], membership(three)) });
  const entries = [command(2, 1), command(3, 1)];
  s.deliver("n1", appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries, round: 1 }));
  const late = appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: entries.slice(0, 1), round: 2 });
  s.deliver("n1", late);
  s.drain();
  s.persist();
  const answers = s.sent("AppendEntriesResponse", "n1");
  assert.deepEqual(answers.map(({ matchIndex, round }) => [matchIndex, round]), [[3, 2]]);
});
