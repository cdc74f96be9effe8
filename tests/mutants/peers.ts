/**
 * Rules of what a leader knows of its peers: learners, transfers, snapshots.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

/** Mutants of peers. */
export const peers: readonly Mutant[] = [
  {
    name: "learners-keep-a-leader",
    rule: "Learners that answer keep no leader in office (dissertation §6.2).",
    edits: [{
      file: "lib/raft/check_quorum.ts",
      find: "    state.membership,\n",
      replace: "    { ...state.membership, voters: [...state.membership.voters, ...state.membership.learners] },\n",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "§6.2: learners that answer keep no leader in office, and silent ones depose none",
    },
  },
  {
    name: "leadership-to-a-learner",
    rule: "A learner that is ahead takes no leadership over (dissertation §3.10).",
    edits: [{
      file: "lib/raft/transfer.ts",
      find: "for (const id of state.membership.voters) {\n    const peer = leadership.peers.get(id);",
      replace: "for (const id of leadership.peers.keys()) {\n    const peer = leadership.peers.get(id);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "§3.10: a learner that is ahead of all voters takes no leadership over",
    },
  },
  {
    name: "transfer-out-of-time",
    rule: "Each transfer has an election timeout of its own (dissertation §3.10).",
    edits: [{ file: "lib/raft/transfer.ts", find: "  leadership.transferTicks = 0;\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "§3.10: each transfer has an election timeout of its own",
    },
  },
  {
    name: "transfer-waits-after-a-snapshot",
    rule: "A successor that catches up by a snapshot gets its TimeoutNow (dissertation §3.10).",
    edits: [{
      file: "lib/raft/snapshots.ts",
      find: "  advanceCommit(state);\n  advanceTransfer(state, leadership, peer);",
      replace:
        '  advanceCommit(state);\n  if (response.status !== "installed") advanceTransfer(state, leadership, peer);',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "§3.10: a successor that catches up by a snapshot gets its TimeoutNow at once",
    },
  },
  {
    name: "snapshot-for-the-absent",
    rule: "A peer that has not answered in this term is sent no snapshot.",
    edits: [{
      file: "lib/raft/replication.ts",
      find: "if (!peer.contacted || peer.ticksSinceContact >= state.config.electionTicks) return;",
      replace: "if (peer.ticksSinceContact >= state.config.electionTicks) return;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "§7: no snapshot is sent to a peer that has not answered in this term",
    },
  },
  {
    name: "late-refusal-ends-a-snapshot",
    rule: "A late refusal does not end the transfer of a snapshot (§7).",
    edits: [{
      file: "lib/raft/replication.ts",
      find: 'const stale = response.prevLogIndex <= peer.matchIndex || peer.state === "snapshot" ||',
      replace: "const stale = response.prevLogIndex <= peer.matchIndex ||",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "§7: a late refusal moves no peer that receives a snapshot, or is probed elsewhere",
    },
  },
  {
    name: "late-refusal-moves-a-probe",
    rule: "A refusal counts only for the entry that is being compared (§5.3).",
    edits: [{
      file: "lib/raft/replication.ts",
      find: '    (peer.state === "probe" && response.prevLogIndex !== peer.nextIndex - 1);',
      replace: "    false;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "§7: a late refusal moves no peer that receives a snapshot, or is probed elsewhere",
    },
  },
  {
    name: "peer-stuck-after-its-snapshot",
    rule: "An installed snapshot ends its transfer, even if it says nothing new (§7).",
    edits: [{
      file: "lib/raft/snapshots.ts",
      find: '  if (peer.state === "snapshot") peer.becomeProbe(peer.matchIndex + 1);\n  if (!advanced) return;',
      replace: '  if (!advanced) return;\n  if (peer.state === "snapshot") peer.becomeProbe(peer.matchIndex + 1);',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "§7: an installed snapshot ends the transfer to a peer, even if it says nothing new",
    },
  },
  {
    name: "acknowledged-entries-kept",
    rule: "Entries that a peer has acknowledged are not kept for it.",
    edits: [{
      file: "lib/raft/progress.ts",
      find: "Math.max(this.pendingSnapshot, this.matchIndex) + 1",
      replace: "this.pendingSnapshot + 1",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "§7: entries that a peer has acknowledged beyond the snapshot on its way are not needed",
    },
  },
  {
    name: "committed-entries-stay-cached",
    rule: "Entries that become committed may leave the cache.",
    edits: [{
      file: "lib/raft/commitment.ts",
      find: "  state.log.evict(index, state.config.maxCachedBytes);\n",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "the cache stays within its bound, whether an entry is committed or durable first",
    },
  },
  {
    name: "durable-entries-stay-cached",
    rule: "Entries that become durable may leave the cache.",
    edits: [{
      file: "lib/raft/persistence.ts",
      find: "  log.evict(state.commitIndex, state.config.maxCachedBytes);\n",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "the cache stays within its bound, whether an entry is committed or durable first",
    },
  },
  {
    name: "voter-campaigns-at-once",
    rule: "A node that grants a vote begins its election timeout anew (§5.2).",
    edits: [{
      file: "lib/raft/election.ts",
      find: "  state.votedFor = from;\n  state.resetElectionTimer();\n",
      replace: "  state.votedFor = from;\n",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "§5.2: a vote that was granted leaves the candidate a whole election timeout",
    },
  },
  {
    name: "silent-leader-remembered",
    rule: "A node that can't campaign forgets a leader that timed out.",
    edits: [{
      file: "lib/raft/election.ts",
      find: "if (!mayCampaign(state)) return setLeader(state, null);",
      replace: "if (!mayCampaign(state)) return;",
    }],
    killedBy: "test",
    test: { file: "tests/unit/raft/bystanders_test.ts", name: "a learner forgets a leader that has fallen silent" },
  },
  {
    name: "returned-member-dropped",
    rule: "A member that is added again is no longer dropped as removed.",
    edits: [{
      file: "lib/raft/membership_change.ts",
      find: "if (peer?.incarnation === incarnation) peer.departingAt = null;",
      replace: "if (peer?.incarnation === incarnation) continue;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "a member that is added again before it knew of its removal stays",
    },
  },
  {
    name: "held-acknowledgement-of-an-old-round",
    rule: "A held acknowledgement confirms the newest round.",
    edits: [{
      file: "lib/raft/durability.ts",
      find: "else held[earlier] = { to, message: { ...before, round: message.round } };",
      replace: "",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/raft/bystanders_test.ts",
      name: "rule 2: a held acknowledgement keeps the highest index, and confirms the newest round",
    },
  },
];
