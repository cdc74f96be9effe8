/**
 * The calls of an operator: requests and answers by name, for every transport.
 */

import type { MembershipTarget } from "../node/types.ts";
import type { Membership, NodeId } from "../raft/types.ts";

/** A node to add. It must run, be empty, and be reachable at its address. */
export interface NewMember {
  /** The node's name, as it was started with. */
  readonly id: NodeId;
  /** The node's address for the other members. */
  readonly address: string;
  /** The identity of its data. @default found out by asking the node at the address */
  readonly incarnation?: string;
  /** Keeps it without a vote. Otherwise it becomes a voter as soon as it has caught up. @default false */
  readonly learner?: boolean;
}

/** Names a member. */
export interface MemberName {
  /** The member's name. */
  readonly id: NodeId;
}

/** Requests and answers of the calls that {@linkcode AdminTransport.admin} carries, by name. */
export interface AdminCalls {
  /** Adds a node; steps that were done already are skipped. */
  readonly addMember: { readonly request: NewMember; readonly answer: Membership };
  /** Makes a learner a voter; nothing changes if it is one. */
  readonly promoteMember: { readonly request: MemberName; readonly answer: Membership };
  /** Makes a voter a learner; nothing changes if it is one. */
  readonly demoteMember: { readonly request: MemberName; readonly answer: Membership };
  /** Removes a member. */
  readonly removeMember: { readonly request: MemberName; readonly answer: Membership };
  /** Sets all members at once. Known members need only their id; the others are asked for their identity. */
  readonly changeMembership: { readonly request: MembershipTarget; readonly answer: Membership };
  /** Transfers leadership, to the most up-to-date voter without `to`; answers with the new leader. */
  readonly transferLeadership: { readonly request: { readonly to?: NodeId }; readonly answer: NodeId };
  /** Makes the node at the endpoint take a snapshot; answers with the last index it covers. */
  readonly takeSnapshot: { readonly request: Readonly<Record<never, never>>; readonly answer: number };
}

/** The name of a call. */
export type AdminMethod = keyof AdminCalls;
