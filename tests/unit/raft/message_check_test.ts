import assert from "node:assert/strict";
import {
  appendedResponse,
  appendEntries,
  bytes,
  command,
  ELECTION_TICKS,
  installResponse,
  installSnapshot,
  membership,
  membershipEntry,
  requestVote,
  Server,
  snapshotMeta,
  timeoutNow,
  vote,
} from "./harness.ts";
import { SeededRandom } from "../../../lib/raft/random.ts";
import { FAR_PATIENCE, MAX_CATCH_UP, MAX_TERM_JUMP, termTrouble } from "../../../lib/raft/term_limit.ts";
import type { Message } from "../../../lib/raft/types.ts";

const three = ["n1", "n2", "n3"];
const MAX = Number.MAX_SAFE_INTEGER;

function kindOf(s: Server, from: string, message: Message): string | null {
  const refusal = s.raft.step(from, message);
  if (refusal !== null) assert.match(refusal.reason, /^its /, "it continues a sentence about the sender");
  return refusal?.kind ?? null;
}

Deno.test("figure 3: a second leader of a term is refused, by the first one and by its followers", () => {
  const second = [
    appendEntries({ term: 2 }),
    installSnapshot({ term: 2, snapshot: snapshotMeta(9, 2, membership(three)) }),
    timeoutNow(2),
  ];
  const leader = new Server("n1", { voters: three }).lead("n2");
  const follower = new Server("n1", { voters: three }).deliver("n2", appendEntries({ term: 2 }));
  for (const message of second) {
    assert.equal(kindOf(leader, "n3", message), "leader");
    assert.equal(kindOf(follower, "n3", message), "leader");
  }
  assert.deepEqual([leader.raft.role, leader.raft.leader, leader.raft.term], ["leader", "n1", 2]);
  assert.deepEqual([follower.raft.role, follower.raft.leader, follower.raft.term], ["follower", "n2", 2]);
});

Deno.test("a message that makes no sense to any node is refused, whichever transport carried it", () => {
  const evil = { ...membershipEntry(2, 2, membership(three)), data: bytes("?") };
  const meta = snapshotMeta(9, 2, membership(three));
  const wrong: Message[] = [
    appendEntries({ term: -1 }),
    appendEntries({ term: 1.5 }),
    appendEntries({ term: NaN }),
    appendEntries({ term: 2, round: MAX + 1 }),
    appendEntries({ term: 2, leaderCommit: -1 }),
    appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 3 }),
    appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [command(3, 2)] }),
    appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 3)] }),
    appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 2), command(3, 1)] }),
    appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [evil] }),
    requestVote({ term: 2, lastLogIndex: 9, lastLogTerm: 3 }),
    installSnapshot({ term: 2, snapshot: { ...meta, index: 0 } }),
    installSnapshot({ term: 2, snapshot: { ...meta, index: MAX - 1 } }),
    installSnapshot({ term: 2, snapshot: { ...meta, term: 3 } }),
    installSnapshot({ term: 2, snapshot: { ...meta, size: -1 } }),
    installSnapshot({ term: 2, snapshot: { ...meta, checksum: 2 ** 32 } }),
    installSnapshot({ term: 2, snapshot: { ...meta, membership: { ...meta.membership, voters: [] } } }),
    installSnapshot({ term: 2, snapshot: meta, offset: 1, data: new Uint8Array(meta.size) }),
  ];
  for (const message of wrong) {
    const s = new Server("n1", { voters: three });
    assert.equal(kindOf(s, "n2", message), "malformed", JSON.stringify(message));
    assert.deepEqual([s.raft.term, s.raft.leader, s.raft.lastIndex], [1, null, 1]);
    assert.equal(s.beginPersist(), null);
  }
});

Deno.test("a log begins with a membership: an empty node refuses any other first entry", () => {
  const s = new Server("n1");
  for (const type of ["noop", "command"] as const) {
    const message = appendEntries({ term: 2, leaderCommit: 1, entries: [{ ...command(1, 2), type }] });
    assert.equal(kindOf(s, "n2", message), "malformed", type);
  }
  assert.deepEqual([s.raft.term, s.raft.lastIndex, s.raft.commitIndex], [0, 0, 0]);
  const entries = [membershipEntry(1, 1, membership(three)), command(2, 2)];
  assert.equal(kindOf(s, "n2", appendEntries({ term: 2, leaderCommit: 2, entries })), null);
  assert.equal(s.persist().raft.commitIndex, 2);
  assert.deepEqual(s.raft.membership.voters, three, "a snapshot has a membership to name");
});

