/**
 * Rules of membership: which nodes count from which entry on, and which changes are
 * allowed (dissertation chapter 4).
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

const CHANGE = "lib/raft/membership_change.ts";
const QUORUM = "lib/raft/quorum.ts";
const TESTS = "tests/unit/raft/membership_test.ts";

/** Mutants of membership. */
export const membership: readonly Mutant[] = [
  {
    name: "membership-in-force-at-commit",
    rule: "A membership is in force as soon as its entry is appended (dissertation §4.1).",
    edits: [
      {
        file: "lib/raft/state.ts",
        find: "    return this.configuration.current;",
        // The membership that a restart finds is in force: otherwise no leader would ever be elected.
        replace: `    const { configuration } = this;
    return configuration.index > this.commitIndex && this.commitIndex > 0
      ? configuration.previous
      : configuration.current;`,
      },
      {
        file: "lib/raft/commitment.ts",
        find: `import { leaveJoint } from "./membership_change.ts";`,
        replace: `import { leaveJoint, syncPeers } from "./membership_change.ts";`,
      },
      {
        file: "lib/raft/commitment.ts",
        find: "  state.commitIndex = index;\n",
        replace: "  state.commitIndex = index;\n  syncPeers(state);\n",
      },
    ],
    killedBy: "simulation",
    test: {
      file: TESTS,
      name: "§4.1: a membership is in force from the moment it is appended, on the leader and on followers",
    },
  },
  {
    name: "two-uncommitted-memberships",
    rule: "One uncommitted membership at a time (dissertation §4.1).",
    edits: [{
      file: CHANGE,
      find: "if (state.configuration.index > state.commitIndex || isJoint(membership)) {",
      replace: "if (isJoint(membership)) {",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "rule 1: one uncommitted change at a time" },
  },
  {
    name: "change-before-own-commit",
    rule:
      "No membership change before an entry of the leader's own term has committed (Ongaro on raft-dev, July 2015).",
    edits: [{ file: CHANGE, find: `  if (!state.committedInTerm) return refused("not_ready");\n`, replace: "" }],
    killedBy: "simulation",
    test: { file: TESTS, name: "rule 1: no membership change until an entry of the leader's own term has committed" },
  },
  {
    name: "several-voters-in-one-step",
    rule: "More than one voter is added or removed only through a joint configuration (dissertation §4.3).",
    edits: [{ file: CHANGE, find: "if (come + go <= 1) return to;", replace: "if (come + go <= 9) return to;" }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "§4.1, figure 4.3: one voter may come or go in a single step; more need a joint configuration",
    },
  },
  {
    name: "joint-commit-by-one-half",
    rule: "In a joint configuration an entry commits by majorities of both halves (dissertation §4.3).",
    edits: [{
      file: "lib/raft/commitment.ts",
      find: "quorumValue(state.membership, (id) =>",
      replace: "quorumValue({ ...state.membership, outgoing: [] }, (id) =>",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/raft/commitment_test.ts",
      name: "§4.3: in a joint configuration entries need majorities of both halves",
    },
  },
  {
    name: "joint-election-by-one-half",
    rule: "In a joint configuration an election needs majorities of both halves (dissertation §4.3).",
    edits: [{
      file: QUORUM,
      find: "return quorumValue(membership, (id) => agrees",
      replace: "return majorityValue(membership.voters, (id) => agrees",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "§4.3: an election in a joint configuration needs both majorities, for pre-votes and votes",
    },
  },
  {
    name: "joint-left-before-commit",
    rule: "A joint configuration is left once its entry has committed (dissertation §4.3).",
    edits: [{
      file: CHANGE,
      find: "if (state.configuration.index > state.commitIndex || !state.committedInTerm) return;",
      replace: "if (!state.committedInTerm) return;",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "§4.3: a commit before the joint entry does not end the joint configuration" },
  },
  {
    name: "truncation-keeps-membership",
    rule: "A truncation reverts the membership together with its entry (dissertation §4.1).",
    edits: [
      {
        file: "lib/raft/follower.ts",
        find: `import { adoptMembership, rollBackMembership } from "./membership_change.ts";`,
        replace: `import { adoptMembership } from "./membership_change.ts";`,
      },
      { file: "lib/raft/follower.ts", find: "    rollBackMembership(state, index);\n", replace: "" },
    ],
    killedBy: "test",
    test: { file: TESTS, name: "rule 4: a truncation restores the older membership and the node's own role" },
  },
  {
    name: "learners-elect",
    rule: "A learner has no vote in an election (dissertation §4.2.1).",
    edits: [
      {
        file: "lib/raft/election.ts",
        find: "new Set([...membership.voters, ...membership.outgoing])",
        replace: "new Set([...membership.voters, ...membership.outgoing, ...membership.learners])",
      },
      {
        file: QUORUM,
        find: "  if (hasQuorum(membership, (id) => votes.get(id) === true)) return",
        replace: `  const learnersVote = membership.learners.some((id) => votes.get(id) === true);
  if (hasQuorum(membership, (id) => learnersVote || votes.get(id) === true)) return`,
      },
    ],
    killedBy: "simulation",
    test: {
      file: "tests/unit/raft/election_test.ts",
      name: "§4.2.1: a learner's vote doesn't count, even if it sends one",
    },
  },
  {
    name: "learner-campaigns",
    rule: "A learner never campaigns (dissertation §4.2.1).",
    edits: [{
      file: "lib/raft/election.ts",
      find: "return state.isVoter || (configuration",
      replace: "return state.isVoter || state.membership.learners.includes(state.id) || (configuration",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/election_test.ts",
      name: "rule 7: learners answer a vote request, and never campaign",
    },
  },
  {
    name: "removed-leader-leaves-early",
    rule: "A leader that is removed leads until its removal has committed (dissertation §4.2.2).",
    edits: [{
      file: "lib/raft/transfer.ts",
      find: "if (state.isVoter || isJoint(state.membership) || state.configuration.index > state.commitIndex) return;",
      replace: "if (state.isVoter || isJoint(state.membership)) return;",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "§4.2.2: a removed leader leads until its removal has committed, and then hands over" },
  },
  {
    name: "strangers-ignored",
    rule: "Requests are processed even if their sender is not in the membership (dissertation §4.1).",
    edits: [{
      file: "lib/raft/raft.ts",
      find: "    if (from === state.id) return null;",
      replace: "    if (from === state.id || !state.membership.members.some(({ id }) => id === from)) return null;",
    }],
    killedBy: "simulation",
    test: { file: TESTS, name: "§4.1: messages of senders that the membership does not know are processed" },
  },
  {
    name: "voter-with-another-disk",
    rule: "A member never keeps its id with another data folder: that one has forgotten its votes.",
    edits: [{
      file: CHANGE,
      find: "if (namesake !== undefined) return",
      replace: "if (namesake !== undefined && target.voters.length === 0) return",
    }],
    killedBy: "test",
    test: {
      file: TESTS,
      name: "a member never keeps its id with another data folder; a new member may have any",
    },
  },
  {
    name: "progress-of-another-disk",
    rule: "Acknowledgements of an older data folder don't count for the newer one.",
    edits: [{
      file: CHANGE,
      find: "if (peer?.incarnation === incarnation) peer.departingAt = null;",
      replace: "if (peer !== undefined && incarnation !== undefined) peer.departingAt = null;",
    }],
    killedBy: "simulation",
    test: {
      file: TESTS,
      name: "acknowledgements of an older data folder do not count for the newer one",
    },
  },
  {
    name: "wiped-voter-answers",
    rule: "Only answers from the member's own data folder count in a quorum: a wiped one has forgotten its votes.",
    edits: [{
      file: "lib/node/envelope_check.ts",
      find: "if (another && (isAnswer(envelope.message) || !expected)) return",
      replace: "if (another && !isAnswer(envelope.message) && !expected) return",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/identity_test.ts",
      name:
        "answers of a member with another data folder are refused; its requests are processed by a node without a leader",
    },
  },
  {
    name: "namesakes-share-a-vote",
    rule: "A vote names the candidate's data folder, so two folders of one node id don't both get it in a term.",
    edits: [{
      file: "lib/node/envelope_check.ts",
      find: "if (first !== undefined) return first !== fromIncarnation;",
      replace: "if (first !== undefined) return false;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/identity_test.ts",
      name: "of two data folders under one name only one is a candidate of a term: a vote names no data folder",
    },
  },
  {
    name: "other-cluster-accepted",
    rule: "Messages of another cluster are refused.",
    edits: [{
      file: "lib/node/envelope_check.ts",
      find: "if (own.clusterId === envelope.clusterId) {",
      replace: `if (own.clusterId === envelope.clusterId || own.clusterId !== "") {`,
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/identity_test.ts",
      name: "a message for another node, cluster, version or data folder is refused",
    },
  },
  {
    name: "namesake-votes-by-name",
    rule:
      "A node has a vote only if the membership names its data folder, not an earlier one of its id (decision 0008).",
    edits: [{
      file: "lib/raft/state.ts",
      find: 'return incarnation === "" || this.config.incarnation === "" || incarnation === this.config.incarnation;',
      replace: "return incarnation === incarnation;",
    }],
    killedBy: "simulation",
    test: {
      file: "tests/unit/raft/election_test.ts",
      name: "a node with another data folder has no vote, although the log says that its name had one",
    },
  },
  {
    name: "removed-leader-changes-on",
    rule: "A leader whose own removal has committed starts no other change (dissertation §4.2.2).",
    edits: [{
      file: "lib/raft/membership_change.ts",
      find: '  if (!state.isVoter && state.configuration.index <= state.commitIndex) return refused("not_leader");\n',
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/membership_test.ts",
      name: "§4.2.2: a leader whose removal has just committed begins no other change",
    },
  },
  {
    name: "readmitted-member-dropped",
    rule: "A member that is added again before it knew of its removal is a peer like any other.",
    edits: [{
      file: "lib/raft/membership_change.ts",
      find: "    if (peer?.incarnation === incarnation) peer.departingAt = null;",
      replace: "    if (peer?.incarnation === incarnation) continue;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/membership_test.ts",
      name: "a server that is removed and added again before it knows stays a peer, with its acknowledgements",
    },
  },
  {
    name: "former-address-kept",
    rule: "A member is reached at the address that the newest membership has.",
    edits: [{
      file: "lib/node/directory.ts",
      find: "membership.members.map((member) => [member.id, member])",
      replace: "membership.members.map((member) => [member.id, former.get(member.id) ?? member])",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/node/directory_test.ts",
      name: "a membership with a new address of a member replaces the former one, also in a rollback",
    },
  },
];
