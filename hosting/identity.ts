/**
 * The answer of a node to the question of its identity.
 *
 * @module
 */

import { decodeMembership, encodeMembership } from "../lib/raft/membership.ts";
import type { NodeStatus } from "../lib/node/types.ts";
import type { Membership } from "../lib/raft/types.ts";
import type { PeerCaller, PeerIdentity as WireIdentity } from "../transport/connect/peer_service.ts";
import type { PeerIdentity } from "./bootstrap.ts";

/** Builds the answer from a node's status. */
export function identityOf(status: NodeStatus, address: string, caller: PeerCaller): WireIdentity {
  const { id, incarnation, clusterId, members, membership, membershipIndex } = status;
  return {
    nodeId: id,
    incarnation,
    clusterId,
    address,
    empty: status.lastIndex === 0 && status.term === 0,
    knowsCaller: members.some((member) => member.id === caller.nodeId && member.incarnation === caller.incarnation),
    membership: membershipIndex === 1 ? encodeMembership(membership) : new Uint8Array(0),
  };
}

/** Converts an answer from the wire. An unreadable membership counts as none: the leader's log will bring it. */
export function peerIdentityOf(answer: WireIdentity): PeerIdentity {
  let firstMembership: Membership | null = null;
  try {
    if (answer.membership.length > 0) firstMembership = decodeMembership(answer.membership);
  } catch {
    // From a newer version, or damaged.
  }
  const { nodeId, incarnation, address, clusterId, empty, knowsCaller } = answer;
  return { nodeId, incarnation, address, clusterId, empty, knowsCaller, firstMembership };
}
