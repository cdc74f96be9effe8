/**
 * The Raft protocol as a pure state machine.
 *
 * | file | rule |
 * |---|---|
 * | raft.ts | the interface: inputs in, effects out |
 * | types.ts | messages, entries, memberships, effects |
 * | message_check.ts, term_limit.ts | messages that no correct peer sends |
 * | restored_check.ts | states that no node leaves on its disk |
 * | state.ts | the state of a node (figure 2, "State") |
 * | log.ts | the terms of the log; what is durable of it |
 * | entry_cache.ts, packed_entries.ts | the newest entries in memory |
 * | configuration.ts | the memberships over the length of the log |
 * | roles.ts | terms, stepping down, and the known leader (§5.1) |
 * | election.ts | votes and pre-votes (§5.2, §5.4.1; dissertation §9.6) |
 * | random.ts | randomised election timeouts (§5.2) |
 * | check_quorum.ts | a leader without a quorum steps down (dissertation §6.2) |
 * | lease.ts | leader stickiness and lease reads (dissertation §4.2.3, §6.4.1) |
 * | proposals.ts | how a leader appends to its log (§5.3) |
 * | replication.ts, follower.ts | both halves of AppendEntries (§5.3) |
 * | progress.ts | the leader's view of a peer's log, and flow control |
 * | commitment.ts | when an entry is committed (§5.4.2) |
 * | durability.ts, persistence.ts | what must be on disk before what |
 * | reads.ts | ReadIndex (dissertation §6.4) |
 * | membership.ts | memberships as values: voters, learners, joint configurations |
 * | membership_change.ts | how the membership changes (dissertation chapter 4) |
 * | quorum.ts | counting majorities, of both halves of a joint configuration |
 * | snapshots.ts | compaction and InstallSnapshot (§7) |
 * | transfer.ts | leadership transfer (dissertation §3.10) |
 *
 * docs/protocol_rules.md lists the rules, "rule 1" to "rule 10" among them, with
 * their functions and tests.
 *
 * @module
 */

export { Raft } from "./raft.ts";
export { InvariantViolation } from "./state.ts";
export type { RaftConfig } from "./state.ts";
export {
  decodeMembership,
  emptyMembership,
  encodeMembership,
  equalMemberships,
  isJoint,
  isLearner,
  isVoter,
  memberIds,
  memberOf,
  membershipOf,
  validateMembership,
} from "./membership.ts";
export { problemOfRestored } from "./restored_check.ts";
export { termTrouble } from "./term_limit.ts";
