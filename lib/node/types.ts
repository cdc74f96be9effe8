/**
 * The options, results and events of a {@linkcode RaftNode}.
 */

import type { Host } from "../clock.ts";
import type { Raft } from "../raft/mod.ts";
import type { Member, Membership, NodeId, PeerProgress, RaftEvent, Role } from "../raft/types.ts";
import type { StateMachine } from "../state_machine.ts";
import type { LoadedState, Storage } from "../storage.ts";
import type { Transport } from "../transport.ts";

/**
 * The consistency of a read.
 *
 * - `linearizable`: sees everything acknowledged before it began; costs a round of heartbeats, shared by many reads.
 * - `lease`: the same without the round, as long as clocks drift less than `maxClockDrift`; falls back to `linearizable` without a lease.
 * - `stale`: sees what this node has applied, however old.
 */
export type Consistency = "linearizable" | "lease" | "stale";

/** Options of {@linkcode RaftNode.start}. Sizes in bytes, times in milliseconds. */
export interface RaftNodeOptions {
  /** This node's name; must match the storage's. */
  readonly id: NodeId;
  /** This node's address for other nodes. Each envelope carries it, so that a node without a membership can answer. */
  readonly address: string;
  /** The replicated state machine; called by the node alone. */
  readonly stateMachine: StateMachine;
  /** Loaded and closed by the node. */
  readonly storage: Storage;
  /**
   * The result of `storage.load()`, for a caller that has already called it, with
   * the identity that the storage was given since. @default the node loads the storage
   */
  readonly loaded?: LoadedState;
  /** Started and closed by the node. */
  readonly transport: Transport;
  /** Clock, random source and task queue. @default systemHost() */
  readonly host?: Host;
  /**
   * For a new storage only: the first membership, the same on every node that
   * starts with one, and the cluster's id. Without it a new node waits for a
   * leader to add it. Ignored on a storage that has been used.
   */
  readonly bootstrap?: { readonly clusterId: string; readonly membership: Membership };
  /**
   * The cluster that this node belongs to, or waits to be added to. A node without a cluster refuses others; one whose
   * storage has another cluster does not start. @default the cluster of the first leader or candidate that addresses
   * the node by its incarnation
   */
  readonly expectedClusterId?: string;
  /** For a new storage: its incarnation. @default random */
  readonly incarnation?: string;
  /** The minimum election timeout: a follower campaigns after this long without a leader, up to twice as long. @default 1000 */
  readonly electionTimeoutMs?: number;
  /** The interval of a leader's heartbeats. @default 100 */
  readonly heartbeatIntervalMs?: number;
  /** Set to serve `lease` reads from a lease. @default false */
  readonly leaseReads?: boolean;
  /** The drift between clocks in an election timeout that leases allow for, as a fraction of it. @default 0.1 */
  readonly maxClockDrift?: number;
  /** The number of applied entries after which a snapshot is taken, if `snapshotRatio` allows it; 0 for never. @default 10000 */
  readonly snapshotEntries?: number;
  /** The bytes of applied entries after which a snapshot is taken, if `snapshotRatio` allows it; 0 for never. An entry counts as its command and 32 bytes. @default 64 MiB */
  readonly snapshotBytes?: number;
  /**
   * The bytes of applied entries after which a snapshot is taken, as a multiple of
   * the size of the newest one. With 1, writing snapshots at most doubles what is
   * written, and a node that starts reads at most as much of the log as of its
   * snapshot, or `snapshotBytes`. With 0 the size of the state doesn't matter. @default 1
   */
  readonly snapshotRatio?: number;
  /**
   * The bytes of applied entries after which a snapshot is taken, whatever
   * `snapshotRatio` says. It bounds the disk space of the log, and the time that a
   * node needs to start; 0 for no bound. @default 1 GiB
   */
  readonly maxLogBytes?: number;
  /** The number of entries kept before a snapshot's index, so that a slow follower needs no snapshot. @default 1000 */
  readonly trailingEntries?: number;
  /**
   * The maximum bytes of entries that a leader keeps before its newest snapshot for
   * members that receive an older one, and need them next. Beyond that the member
   * loses them, and must receive a newer snapshot, which the event `entriesDropped`
   * reports. 0 to keep none. @default 512 MiB
   */
  readonly maxRetainedBytes?: number;
  /** The maximum snapshot bytes per second to one peer; 0 for no cap. @default 64 MiB */
  readonly snapshotBytesPerSecond?: number;
  /** The bytes of one snapshot chunk, up to 256 KiB. @default 256 KiB */
  readonly snapshotChunkBytes?: number;
  /** The maximum bytes of entries per message; a single entry may be larger. @default 512 KiB */
  readonly maxBatchBytes?: number;
  /** The maximum number of unanswered AppendEntries per peer. @default 128 */
  readonly maxInflightMessages?: number;
  /** The maximum unanswered bytes per peer. @default 8 MiB */
  readonly maxInflightBytes?: number;
  /** The maximum bytes proposed and not committed; more are refused as `busy`. @default 64 MiB */
  readonly maxUncommittedBytes?: number;
  /** The maximum bytes of entries kept in memory after they are durable and applied. @default 32 MiB */
  readonly maxCachedBytes?: number;
  /** The maximum bytes of one command. @default 2 MiB */
  readonly maxCommandBytes?: number;
  /** The time after which a node stops if a write has not returned. @default 30000 */
  readonly storageStallTimeoutMs?: number;
}

