/**
 * Rules of log replication: appending, acknowledging, committing and applying entries.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const FOLLOWER = "lib/raft/follower.ts";
const COMMITMENT = "lib/raft/commitment.ts";
const TESTS = "tests/unit/raft/replication_test.ts";

/** Mutants of log replication. */
export const replication: readonly Mutant[] = [
  {
    name: "older-terms-committed-by-counting",
    rule: "Only entries of the leader's own term are committed by counting (§5.4.2, figure 8).",
    edits: [{
      file: COMMITMENT,
      find: "if (index <= state.commitIndex || log.termAt(index) !== state.term) return;",
      replace: "if (index <= state.commitIndex) return;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/commitment_test.ts",
      name: "§5.4.2, figure 8 (c): an entry of term 2 on a majority is not committed in term 4",
    },
  },
  {
    name: "leader-counts-itself-early",
    rule: "The leader's own vote for an entry counts once it is durable (dissertation §10.2.1).",
    edits: [{
      file: COMMITMENT,
      find: "id === state.id ? log.durableIndex",
      replace: "id === state.id ? log.lastIndex",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/raft/commitment_test.ts",
      name: "§10.2.1: the leader sends while it writes, and its own vote counts once its entry is on disk",
    },
  },
  {
    name: "commit-index-goes-back",
    rule: "The commit index never decreases (figure 2, AppendEntries, step 5).",
    edits: [{
      file: COMMITMENT,
      find: "  if (index <= state.commitIndex) return;\n",
      replace: "  if (index === state.commitIndex) return;\n",
    }],
    killedBy: "simulation",
    test: {
      file: TESTS,
      name: "rule 5: commit never passes the last entry that the message proved equal",
    },
  },
  {
    name: "stale-acknowledgements-counted",
    rule: "Acknowledgements of an older term don't count (§5.1).",
    edits: [{
      file: "lib/raft/raft.ts",
      find: "if (leadership === null || message.term < state.term) return;",
      replace: "if (leadership === null) return;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/commitment_test.ts",
      name: "§5.1: acknowledgements of an older term commit nothing: their entries may have been overwritten since",
    },
  },
  {
    name: "conflicting-suffix-kept",
    rule: "Entries that conflict with the leader's are removed, and all that follow them (§5.3; figure 2, step 3).",
    edits: [{
      file: FOLLOWER,
      find: "entries.findIndex((entry) => log.termAt(entry.index) !== entry.term && entry.index > log.baseIndex)",
      replace: "entries.findIndex((entry) => entry.index > log.lastIndex)",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "rule 5: a real conflict truncates from there on, and not before" },
  },
  {
    name: "matching-entries-truncated",
    rule: "Entries that match are never removed: a late message must not undo newer ones (figure 2, step 3).",
    edits: [{
      file: FOLLOWER,
      find: "entries.findIndex((entry) => log.termAt(entry.index) !== entry.term && entry.index > log.baseIndex)",
      replace: "entries.findIndex((entry) => entry.index > Math.max(log.baseIndex, state.commitIndex))",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "rule 5: a late or repeated AppendEntries never truncates entries that match" },
  },
  {
    name: "no-consistency-check",
    rule: "A follower refuses entries unless its log has the leader's term just before them (§5.3; figure 2, step 2).",
    edits: [{
      file: FOLLOWER,
      find: `function matchesPrevious(state: State, { prevLogIndex, prevLogTerm }: AppendEntries): boolean {
  return prevLogIndex <= state.commitIndex || state.log.termAt(prevLogIndex) === prevLogTerm;`,
      replace: `function matchesPrevious(state: State, { prevLogIndex }: AppendEntries): boolean {
  return prevLogIndex <= state.commitIndex || state.log.termAt(prevLogIndex) !== undefined;`,
    }],
    killedBy: "simulation",
    test: {
      file: TESTS,
      name: "§5.3: a follower refuses entries that do not follow its log, and returns where the logs may meet",
    },
  },
  {
    name: "entries-get-a-new-term",
    rule: "An entry keeps the term in which it was created, no matter which leader sends it (§5.3, §5.4.2).",
    edits: [{
      file: FOLLOWER,
      find: "    log.append(entry);",
      replace: "    log.append({ ...entry, term: state.term });",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "§5.3, figure 7 (a): the follower's log becomes the leader's, in few round trips" },
  },
  {
    name: "unproven-acknowledged",
    rule: "A follower acknowledges no more than the message proved equal (figure 2, AppendEntries).",
    edits: [{
      file: FOLLOWER,
      find: "acknowledge(state, from, request, proven, appended);",
      replace: "acknowledge(state, from, request, state.log.lastIndex, appended);",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "rule 5: a late or repeated AppendEntries never truncates entries that match",
    },
  },
  {
    name: "unproven-committed",
    rule: "Commit never passes the last entry that the message proved equal (figure 2, AppendEntries, step 5).",
    edits: [{
      file: FOLLOWER,
      find: "commitTo(state, Math.min(request.leaderCommit, proven));",
      replace: "commitTo(state, Math.min(request.leaderCommit, state.log.lastIndex));",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "rule 5: commit never passes the last entry that the message proved equal" },
  },
  {
    name: "match-index-goes-back",
    rule: "A peer keeps what it has acknowledged: its match index never decreases (figure 2, matchIndex).",
    edits: [{
      file: "lib/raft/progress.ts",
      find: "if (index <= this.matchIndex) return false;",
      replace: "if (index === this.matchIndex) return false;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/progress_test.ts",
      name: "matchIndex never goes back, and 0 <= match < next",
    },
  },
  {
    name: "learners-commit",
    rule: "A learner's acknowledgement commits nothing (dissertation §4.2.1).",
    edits: [{
      file: COMMITMENT,
      find: "log.durableIndex : leadership.peers.get(id)?.matchIndex ?? 0);",
      replace: `log.durableIndex : Math.max(
      ...[id, ...state.membership.learners].map((each) => leadership.peers.get(each)?.matchIndex ?? 0),
    ));`,
    }],
    killedBy: "simulation",
    test: { file: "tests/unit/raft/commitment_test.ts", name: "§5.3: learners do not count" },
  },
  {
    name: "uncommitted-applied",
    rule: "Only committed entries are applied (§5.3).",
    edits: [
      {
        file: "lib/raft/raft.ts",
        find: "Math.min(state.commitIndex, state.log.durableIndex)",
        replace: "state.log.durableIndex",
      },
      {
        file: "lib/raft/raft.ts",
        find: "invariant(index <= state.commitIndex, `entry",
        replace: "invariant(index <= Number.MAX_SAFE_INTEGER, `entry",
      },
    ],
    killedBy: "simulation",
    test: {
      file: "tests/unit/raft/persistence_test.ts",
      name: "figure 3: applying an entry that is not committed is a fault",
    },
  },
  {
    name: "applied-before-durable",
    rule: "A node applies only entries on its own disk, even if the others have committed more.",
    edits: [{
      file: "lib/raft/raft.ts",
      find: "Math.min(state.commitIndex, state.log.durableIndex)",
      replace: "state.commitIndex",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/raft/commitment_test.ts",
      name:
        "§10.2.1: followers alone may commit an entry that the leader has not written yet; the leader applies only durable entries",
    },
  },
  {
    name: "another-entrys-answer",
    rule:
      "Index and term together identify an entry: an entry committed in its place is another command (§5.3, Log Matching).",
    edits: [{
      file: "lib/node/proposals.ts",
      find: "if (pending.term !== entry.term || result === null) {",
      replace: "if (result === null) {",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/node/proposals_test.ts",
      name: "a proposal ends with the answer of its entry, by index and term",
    },
  },
  {
    name: "entries-read-before-durable",
    rule: "A peer's entries are read from the disk only as far as they are durable.",
    edits: [{
      file: "lib/raft/replication.ts",
      find: "const to = Math.min(last, state.log.durableIndex);",
      replace: "const to = last;",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/raft/replication_test.ts",
      name: "entries that are still being written are not read from the disk",
    },
  },
];
