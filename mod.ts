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

// What a user may implement.
export type { AppliedCommand, StateMachine } from "./lib/state_machine.ts";
export type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "./lib/storage.ts";
export type { Envelope, Receive, Transport } from "./lib/transport.ts";
export { PROTOCOL_VERSION } from "./lib/transport.ts";
export type { Cancel, Clock, Host } from "./lib/clock.ts";
export { systemHost } from "./lib/host.ts";

// What goes wrong.
export type { DiskState, LeaderHint, Outcome, RaftErrorCode, RaftErrorOptions } from "./lib/errors.ts";
export { RaftError, StorageError } from "./lib/errors.ts";

// The node.
export type {
  Consistency,
  Lifecycle,
  MembershipChange,
  NodeMetric,
  NodeStatus,
  PeerStatus,
  Proposed,
  RaftNodeEventMap,
  RaftNodeOptions,
  ReadResult,
  Suffrage,
} from "./lib/node/types.ts";

// The client.
export type { CallOptions, ClientTransport, ProposeResult } from "./lib/client/client_transport.ts";

// The protocol's vocabulary.
export type {
  AppendEntries,
  AppendEntriesResponse,
  Entry,
  EntryType,
  HardState,
  InstallSnapshot,
  InstallSnapshotResponse,
  Member,
  Membership,
  Message,
  NodeId,
  PersistBatch,
  RaftEvent,
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
