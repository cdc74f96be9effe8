/**
 * Rules of linearizable reads and of leases (dissertation §6.4).
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const READS = "lib/raft/reads.ts";
const LEASE = "lib/node/lease.ts";
const TESTS = "tests/unit/raft/reads_test.ts";

/** Mutants of reads. */
export const reads: readonly Mutant[] = [
  {
    name: "unconfirmed-read",
    rule: "A read waits until a quorum has confirmed that its leader still leads (dissertation §6.4).",
    edits: [
      {
        file: READS,
        find: "    if (read.round === 0 || read.round > leadership.confirmedRound) continue;\n",
        replace: "",
      },
      {
        file: READS,
        find: "  leadership.roundWanted = true;\n  state.dirty = true;",
        replace: "  leadership.roundWanted = true;\n  state.dirty = true;\n  releaseReads(state);",
      },
    ],
    killedBy: "simulation",
    test: {
      file: TESTS,
      name: "§6.4: a read is served once a quorum acknowledged a round that began after it arrived",
    },
  },
  {
    name: "read-confirmed-by-an-older-round",
    rule: "A read is confirmed by a round that began after it arrived (dissertation §6.4).",
    edits: [{
      file: READS,
      find: "read.round > leadership.confirmedRound) continue;",
      replace: "read.round > leadership.confirmedRound + 1) continue;",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "§6.4: a read waits for a round that begins after it; one already under way does not confirm it",
    },
  },
  {
    name: "read-before-own-commit",
    rule: "A new leader serves no read before it has committed an entry of its term (§8).",
    edits: [
      {
        file: READS,
        find: "index: state.committedInTerm ? state.commitIndex : -1",
        replace: "index: state.commitIndex",
      },
      { file: READS, find: " || !state.committedInTerm) return;", replace: ") return;" },
    ],
    killedBy: "simulation",
    test: { file: TESTS, name: "rule 8: a new leader serves no read before its no-op commits" },
  },
  {
    name: "read-before-apply",
    rule: "A read waits until everything that was committed when it arrived is applied (dissertation §6.4, step 4).",
    edits: [{
      file: "lib/node/reads.ts",
      find: "    if (read.index === 0) this.#due.push(read);",
      replace: "    if (read.index >= 0) this.#due.push(read);",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/cluster/read_test.ts",
      name: "a linearizable read waits until the state machine has caught up",
    },
  },
  {
    name: "learners-confirm-reads",
    rule: "A learner's answer confirms no leadership (dissertation §4.2.1, §6.4).",
    edits: [{
      file: READS,
      find: "leadership.round : leadership.peers.get(id)?.ackedRound ?? 0,",
      replace: `leadership.round : Math.max(
      ...[id, ...state.membership.learners].map((each) => leadership.peers.get(each)?.ackedRound ?? 0),
    ),`,
    }],
    killedBy: "test",
    test: { file: TESTS, name: "§6.4: learners confirm no round" },
  },
  {
    name: "stale-refusal-confirms-reads",
    rule: "Rounds are counted anew in each term: the refusal of an older term's message confirms no round of this one.",
    edits: [{
      file: "lib/raft/follower.ts",
      find: "{ success: false, round: 0 }",
      replace: "{ success: false }",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "rule 8: a refused AppendEntries of an older term acknowledges no round of the newer one",
    },
  },
  {
    name: "late-chunk-confirms-reads",
    rule: "A late answer to a snapshot's chunk confirms only a round of the same term.",
    edits: [{
      file: "lib/raft/snapshots.ts",
      find: "return to === state.leader ? Math.min(round, state.leaderRound) : 0;",
      replace: "return to === state.id ? Math.min(round, state.leaderRound) : round;",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "rule 8: a chunk's answer that the disk delayed into a newer term acknowledges no round of it",
    },
  },
  {
    name: "lease-too-long",
    rule: "A lease is shorter than the minimum election timeout by the allowed drift of clocks (dissertation §6.4.1).",
    edits: [{ file: LEASE, find: "< this.#durationMs;", replace: "< 10 * this.#durationMs;" }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/node/lease_test.ts",
      name: "§6.4.1: a lease runs from the sending of the round, not from its confirmation",
    },
  },
  {
    name: "lease-from-the-answer",
    rule:
      "A lease runs from the sending of the round that a quorum answered, not from the answer (dissertation §6.4.1).",
    edits: [{
      file: LEASE,
      find: "this.#start = this.#marks.shift()!;",
      replace: "this.#start = { ...this.#marks.shift()!, " +
        "monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.wallMs() };",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/lease_test.ts",
      name: "§6.4.1: a lease runs from the sending of the round, not from its confirmation",
    },
  },
  {
    name: "lease-ignores-a-pause",
    rule: "A lease ends by the clock that shows more time: the monotonic one stops while the machine sleeps.",
    edits: [{ file: LEASE, find: "Math.max(monotonicMs, wallMs) <", replace: "monotonicMs <" }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/lease_test.ts",
      name: "§6.4.1: a lease ends by whichever clock shows more time, and when the wall clock was set back",
    },
  },
  {
    name: "lease-after-timeout-now",
    rule: "No lease is safe once a TimeoutNow has left: its campaign overrides stickiness (dissertation §6.4.1).",
    edits: [{
      file: "lib/raft/lease.ts",
      find:
        "leadership !== null && leadership.transferTo === null && !leadership.timeoutNowSent && state.committedInTerm",
      replace: "leadership !== null && state.committedInTerm",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/transfer_test.ts",
      name: "§6.4.1: a leader has no lease from its first TimeoutNow of a term on: it may still arrive",
    },
  },
  {
    name: "lease-before-own-commit",
    rule: "A new leader serves no lease read before it has committed an entry of its term (§8).",
    edits: [{
      file: "lib/raft/lease.ts",
      find: "&& !leadership.timeoutNowSent && state.committedInTerm;",
      replace: "&& !leadership.timeoutNowSent;",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "rule 8: a new leader has no lease before its no-op commits" },
  },
];
