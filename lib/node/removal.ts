/**
 * The removal of a node from its cluster, as far as the node can know of it.
 */

import { memberOf } from "../raft/mod.ts";
import type { Raft } from "../raft/mod.ts";
import type { Membership } from "../raft/types.ts";
import type { Identity } from "../storage.ts";
import type { NodeStatus } from "./types.ts";

/** The election timeouts in which a leader still sends to a removed node, and the node keeps that leader in mind. */
const MAX_FAREWELL_TIMEOUTS = 8;

/**
 * Tells whether a node was removed: by its own log, or, for a node that was down then,
 * by the status of a member. It changes nothing in the protocol: a node that was
 * removed and can't know of it disturbs no leader (rule 7).
 */
export class Removal {
  readonly #raft: Raft;
  readonly #electionTicks: number;
  /** The index of a member's committed membership that lacks this node; 0 without one. */
  #toldAt = 0;
  /** The ticks in which this node has followed a leader since it was told. */
  #followedTicks = 0;

  constructor(raft: Raft, electionTicks: number) {
    this.#raft = raft;
    this.#electionTicks = electionTicks;
  }

  /** Reports whether the node was removed. */
  known(identity: Identity): boolean {
    const { membership, membershipCommitted, previousMembership } = this.#raft;
    if (this.#toldAt > 0) return true;
    return membershipCommitted && !isIn(membership, identity) && isIn(previousMembership, identity);
  }

  /** Counts a tick, and forgets what a member told if a leader shows that it is outdated, or was a lie. */
  tick(identity: Identity): void {
    const { leader, commitIndex, membership } = this.#raft;
    if (this.#toldAt === 0) return;
    this.#followedTicks = leader === null ? 0 : this.#followedTicks + 1;
    const caughtUp = commitIndex >= this.#toldAt && isIn(membership, identity);
    // A leader sends to a removed node for some election timeouts at most, so that it learns of it.
    if (caughtUp || this.#followedTicks > MAX_FAREWELL_TIMEOUTS * this.#electionTicks) this.#toldAt = 0;
  }

  /** Takes note of the status of another node. */
  learn(status: NodeStatus, identity: Identity): void {
    const { clusterId, lifecycle, leader, membership, membershipIndex, membershipCommitted } = status;
    if (identity.clusterId === "" || clusterId !== identity.clusterId) return;
    // A node without a leader may itself be behind.
    if (lifecycle !== "running" || leader === null || !membershipCommitted) return;
    if (membershipIndex < this.#raft.membershipIndex || this.#raft.leader !== null) return;
    this.#toldAt = isIn(membership, identity) ? 0 : membershipIndex;
    this.#followedTicks = 0;
  }
}

function isIn(membership: Membership, { nodeId, incarnation }: Identity): boolean {
  const member = memberOf(membership, nodeId);
  return member !== undefined && (member.incarnation === "" || member.incarnation === incarnation);
}
