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
  /** The node's account of itself. */
  status(): NodeStatus;
  /** Proposes a command; resolves with the answer once it is committed and applied. */
  propose(command: Uint8Array, options?: { readonly signal?: AbortSignal }): Promise<Proposed>;
  /** Asks the state machine. */
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
  /** Calls `listener` for each event of this name. */
  addEventListener<Name extends keyof RaftNodeEventMap>(
    name: Name,
    listener: (event: { readonly detail: RaftNodeEventMap[Name] }) => void,
  ): unknown;
  /** Hands leadership over, then stops. */
  close(): Promise<void>;
}
