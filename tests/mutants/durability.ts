/**
 * Rules of the order in which data must reach the disk, and of failing disks (figure 2,
 * "Updated on stable storage before responding to RPCs").
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";
import { storageTakesAnyTerm, storageTakesAnyVote } from "./shared_edits.ts";

const PERSISTENCE = "lib/raft/persistence.ts";
const TESTS = "tests/unit/raft/persistence_test.ts";

/** Mutants of durability. */
export const durability: readonly Mutant[] = [
  {
    name: "vote-before-durable",
    rule: "A vote leaves once it is durable (figure 2).",
    edits: [{
      file: "lib/raft/election.ts",
      find: `state.sendWhenDurable(from, { type: "RequestVoteResponse", term: state.term, voteGranted: true`,
      replace: `state.send(from, { type: "RequestVoteResponse", term: state.term, voteGranted: true`,
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "rule 2: term and vote are written together, before the vote leaves" },
  },
  {
    name: "candidacy-before-durable",
    rule: "A candidate asks for votes once its own is durable, and counts it only then (figure 2).",
    edits: [
      {
        file: "lib/raft/election.ts",
        find: `    if (preVote) state.send(id, request);
    else state.sendWhenDurable(id, request);`,
        replace: "    state.send(id, request);",
      },
      {
        file: "lib/raft/election.ts",
        find: `  requestVotes(state, false, reason === "transfer");`,
        replace: `  requestVotes(state, false, reason === "transfer");
  countVote(state, state.id, true);`,
      },
      {
        file: "lib/raft/election.ts",
        find: "else if (state.durability.hardStateDurable(state)) becomeLeader(state);",
        replace: "else becomeLeader(state);",
      },
    ],
    killedBy: "simulation",
    test: { file: TESTS, name: "rule 2: a candidate asks for votes once its own is on disk, and counts it only then" },
  },
  {
    name: "acknowledged-before-durable",
    rule: "Entries are acknowledged once they are durable (figure 2).",
    edits: [{
      file: "lib/raft/follower.ts",
      find: "if (appended || durable < proven || !termDurable) state.sendWhenDurable(from, proof);",
      replace: "if (appended || durable < proven || !termDurable) state.send(from, proof);",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "rule 2: entries are acknowledged once they are on disk, not before" },
  },
  {
    name: "term-told-before-durable",
    rule: "An acknowledgement waits until its term is durable: after a crash, an older leader could undo the promise " +
      "(figure 2).",
    edits: [{
      file: "lib/raft/follower.ts",
      find: "const termDurable = state.durability.hardStateDurable(state);",
      replace: "const termDurable = true;",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "rule 2: an acknowledgement waits until its term is on disk" },
  },
  {
    name: "term-and-vote-not-written",
    rule: "Term and vote survive a crash (figure 2, persistent state).",
    edits: [{
      file: "storage/file/write_ahead_log.ts",
      find: "if (hardState !== null) encoder.add",
      replace: "if (hardState !== null && hardState.term < 0) encoder.add",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/storage/conformance_test.ts",
      name: "fake files, segments of 200 bytes: term, vote and entries survive",
    },
  },
  {
    name: "vote-not-written",
    rule: "The vote survives a crash, and not only the term (figure 2, persistent state).",
    edits: [{
      file: "storage/file/write_ahead_log.ts",
      find: "encodeVote(hardState.votedFor)",
      replace: `encodeVote(hardState.votedFor === "" ? "" : null)`,
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/storage/conformance_test.ts",
      name: "fake files, segments of 200 bytes: term, vote and entries survive",
    },
  },
  {
    name: "term-begins-anew-at-restart",
    rule: "A restarted node continues in the term that it was in (figure 2, currentTerm).",
    edits: [
      {
        file: "lib/raft/state.ts",
        find: "this.term = restored.hardState.term;",
        replace: "this.term = restored.termStarts.at(-1)?.term ?? 0;",
      },
      {
        file: "lib/raft/state.ts",
        find: "this.votedFor = restored.hardState.votedFor;",
        replace: "this.votedFor = null;",
      },
      {
        file: "lib/raft/state.ts",
        find: "new Durability(restored.hardState, this.log.lastIndex + 1)",
        replace: "new Durability({ term: this.term, votedFor: null }, this.log.lastIndex + 1)",
      },
      storageTakesAnyTerm,
      storageTakesAnyVote,
    ],
    killedBy: "simulation",
    test: { file: TESTS, name: "rule 2: after a crash a node still has exactly what it promised" },
  },
  {
    name: "late-write-acknowledges",
    rule: "A write that ends after its entries were overwritten proves nothing about their replacements.",
    edits: [{
      file: "lib/raft/durability.ts",
      find: "    if (this.inflight !== null) this.inflight.validUpTo = Math.min(this.inflight.validUpTo, index - 1);\n",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "rule 6: a late completion of an overwritten write acknowledges nothing",
    },
  },
  {
    name: "late-write-acknowledges-a-snapshot",
    rule: "A write that ends after a snapshot replaced its log proves nothing about that snapshot.",
    edits: [{
      file: "lib/raft/durability.ts",
      find: "    if (this.inflight !== null) this.inflight.validUpTo = 0;\n",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/snapshots_test.ts",
      name: "rule 6: a write that ends after an installed snapshot replaced it acknowledges none of its entries",
    },
  },
  {
    name: "follower-goes-on-without-disk",
    rule: "A follower that can't write stops: it can't keep its promises.",
    edits: [{
      file: PERSISTENCE,
      find: `if (state.role !== "leader" || batch.hardState !== null`,
      replace: `if (batch.hardState !== null`,
    }],
    killedBy: "simulation",
    test: {
      file: TESTS,
      name: "a failed write of term or vote, of a follower's entries or of a snapshot stops the node",
    },
  },
  {
    name: "term-or-vote-lost-goes-on",
    rule: "A node that can't write its term or vote stops: it may have promised them already.",
    edits: [{
      file: PERSISTENCE,
      find: `if (state.role !== "leader" || batch.hardState !== null || batch.snapshot !== null) return false;`,
      replace: `if (state.role !== "leader" && batch.hardState === null) return false;`,
    }],
    killedBy: "test",
    test: { file: "tests/cluster/disk_failure_test.ts", name: "a node that can't write its vote stops" },
  },
  {
    name: "leader-stays-without-disk",
    rule:
      "A leader that can't write an entry gives up leadership: it must not delete entries and continue to lead (figure 3, " +
      "Leader Append-Only).",
    edits: [
      { file: PERSISTENCE, find: `import { becomeFollower } from "./roles.ts";\n`, replace: "" },
      {
        file: PERSISTENCE,
        find: `  becomeFollower(state, state.term, null, "could not persist an entry");\n`,
        replace: "",
      },
    ],
    killedBy: "simulation",
    test: {
      file: TESTS,
      name: "a leader that can't write steps down, keeps its vote, and is cut back to its durable log",
    },
  },
  {
    name: "campaign-without-disk",
    rule: "After a failed write a node does not campaign until one succeeds.",
    edits: [{
      file: "lib/raft/election.ts",
      find: "if (!mayCampaign(state) || state.campaignBlocked || ",
      replace: "if (!mayCampaign(state) || ",
    }, {
      file: "lib/raft/election.ts",
      find: "if (state.campaignBlocked) {",
      replace: "if (state.campaignBlocked && state.term === 0) {",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "after a failed write a node does not campaign until a write succeeds; it probes the disk",
    },
  },
  {
    name: "hanging-disk-leads-on",
    rule: "A write that never returns deposes the leader as surely as one that fails.",
    edits: [{ file: "lib/node/log_writer.ts", find: "      raft.stepDown(error.message);\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/cluster/disk_failure_test.ts",
      name: "rule 9: a write that never returns deposes the leader within two election timeouts, and finally stops it",
    },
  },
  {
    name: "doubtful-disk-used-on",
    rule: "A disk in doubt stops the node: only a restart reads what is really on it.",
    edits: [{
      file: "lib/node/log_writer.ts",
      find: `const goesOn = error.disk === "unchanged" && raft.persistFailed(batch);`,
      replace: "const goesOn = raft.persistFailed(batch);",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/cluster/disk_failure_test.ts",
      name: "a leader whose disk is in doubt gives up leadership and stops",
    },
  },
];