Deno.test("figure 3: a log that can't have what is committed here is refused, also behind the end of this one", () => {
  const s = new Server("n1", { voters: three });
  s.deliver(
    "n2",
    appendEntries({ term: 7, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 2, entries: [command(2, 7)] }),
  );
  assert.equal(s.persist().raft.commitIndex, 2);
  const contradicting = [
    appendEntries({ term: 8, prevLogIndex: 2, prevLogTerm: 6 }),
    appendEntries({ term: 8, prevLogIndex: 3, prevLogTerm: 6 }),
    appendEntries({ term: 8, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 6)] }),
    installSnapshot({ term: 8, snapshot: snapshotMeta(2, 6, membership(three)) }),
    installSnapshot({ term: 8, snapshot: snapshotMeta(9, 6, membership(three)) }),
  ];
  for (const message of contradicting) assert.equal(kindOf(s, "n3", message), "conflict", JSON.stringify(message));
  assert.deepEqual([s.raft.term, s.raft.leader, s.raft.lastIndex], [7, "n2", 2]);
  assert.equal(kindOf(s, "n3", installSnapshot({ term: 8, snapshot: snapshotMeta(9, 7, membership(three)) })), null);
});

Deno.test("answers to what was never sent are refused, and acknowledge nothing", () => {
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  s.propose("a");
  s.persist().drain();
  const contact = s.progress("n2").ticksSinceContact;
  const wrong: Message[] = [
    appendedResponse({ term: 2, matchIndex: 4, prevLogIndex: 3 }),
    appendedResponse({ term: 2, matchIndex: 3, prevLogIndex: 3, round: MAX }),
    appendedResponse({ term: 2, success: false, prevLogIndex: 3, conflictIndex: 4 }),
    installResponse({ snapshotId: "s", term: 2, status: "installed", matchIndex: 4 }),
    installResponse({ snapshotId: "s", term: 2, status: "installed", matchIndex: 3, round: MAX }),
  ];
  for (const message of wrong) assert.equal(kindOf(s, "n2", message), "answer", JSON.stringify(message));
  assert.deepEqual([s.progress("n2").matchIndex, s.progress("n2").ticksSinceContact], [2, contact]);
  assert.equal(s.raft.commitIndex, 2);
});

Deno.test("votes of nodes that have none do not count, and are refused", () => {
  const s = new Server("n1", { voters: three, learners: ["n4"] });
  s.timeout();
  s.deliver("n2", vote({ term: 2, preVote: true })).persist();
  assert.equal(s.raft.role, "candidate");
  for (const stranger of ["n4", "n9"]) assert.equal(kindOf(s, stranger, vote({ term: 2 })), "answer");
  assert.deepEqual([s.raft.role, s.raft.votes.size], ["candidate", 1]);
  s.deliver("n3", vote({ term: 2 }));
  assert.equal(s.raft.role, "leader");
});

Deno.test("a term that is too far ahead is refused, and elections go on", () => {
  for (const role of ["follower", "leader"] as const) {
    const s = new Server("n1", { voters: three });
    if (role === "leader") s.lead("n2", "n3");
    const { term } = s.raft;
    for (const ahead of [MAX, term + MAX_TERM_JUMP + 1]) {
      for (
        const message of [
          requestVote({ term: ahead, leadershipTransfer: true }),
          vote({ term: ahead, voteGranted: false }),
          appendEntries({ term: ahead }),
          appendedResponse({ term: ahead, success: false }),
          installSnapshot({ term: ahead, snapshot: snapshotMeta(9, 1, membership(three)) }),
          timeoutNow(ahead),
        ]
      ) assert.equal(kindOf(s, "n9", message), "term", message.type);
    }
    assert.deepEqual([s.raft.role, s.raft.term], [role, term]);
  }
  const s = new Server("n1", { voters: three }).deliver("n2", appendEntries({ term: 1 + MAX_TERM_JUMP }));
  assert.equal(s.raft.term, 1 + MAX_TERM_JUMP, "a node that was away for a while");
  assert.equal(kindOf(s, "n2", appendEntries({ term: 2 + MAX_TERM_JUMP })), "term", "the bound is for all together");
  s.tick(ELECTION_TICKS);
  assert.equal(kindOf(s, "n2", appendEntries({ term: 2 + MAX_TERM_JUMP })), null);
});

Deno.test("a member that stays far ahead is caught up with; a forger beside the member is not", () => {
  const far = 3 * MAX_TERM_JUMP;
  const s = new Server("n1", { voters: three }).lead("n2", "n3");
  const send = (from: string, term: number): void => {
    for (let tick = 0; tick < 4 * ELECTION_TICKS; tick++) {
      s.tick().drain();
      s.ack("n3");
      if (from !== "n2") s.ack("n2");
      s.raft.step(from, appendedResponse({ term, success: false }));
    }
  };
  send("n9", far);
  assert.equal(s.raft.term, 2, "a stranger");
  send("n3", far);
  assert.equal(s.raft.term, 2, "the member itself sends messages of this term");
  for (let tick = 0; tick < 20 * ELECTION_TICKS && s.raft.term < far; tick++) {
    s.tick().persist().drain();
    s.raft.step("n2", appendedResponse({ term: far, success: false }));
  }
  assert.equal(s.raft.term, far, "a member whose term is really ahead");
});

