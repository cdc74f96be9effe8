/**
 * Rules of leader election: granting votes, counting votes, and waiting.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";
import { storageTakesAnyVote } from "./shared_edits.ts";

const ELECTION = "lib/raft/election.ts";
const TESTS = "tests/unit/raft/election_test.ts";

/** Mutants of leader election. */
export const election: readonly Mutant[] = [
  {
    name: "double-vote",
    rule: "A node votes once per term, first come first served (§5.2).",
    edits: [{
      file: ELECTION,
      find:
        `  if (state.votedFor !== null && state.votedFor !== from) return deny(state, from, request, "alreadyVoted");\n`,
      replace: "",
    }, storageTakesAnyVote],
    killedBy: "simulation",
    test: { file: TESTS, name: "§5.2: a node votes once per term, first come first served" },
  },
  {
    name: "vote-forgotten-at-step-down",
    rule: "A node that steps down in the same term keeps its vote (§5.2).",
    edits: [{
      file: "lib/raft/roles.ts",
      find: "if (term > state.term) {",
      replace: "if (term >= state.term) {",
    }, storageTakesAnyVote],
    killedBy: "simulation",
    test: {
      file: "tests/unit/raft/persistence_test.ts",
      name: "a leader that can't write steps down, keeps its vote, and is cut back to its durable log",
    },
  },
  {
    name: "no-freshness-check",
    rule: "A vote goes only to a log that is at least as up-to-date (§5.4.1).",
    edits: [{
      file: ELECTION,
      find:
        `  if (!isUpToDate(state, request.lastLogIndex, request.lastLogTerm)) return deny(state, from, request, "logBehind");
  state.votedFor = from;`,
      replace: "  state.votedFor = from;",
    }, {
      file: ELECTION,
      find:
        `  if (!isUpToDate(state, request.lastLogIndex, request.lastLogTerm)) return deny(state, from, request, "logBehind");
  state.event(`,
      replace: "  state.event(",
    }],
    killedBy: "simulation",
    test: {
      file: TESTS,
      name: "§5.4.1: the vote goes to a log that is at least as up-to-date, by last term and then by length",
    },
  },
  {
    name: "freshness-by-length",
    rule: "The last term decides which log is more up-to-date, before the length (§5.4.1).",
    edits: [{
      file: ELECTION,
      find: "return lastLogTerm > lastTerm || (lastLogTerm === lastTerm && lastLogIndex >= lastIndex);",
      replace: "return lastLogIndex > lastIndex || (lastLogIndex === lastIndex && lastLogTerm >= lastTerm);",
    }],
    killedBy: "simulation",
    test: {
      file: TESTS,
      name: "§5.4.1: the vote goes to a log that is at least as up-to-date, by last term and then by length",
    },
  },
  {
    name: "freshness-by-term-alone",
    rule: "With equal last terms the longer log is more up-to-date (§5.4.1).",
    edits: [{
      file: ELECTION,
      find: "(lastLogTerm === lastTerm && lastLogIndex >= lastIndex)",
      replace: "(lastLogTerm === lastTerm && lastLogIndex + lastIndex >= 0)",
    }],
    killedBy: "simulation",
    test: {
      file: TESTS,
      name: "§5.4.1: the vote goes to a log that is at least as up-to-date, by last term and then by length",
    },
  },
  {
    name: "minority-quorum",
    rule: "A quorum is more than half of the voters (§5.2).",
    edits: [{
      file: "lib/raft/quorum.ts",
      find: "return Math.floor(voters / 2) + 1;",
      replace: "return Math.max(1, Math.floor(voters / 2));",
    }],
    killedBy: "simulation",
    test: { file: "tests/unit/raft/quorum_test.ts", name: "§5.2: a majority is more than half" },
  },
  {
    name: "half-quorum",
    rule: "Half of an even number of voters is not a quorum (§5.2).",
    edits: [{
      file: "lib/raft/quorum.ts",
      find: "return Math.floor(voters / 2) + 1;",
      replace: "return Math.ceil(voters / 2);",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/raft/quorum_test.ts",
      name: "§4.1, figure 4.3: any two majorities overlap, across a change of one voter too",
    },
  },
  {
    name: "campaign-in-the-same-term",
    rule: "Each campaign begins a new term (§5.2): within one, index and term would name two entries.",
    edits: [
      {
        file: ELECTION,
        find: "  state.term++;",
        // Only sometimes: otherwise a split vote would never end.
        replace: "  if (state.votedFor !== state.id || state.electionTimeout % 2 === 0) state.term++;",
      },
      {
        file: ELECTION,
        find: `  requestVotes(state, false, reason === "transfer");`,
        replace: `  requestVotes(state, false, reason === "transfer");
  if (state.durability.hardStateDurable(state)) countVote(state, state.id, true);`,
      },
    ],
    killedBy: "simulation",
    test: { file: TESTS, name: "§5.2: each campaign is in a new term, however many there are" },
  },
  {
    name: "stale-votes-counted",
    rule: "Votes of an older term don't count (§5.2).",
    edits: [{
      file: ELECTION,
      find: `if (state.role === "candidate" && response.term === state.term) countVote`,
      replace: `if (state.role === "candidate") countVote`,
    }],
    killedBy: "test",
    test: { file: TESTS, name: "§5.2: votes of another term don't count" },
  },
  {
    name: "pre-votes-counted",
    rule: "A pre-vote is not a vote (dissertation §9.6).",
    edits: [{
      file: ELECTION,
      find: `if (state.role === "preCandidate" && ofThisCampaign) countVote`,
      replace: `if ((state.role === "preCandidate" && ofThisCampaign) || state.role === "candidate") countVote`,
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "§9.6: a late pre-vote is not a vote" },
  },
  {
    name: "pre-vote-changes-term",
    rule: "A pre-vote changes no node's term (dissertation §9.6).",
    edits: [{
      file: ELECTION,
      find: `  state.event({ type: "voteGranted", to: from, term: request.term, preVote: true });`,
      replace: `  becomeFollower(state, request.term, null, "a candidate has a higher term");
  state.event({ type: "voteGranted", to: from, term: request.term, preVote: true });`,
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "§9.6: a pre-vote changes no node's term or vote, and a grant carries the proposed term",
    },
  },
  {
    name: "no-pre-vote",
    rule: "A campaign begins by asking whether a quorum would vote for it (dissertation §9.6).",
    edits: [{
      file: ELECTION,
      find: "  countVote(state, state.id, true);\n}\n\n/** Begins a campaign in a new term.",
      replace: `  countVote(state, state.id, true);
  if (state.role === "preCandidate") becomeCandidate(state, "timeout");\n}\n\n/** Begins a campaign in a new term.`,
    }],
    killedBy: "test",
    test: { file: TESTS, name: "§9.6: a pre-candidate that can't win keeps its term, however long it tries" },
  },
  {
    name: "no-stickiness",
    rule:
      "While a leader is alive, its followers ignore the campaigns of others (dissertation §4.2.3); leases rely on it.",
    edits: [{
      file: ELECTION,
      find: `return promisedToLeader(state) ? "leaderAlive" : null;`,
      replace: `return promisedToLeader(state) && state.role === "leader" && request.preVote ? "leaderAlive" : null;`,
    }],
    killedBy: "test",
    test: { file: TESTS, name: "§4.2.3: while a leader is alive others' campaigns are ignored, their term included" },
  },
  {
    name: "vote-right-after-restart",
    rule:
      "A restarted node grants no vote for one minimum election timeout: its older self may have promised a lease " +
      "(dissertation §6.4.1).",
    edits: [{
      file: "lib/raft/lease.ts",
      find: "return state.graceTicks > 0;",
      replace: "return state.graceTicks < 0;",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name:
        "§6.4.1: a restarted node grants no vote for one minimum election timeout: it may have promised a lease before",
    },
  },
  {
    name: "timeout-now-from-any-node",
    rule: "Only the leader of the term may make a node campaign without asking first (dissertation §3.10).",
    edits: [{
      file: "lib/raft/transfer.ts",
      find: `if (message.term !== state.term || from !== state.leader || state.role !== "follower") return;`,
      replace: `if (message.term > state.term || from === state.id || state.role !== "follower") return;`,
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/transfer_test.ts",
      name: "§3.10: TimeoutNow counts only from the leader of the term",
    },
  },
  {
    name: "no-no-op",
    rule: "A leader begins its term with an empty entry: only that commits what older terms left (§5.4.2, §8).",
    edits: [
      { file: ELECTION, find: `import { appendAsLeader } from "./proposals.ts";\n`, replace: "" },
      {
        file: ELECTION,
        find: `  appendAsLeader(state, "noop", new Uint8Array(0));`,
        replace: "  state.dirty = true;",
      },
    ],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/commitment_test.ts",
      name: "§5.4.2: entries of older terms are not committed by counting replicas",
    },
  },
  {
    name: "newer-term-ignored",
    rule: "A node that receives a newer term becomes a follower (§5.1).",
    edits: [{
      file: "lib/raft/raft.ts",
      find: "      becomeFollower(state, message.term, null, `${from} has a higher term`);\n",
      replace: "",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "§5.1: a candidate or leader that learns of a newer term becomes a follower" },
  },
  {
    name: "stale-leader-followed",
    rule: "An AppendEntries of an older term is refused (§5.1; figure 2, step 1).",
    edits: [
      {
        file: "lib/raft/raft.ts",
        find: `import { handleAppendEntries, refuseStale } from "./follower.ts";`,
        replace: `import { handleAppendEntries } from "./follower.ts";`,
      },
      {
        file: "lib/raft/raft.ts",
        find: "        if (message.term < state.term) return refuseStale(state, from, message);\n",
        replace: "",
      },
    ],
    killedBy: "simulation",
    test: {
      file: "tests/unit/raft/replication_test.ts",
      name: "§5.3: an AppendEntries of an older term is refused with the newer term, and acknowledges no round",
    },
  },
  {
    name: "no-check-quorum",
    rule: "A leader that reaches no quorum for an election timeout steps down (dissertation §6.2).",
    edits: [{
      file: "lib/raft/check_quorum.ts",
      find: "const inContact = hasQuorum(",
      replace: "const inContact = state.term > 0 || hasQuorum(",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "§6.2: a leader that reaches no quorum for an election timeout steps down, in the same term",
    },
  },
];
