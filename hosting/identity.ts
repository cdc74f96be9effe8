/**
 * What a node tells to whoever asks who it is.
 *
 * @module
 */

import { decodeMembership, encodeMembership } from "../lib/raft/membership.ts";
import type { NodeStatus } from "../lib/node/types.ts";
import type { Membership } from "../lib/raft/types.ts";
import type { PeerCaller, PeerIdentity as WireIdentity } from "../transport/connect/peer_service.ts";
import type { PeerIdentity } from "./bootstrap.ts";

/** 128 random bits in hexadecimal: the identity of a data folder. Not by `randomUUID`, which pages of plain HTTP lack. */
export function randomIncarnation(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Answers from a node's status. */
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

/** From the wire. A membership that can't be read counts as none: the leader's log will bring it. */
export function peerIdentityOf(answer: WireIdentity): PeerIdentity {
  let firstMembership: Membership | null = null;
  try {
    if (answer.membership.length > 0) firstMembership = decodeMembership(answer.membership);
  } catch {
    // Of a newer version, or damaged.
  }
  const { nodeId, incarnation, address, clusterId, empty, knowsCaller } = answer;
  return { nodeId, incarnation, address, clusterId, empty, knowsCaller, firstMembership };
}
