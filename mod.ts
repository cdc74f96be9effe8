/**
 * Raft, written once over web-standard APIs: the same node runs in Deno, Node
 * and Bun, and in a browser tab, over any transport and any storage.
 *
 * This is the public face: the node, the client, the contracts to implement, and
 * the adapters that live in memory. It depends on nothing, and so can be imported
 * by URL. Adapters with dependencies have faces of their own: `storage/file/mod.ts`,
 * `transport/connect/mod.ts`, `server/mod.ts`.
 *
 * @module
 */

// In this order of the sections, the bundle for browsers compresses best.

// The protocol.
export {
  decodeMembership,
  emptyMembership,
  encodeMembership,
  InvariantViolation,
  isJoint,
  isLearner,
  isVoter,
  memberIds,
  membershipOf,
  Raft,
  validateMembership,
} from "./lib/raft/mod.ts";
export type { RaftConfig } from "./lib/raft/mod.ts";
export type {
  AppendEntries,
  AppendEntriesResponse,
  ConfirmedRead,
  Effects,
  Entry,
  EntryRead,
  EntryType,
  HardState,
  InstallSnapshot,
  InstallSnapshotResponse,
  Member,
  Membership,
  Message,
  MessageHead,
  MessageRefusal,
  NodeId,
  OutboundMessage,
  PeerProgress,
  PersistBatch,
  RaftEvent,
  Refusal,
  Refused,
  RequestResult,
  RequestVote,
  RequestVoteResponse,
  RestoredState,
  Role,
  SnapshotMeta,
  TermStart,
  TimeoutNow,
  VoteDenial,
} from "./lib/raft/types.ts";

// Tools for state machines and adapters.
export { ByteReader, ByteWriter } from "./lib/bytes.ts";
export { crc32c } from "./lib/crc32c.ts";

// The node.
export { RaftNode } from "./lib/node/mod.ts";
export type {
  Consistency,
  InFlight,
  LeaderCallback,
  LeaderTerm,
  Lifecycle,
  MembershipTarget,
  NodeDiagnostics,
  NodeMetric,
  NodeStatus,
  PeerStatus,
  ProposeResult,
  RaftNodeEvent,
  RaftNodeEventMap,
  RaftNodeEventType,
  RaftNodeListener,
  RaftNodeOptions,
  RaftView,
  ReadOptions,
  ReadResult,
  RefusedMessages,
  RequestOptions,
  Suffrage,
  TransferOptions,
} from "./lib/node/mod.ts";

// Adapters in memory.
export { MemoryDisk, MemoryStorage } from "./storage/memory.ts";
export type { MemoryOperation, MemoryStorageOptions } from "./storage/memory.ts";
export { MemoryNetwork, MemoryTransport } from "./transport/memory.ts";
export type { MemoryNetworkOptions, NetworkCounts, NetworkFaults } from "./transport/memory.ts";

// The errors.
export type {
  DiskState,
  LeaderHint,
  Outcome,
  RaftErrorCode,
  RaftErrorJson,
  RaftErrorOptions,
  Retry,
  StorageErrorCode,
} from "./lib/errors.ts";
export { isRetryable, RaftError, retryOf, StorageError } from "./lib/errors.ts";

// The interfaces that a user may implement.
export type { AppliedCommand, StateMachine } from "./lib/state_machine.ts";
export type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "./lib/storage.ts";
export type { Envelope, Receive, Transport } from "./lib/transport.ts";
export { PROTOCOL_VERSION } from "./lib/transport.ts";
export type { Cancel, Clock, Host } from "./lib/clock.ts";
export { systemHost } from "./lib/host.ts";

// The client.
export { ClusterAdmin, Coordinator, DirectClientTransport } from "./lib/client/mod.ts";
export type {
  AdminCallOptions,
  AdminCalls,
  AdminMethod,
  AdminRequestOptions,
  AdminTransport,
  CallOptions,
  ClientRequestOptions,
  ClientTransport,
  ClusterAdminOptions,
  CoordinatorOptions,
  DirectNode,
  KnownLeader,
  MemberList,
  MemberName,
  NewMember,
  ProposalsInFlight,
  ProposeOutcome,
} from "./lib/client/mod.ts";

// State machines over values.
export { jsonCodec, TypedClient, typedStateMachine } from "./lib/typed/typed_state_machine.ts";
export type {
  Codec,
  TypedCluster,
  TypedCodecs,
  TypedDefinition,
  TypedReadOptions,
} from "./lib/typed/typed_state_machine.ts";

// Exactly once.
export { Sessions } from "./lib/sessions/sessions.ts";
export type { SessionLimits } from "./lib/sessions/session_table.ts";

// The key-value state machine.
export { KeyValue } from "./lib/kv/key_value.ts";
export type { KeyValueOptions } from "./lib/kv/key_value.ts";
export { KEY_MAX_BYTES, LIST_MAX_ENTRIES, VALUE_MAX_BYTES } from "./lib/kv/commands.ts";
export type { CompareResult, ExpectedVersion, KeyValueEntry, VersionedValue } from "./lib/kv/commands.ts";
export type { KeyValueChange, WatchOptions } from "./lib/kv/watch.ts";
export { KeyValueClient } from "./lib/kv/client.ts";
export type {
  BytesOrText,
  KeyValueClientOptions,
  KeyValueCluster,
  KeyValueList,
  KeyValueListOptions,
  KeyValueReading,
  KeyValueReadOptions,
  KeyValueWatchOptions,
  WatchSource,
} from "./lib/kv/client.ts";
