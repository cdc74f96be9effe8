/**
 * The Raft protocol as a pure state machine.
 *
 * | file | rule |
 * |---|---|
 * | raft.ts | the face: inputs in, effects out |
 * | state.ts | what a node knows (figure 2, "State") |
 * | log.ts, configuration.ts | the log; the membership over its length |
 * | election.ts | votes, pre-vote, stickiness (§5.2, §5.4.1) |
 * | replication.ts, follower.ts | both halves of AppendEntries (§5.3) |
 * | progress.ts | what the leader knows of a peer |
 * | commitment.ts | when an entry is committed (§5.4.2) |
 * | durability.ts, persistence.ts | what must be on disk before what |
 * | reads.ts | ReadIndex (dissertation §6.4) |
 * | membership.ts, membership_change.ts | who takes part, and how that changes (chapter 4) |
 * | quorum.ts | counting majorities, of both halves |
 * | snapshots.ts | compaction and InstallSnapshot (§7) |
 * | transfer.ts | handing leadership over (§3.10) |
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