/** The result of a command that was carried out. */
export interface ProposeResult {
  /** The command's index in the log. */
  readonly index: number;
  /** The term it was proposed in; a node knows it, a client does not. */
  readonly term?: number;
  /** The state machine's answer. */
  readonly result: Uint8Array;
}

/** The answer of a read. */
export interface ReadResult {
  /** The state machine's answer. */
  readonly result: Uint8Array;
  /** The last entry that was applied before the answer. */
  readonly appliedIndex: number;
}

/** The life of a node: `stopped` after it stopped itself because of a failure, `closed` after `close`. */
export type Lifecycle = "running" | "stopped" | "closed";

/** The leader's view of a peer. */
export interface PeerStatus extends Pick<PeerProgress, "id" | "matchIndex" | "nextIndex" | "state"> {
  /** Milliseconds since it last answered; `null` if never in this term. */
  readonly lastContactMs: number | null;
}

/** The part of a member in elections and commits; an `outgoing` voter leaves with a joint configuration. */
export type Suffrage = "voter" | "learner" | "outgoing";

/** Messages of one kind from one sender that a node has refused. */
export interface RefusedMessages {
  /** The name that the sender gives itself. */
  readonly from: NodeId;
  /** The stable word for the reason, such as `protocolVersion`, `cluster` or `senderIncarnation`. */
  readonly kind: string;
  /** The reason of the last one, in words. */
  readonly reason: string;
  /** The number of messages. */
  readonly count: number;
  /** Milliseconds since the last one. */
  readonly lastMs: number;
}

/** The facts beside the status of a node that tell why it takes part, or does not. */
export interface NodeDiagnostics {
  /** The address of this node for others, by its own options; the membership may have another. */
  readonly address: string;
  /** The minimum election timeout: a peer counts as silent after it. */
  readonly electionTimeoutMs: number;
  /** The interval of a leader's heartbeats. */
  readonly heartbeatIntervalMs: number;
  /** Milliseconds since it last heard a leader; `null` if never, and on the leader. */
  readonly leaderContactMs: number | null;
  /** Milliseconds that the write under way has taken; 0 without one. A disk that hangs shows here. */
  readonly pendingWriteMs: number;
  /** Messages that it has refused, the latest first; at most 32 kinds and senders. */
  readonly refused: readonly RefusedMessages[];
}

/** The status of a node. */
export interface NodeStatus {
  /** The node's name. */
  readonly id: NodeId;
  /** The random identity of its data. */
  readonly incarnation: string;
  /** Its cluster; empty until it belongs to one. */
  readonly clusterId: string;
  /** The life of the node. */
  readonly lifecycle: Lifecycle;
  /** The role in the protocol. */
  readonly role: Role;
  /** The latest term it has seen. */
  readonly term: number;
  /** The leader, if known. */
  readonly leader: { readonly id: NodeId; readonly address: string } | null;
  /** The last entry known to be committed. */
  readonly commitIndex: number;
  /** The last entry that the state machine has. */
  readonly appliedIndex: number;
  /** The last entry that is durable here. */
  readonly durableIndex: number;
  /** The last entry of its log. */
  readonly lastIndex: number;
  /** The first entry that the log still has. */
  readonly firstIndex: number;
  /** The last entry that its newest snapshot covers; 0 without one. */
  readonly snapshotIndex: number;
  /** All members of the cluster. */
  readonly members: readonly (Member & { readonly suffrage: Suffrage })[];
  /** The membership in force. */
  readonly membership: Membership;
  /** The index of the entry that set it. */
  readonly membershipIndex: number;
  /** Set if that entry is committed. */
  readonly membershipCommitted: boolean;
  /** Set once the node knows that it was removed from its cluster. */
  readonly removed: boolean;
  /** The leader's peers; empty on other nodes. */
  readonly peers: readonly PeerStatus[];
  /** The health of the storage, and its last failure. */
  readonly storage: { readonly healthy: boolean; readonly error: string | null };
  /** Milliseconds since it started. */
  readonly uptimeMs: number;
}