Deno.test("a member that stays far ahead is caught up with, however many others send such terms", () => {
  const far = 3 * MAX_TERM_JUMP;
  const s = new Server("n1", { voters: three, log: [1], term: 1 });
  for (let tick = 0; tick < 4 * ELECTION_TICKS; tick++) {
    s.tick().persist().drain();
    for (let other = 0; other < 200; other++) s.raft.step(`x${other}`, requestVote({ term: far, preVote: true }));
    s.raft.step("n2", requestVote({ term: far, preVote: true }));
  }
  assert.ok(s.raft.term > MAX_TERM_JUMP, `term ${s.raft.term}`);
});

Deno.test("a node that has no leader, and does not know the members of today, catches up with their term", () => {
  const far = MAX_TERM_JUMP + 20;
  /** Returns the term of a node to which a candidate that is no member sends one request in almost two election timeouts. */
  const termAfter = (windows: number, begin: (s: Server) => Server, beside: (s: Server) => void = () => {}): number => {
    const s = begin(new Server("n3", { voters: three, log: [1], term: 1 }));
    for (let tick = 1; tick <= windows * ELECTION_TICKS; tick++) {
      s.tick().persist().drain();
      beside(s);
      if (tick % (2 * ELECTION_TICKS - 1) === 0) s.raft.step("n7", requestVote({ term: far, preVote: true }));
    }
    return s.raft.term;
  };
  const alone = (s: Server) => s;
  assert.equal(termAfter(4 * FAR_PATIENCE, alone), 1 + MAX_TERM_JUMP);
  assert.ok(termAfter(FAR_PATIENCE, alone) < MAX_TERM_JUMP, "at once");
  const led = (s: Server) => void s.raft.step("n1", appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1 }));
  assert.equal(termAfter(4 * FAR_PATIENCE, alone, led), 1, "it has a leader");
  const answered = (s: Server) => void s.ack("n1").ack("n2");
  assert.equal(termAfter(4 * FAR_PATIENCE, (s) => s.lead("n1", "n2"), answered), 2, "it leads");
});

Deno.test("a cluster goes on beside a member whose term no elections led to", () => {
  for (const term of [MAX, 2 + MAX_CATCH_UP + 1]) {
    const s = new Server("n1", { voters: three }).lead("n2", "n3");
    for (let tick = 0; tick < 20 * ELECTION_TICKS; tick++) {
      s.tick().persist().drain();
      s.ack("n3");
      const refusal = s.raft.step("n2", appendedResponse({ term, success: false }));
      assert.match(refusal?.reason ?? "", /no elections lead so far: .*remove the one that a quorum does not follow/);
    }
    assert.deepEqual([s.raft.role, s.raft.term], ["leader", 2]);
  }
});

Deno.test("an empty node follows a cluster in any term, after a while; one with a log does not", () => {
  const far = 2 ** 40;
  const s = new Server("n4");
  const send = (server: Server) => server.raft.step("n1", appendEntries({ term: far }));
  assert.equal(send(s)?.kind, "term", "at once");
  for (let tick = 0; tick < (FAR_PATIENCE + 2) * ELECTION_TICKS && s.raft.term < far; tick++) {
    s.tick().persist().drain();
    send(s);
  }
  assert.deepEqual([s.raft.term, s.raft.leader], [far, "n1"]);
  const other = new Server("n4", { voters: three, log: [1], term: 1 });
  for (let tick = 0; tick < 2 * FAR_PATIENCE * ELECTION_TICKS; tick++) {
    other.tick().persist().drain();
    assert.equal(send(other)?.kind, "term");
  }
});

Deno.test("an empty node joins a cluster at once if elections lead to its term", () => {
  for (const term of [5000, MAX_TERM_JUMP]) {
    const s = new Server("n4");
    assert.equal(kindOf(s, "n1", appendEntries({ term, prevLogIndex: 9, prevLogTerm: term })), null);
    assert.deepEqual([s.raft.term, s.raft.leader], [term, "n1"]);
  }
});

