/**
 * What the server needs of a node. A `RaftNode` is one.
 *
 * @module
 */

import type { MembershipChange, NodeStatus, Proposed, RaftNodeEventMap, ReadResult } from "../lib/node/types.ts";
import type { Consistency } from "../lib/node/types.ts";
import type { Membership, NodeId } from "../lib/raft/types.ts";

/** A node behind the HTTP face. */
export interface ServedNode {
  status(): NodeStatus;
  propose(command: Uint8Array, options?: { readonly signal?: AbortSignal }): Promise<Proposed>;
  read(
    query: Uint8Array,
    options?: { readonly consistency?: Consistency; readonly signal?: AbortSignal },
  ): Promise<ReadResult>;
  /** Resolves once the change is committed. */
  changeMembership(change: MembershipChange, options?: { readonly signal?: AbortSignal }): Promise<Membership>;
  /** Resolves with the new leader. */
  transferLeadership(options?: { readonly to?: NodeId; readonly signal?: AbortSignal }): Promise<NodeId>;
  /** Resolves with what the newest snapshot covers. */
  takeSnapshot(): Promise<{ readonly index: number }>;
  addEventListener<Name extends keyof RaftNodeEventMap>(
    name: Name,
    listener: (event: { readonly detail: RaftNodeEventMap[Name] }) => void,
  ): unknown;
  /** Hands leadership over, then stops. */
  close(): Promise<void>;
}