/**
 * A read-only view of the protocol's state, for simulators and visualisations. It is
 * the state itself, not a copy, and changes as the node runs.
 */
export type RaftView = Pick<
  Raft,
  | "id"
  | "term"
  | "votedFor"
  | "votes"
  | "electionTimer"
  | "role"
  | "leader"
  | "commitIndex"
  | "appliedIndex"
  | "durableIndex"
  | "firstIndex"
  | "lastIndex"
  | "snapshot"
  | "membership"
  | "membershipIndex"
  | "committedInTerm"
  | "termAt"
  | "cachedEntries"
  | "progress"
>;

/** The target of a membership change: the wanted members. All other members leave the cluster. */
export interface MembershipTarget {
  /** The voters. */
  readonly voters: readonly Member[];
  /** The nodes that receive the log without a vote. @default none */
  readonly learners?: readonly Member[];
}

/** The requests and transfers under way in a node, with their bytes. Each number is zero when it is idle. */
export interface InFlight {
  /** The commands that have no outcome yet. */
  readonly proposals: number;
  /** Their bytes. */
  readonly proposalBytes: number;
  /** The bytes of entries that this leader has not committed yet. */
  readonly uncommittedBytes: number;
  /** The reads that have no answer yet. */
  readonly reads: number;
  /** The bytes of their queries. */
  readonly readBytes: number;
  /** The requests of operators that have not ended yet. */
  readonly adminRequests: number;
  /** The snapshots that are being sent. */
  readonly snapshotTransfers: number;
  /** The bytes of entries before the newest snapshot that are kept for members. */
  readonly retainedBytes: number;
}

/** Durations, counts and sizes that a node reports, for metrics. `refused` is one message, by the kind of its refusal. */
export type NodeMetric =
  | { readonly type: "persist"; readonly durationMs: number; readonly entries: number; readonly bytes: number }
  | { readonly type: "proposal"; readonly durationMs: number; readonly ok: boolean }
  | { readonly type: "apply"; readonly durationMs: number; readonly entries: number }
  | { readonly type: "refused"; readonly kind: string }
  /** The present sizes, with each tick: the entries since the newest snapshot, that snapshot, the entries kept before it for members; and the transfers under way with the bytes sent by all of them. */
  | {
    readonly type: "snapshots";
    readonly logBytes: number;
    readonly snapshotBytes: number;
    readonly retainedBytes: number;
    readonly transfers: number;
    readonly sentBytes: number;
  };

/** The events of a {@linkcode RaftNode}, by name. */
export interface RaftNodeEventMap {
  /** Emitted when role, term or leader change. */
  readonly state: { readonly role: Role; readonly term: number; readonly leader: NodeId | null };
  /** An event of the protocol, and its reason. */
  readonly raft: RaftEvent;
  /** Emitted when the state machine has everything up to `index`. */
  readonly applied: { readonly index: number };
  /** Emitted when a snapshot was taken here, or installed from the leader. */
  readonly snapshot: { readonly index: number; readonly size: number; readonly reason: "taken" | "installed" };
  /**
   * Emitted when a leader compacts the entries that the receiver of a snapshot needs
   * next, from `index` on, because they have `bytes`, more than `maxRetainedBytes`. The
   * member must receive another snapshot.
   */
  readonly entriesDropped: { readonly peer: NodeId; readonly index: number; readonly bytes: number };
  /** A failure of the storage, and its consequence. */
  readonly storageError: { readonly error: Error; readonly consequence: "steppedDown" | "stopped" | "ignored" };
  /**
   * Emitted when a message is refused, because it is not for this node, or because no
   * correct peer sends it; once for each kind and sender. `fromAddress` is what the
   * sender says of itself.
   */
  readonly refused: {
    readonly from: NodeId;
    readonly fromAddress: string;
    readonly kind: string;
    readonly reason: string;
  };
  /** Emitted when a node that waited to be added has adopted the cluster of a sender. */
  readonly joined: { readonly clusterId: string; readonly from: NodeId; readonly fromAddress: string };
  /** A duration, for metrics. */
  readonly metric: NodeMetric;
  /**
   * Emitted on the leader when a member has not answered for an election timeout, and when it answers again;
   * `silentMs` is the length of its silence. It begins with the leadership at the earliest.
   */
  readonly peer: {
    readonly id: NodeId;
    readonly address: string;
    readonly answers: boolean;
    readonly silentMs: number;
  };
  /** Emitted when the node learns that it was removed from its cluster, and when that turns out to be outdated. */
  readonly removed: { readonly removed: boolean };
  /** Emitted when the node stops itself. */
  readonly stopped: { readonly error: Error };
}