Deno.test("an empty node follows no sender far ahead that is not like a cluster", () => {
  const far = 2 ** 40;
  const request = (term: number) => requestVote({ term, leadershipTransfer: true });
  /** Returns the term of an empty node to which `forge` sends something after each tick. */
  const termAfter = (forge: (s: Server, tick: number) => void): number => {
    const s = new Server("n4");
    for (let tick = 0; tick < 4 * FAR_PATIENCE * ELECTION_TICKS; tick++) {
      s.tick().persist().drain();
      forge(s, tick);
    }
    return s.raft.term;
  };
  const withPauses = (tick: number): boolean => Math.floor(tick / ELECTION_TICKS) % FAR_PATIENCE > 2;
  assert.equal(termAfter((s, tick) => withPauses(tick) && s.raft.step("n1", request(far))), 0, "with a pause");
  const jumping = termAfter((s, tick) => s.raft.step("n1", request(tick % 2 === 0 ? far : 2 * far)));
  assert.equal(jumping, 0, "a term that jumps");
  assert.equal(termAfter((s) => s.raft.step("n1", request(MAX))), 0, "the last term");
  const led = termAfter((s) => {
    s.raft.step("n1", request(far));
    s.raft.step("n2", installSnapshot({ term: 7, snapshot: snapshotMeta(9, 7, membership(three)) }));
  });
  assert.equal(led, 7, "beside a leader, whose snapshot takes its time");
});

Deno.test("a node in the last term there is begins no election, and says so at its start", () => {
  for (const voters of [three, ["n1"]]) {
    const s = new Server("n1", { voters, term: MAX });
    for (let tick = 0; tick < 10 * ELECTION_TICKS; tick++) s.tick().persist();
    assert.deepEqual([s.raft.role, s.raft.term, s.messages()], ["follower", MAX, []]);
  }
  const trouble = (term: number) => termTrouble(new Server("n1", { voters: three, log: [1, 3], term }).disk.restored());
  assert.match(trouble(MAX) ?? "", /the last one there is: no election can follow/);
  assert.match(trouble(4 + MAX_CATCH_UP) ?? "", /does not come from elections: .*has term 3/);
  assert.equal(trouble(3 + MAX_CATCH_UP), null);
});

Deno.test("no message stops a node, or changes what is committed", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new SeededRandom(seed);
    const s = new Server("n1", { voters: three, learners: ["n4"], log: [1, 1, 1], term: 1 });
    s.deliver("n2", appendEntries({ term: 1, prevLogIndex: 3, prevLogTerm: 1, leaderCommit: 2 })).persist();
    if (seed % 3 === 0) s.timeout();
    if (seed % 3 === 1) s.elect("n2", "n3");
    const committed: (number | undefined)[] = [];
    for (let i = 0; i < 200; i++) {
      s.raft.step(["n2", "n3", "n4", "evil"][random.below(4)]!, anyMessage(random, s));
      for (let index = 1; index <= s.raft.commitIndex; index++) {
        const term = s.raft.termAt(index);
        assert.ok(committed[index] === undefined || term === undefined || committed[index] === term, `seed ${seed}`);
        committed[index] ??= term;
      }
      if (random.below(4) === 0) s.tick();
      if (random.below(3) === 0) s.persist();
      s.drain();
    }
  }
});

/** Returns a message whose numbers are near the node's own, at an end of the range, or no numbers at all. */
function anyMessage(random: SeededRandom, { raft }: Server): Message {
  const near = (value: number): number => {
    const strange = [0, 1, MAX, MAX - 1, -1, 0.5, NaN, Infinity, 2 ** 32, value + MAX_TERM_JUMP];
    return random.below(8) === 0 ? strange[random.below(strange.length)]! : Math.max(0, value + random.below(5) - 2);
  };
  const yes = (): boolean => random.below(2) === 0;
  const term = near(raft.term);
  const index = (): number => near([1, raft.commitIndex, raft.lastIndex][random.below(3)]!);
  const prevLogIndex = index();
  const entries = Array.from({ length: random.below(4) }, (_, i) => {
    const at = yes() ? prevLogIndex + 1 + i : index();
    const value = yes() ? membership(["n1", "n2"]) : membership(["evil"]);
    return random.below(4) === 0 ? membershipEntry(at, near(term), value) : command(at, near(term));
  });
  const snapshot = snapshotMeta(index(), near(term), membership(yes() ? three : ["evil"]));
  const messages: Message[] = [
    requestVote({ term, lastLogIndex: index(), lastLogTerm: near(1), preVote: yes(), leadershipTransfer: yes() }),
    vote({ term, voteGranted: yes(), preVote: yes() }),
    appendEntries({ term, prevLogIndex, prevLogTerm: near(1), entries, leaderCommit: index(), round: index() }),
    appendedResponse({
      term,
      success: yes(),
      matchIndex: index(),
      prevLogIndex,
      conflictIndex: index(),
      conflictTerm: near(1),
      round: index(),
    }),
    installSnapshot({ term, snapshot, offset: index(), data: new Uint8Array(random.below(9)), round: index() }),
    installResponse({
      snapshotId: "s",
      term,
      status: yes() ? "installed" : "failed",
      matchIndex: index(),
      round: index(),
    }),
    timeoutNow(term),
  ];
  return messages[random.below(messages.length)]!;
}
