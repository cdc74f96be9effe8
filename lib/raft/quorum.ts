/**
 * Counting majorities. In a joint configuration both halves must agree
 * (dissertation §4.3): separate majorities of the old and of the new voters.
 */

import type { Membership, NodeId } from "./types.ts";

/** Returns the size of a majority of `voters`. */
export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** Reports whether the voters for which `agrees` holds are a quorum. Without voters there is no quorum. */
export function hasQuorum(membership: Membership, agrees: (id: NodeId) => boolean): boolean {
  return quorumValue(membership, (id) => agrees(id) ? 1 : 0) === 1;
}

/** Returns the highest number that a quorum has reached, where `reached` gives each voter's. */
export function quorumValue(membership: Membership, reached: (id: NodeId) => number): number {
  const incoming = majorityValue(membership.voters, reached);
  if (membership.outgoing.length === 0) return incoming;
  return Math.min(incoming, majorityValue(membership.outgoing, reached));
}

function majorityValue(voters: readonly NodeId[], reached: (id: NodeId) => number): number {
  if (voters.length === 0) return 0;
  const descending = voters.map(reached).sort((a, b) => b - a);
  return descending[majority(voters.length) - 1]!;
}

/** The state of an election. */
export type ElectionResult = "won" | "lost" | "pending";

/** Counts votes. An election is lost once a quorum can no longer be reached. */
export function electionResult(membership: Membership, votes: ReadonlyMap<NodeId, boolean>): ElectionResult {
  if (hasQuorum(membership, (id) => votes.get(id) === true)) return "won";
  if (!hasQuorum(membership, (id) => votes.get(id) !== false)) return "lost";
  return "pending";
}
