/**
 * The removal of a node from its cluster, as far as the node can know of it.
 */

import { memberOf } from "../raft/mod.ts";
import type { Raft } from "../raft/mod.ts";
import type { Membership } from "../raft/types.ts";
import type { Identity } from "../storage.ts";
import type { NodeStatus } from "./types.ts";

/**
 * Tells whether a node was removed: by its own log, or, for a node that was down then,
 * by the status of a member. It changes nothing in the protocol: a node that was
 * removed and can't know of it disturbs no leader (rule 7), and one that hears a leader
 * again is none that was removed.
 */
export class Removal {
  readonly #raft: Raft;
  /** The index of a member's committed membership that lacks this node; 0 without one. */
  #toldAt = 0;

  constructor(raft: Raft) {
    this.#raft = raft;
  }

  /** Reports whether the node was removed. */
  known(identity: Identity): boolean {
    const { membership, membershipCommitted, previousMembership, leader } = this.#raft;
    if (this.#toldAt > 0 && leader === null) return true;
    return membershipCommitted && !isIn(membership, identity) && isIn(previousMembership, identity);
  }

  /** Forgets what a member told once a leader counts on this node. */
  poll(): void {
    if (this.#raft.leader !== null) this.#toldAt = 0;
  }

  /** Takes note of the status of another node. */
  learn(status: NodeStatus, identity: Identity): void {
    const { clusterId, lifecycle, leader, membership, membershipIndex, membershipCommitted } = status;
    if (identity.clusterId === "" || clusterId !== identity.clusterId) return;
    // A node without a leader may itself be behind.
    if (lifecycle !== "running" || leader === null || !membershipCommitted) return;
    if (membershipIndex < this.#raft.membershipIndex || this.#raft.leader !== null) return;
    this.#toldAt = isIn(membership, identity) ? 0 : membershipIndex;
  }
}

function isIn(membership: Membership, { nodeId, incarnation }: Identity): boolean {
  const member = memberOf(membership, nodeId);
  return member !== undefined && (member.incarnation === "" || member.incarnation === incarnation);
}
