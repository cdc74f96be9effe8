/**
 * The answer of a node to the question of its identity.
 *
 * @module
 */

import { decodeMembership } from "../lib/raft/membership.ts";
import type { Membership } from "../lib/raft/types.ts";
import type { PeerIdentity as WireIdentity } from "../transport/wire/identity.ts";
import type { PeerIdentity } from "./bootstrap.ts";

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
