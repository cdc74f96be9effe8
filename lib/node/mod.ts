/**
 * {@linkcode RaftNode}: runs one Raft node against a storage, a transport, a state
 * machine and a clock.
 *
 * @module
 */

export { RaftNode } from "./raft_node.ts";
export type { ReadOptions, RequestOptions, TransferOptions } from "./raft_node.ts";
export type { LeaderCallback, LeaderTerm } from "./leader_tasks.ts";
export type { RaftNodeEvent, RaftNodeEventType, RaftNodeListener } from "./events.ts";
export type {
  Consistency,
  InFlight,
  Lifecycle,
  MembershipTarget,
  NodeDiagnostics,
  NodeMetric,
  NodeStatus,
  PeerStatus,
  ProposeResult,
  RaftNodeEventMap,
  RaftNodeOptions,
  RaftView,
  ReadResult,
  RefusedMessages,
  Suffrage,
} from "./types.ts";
