/**
 * What a {@linkcode RaftNode} takes and tells.
 *
 * @module
 */

import type { Host } from "../clock.ts";
import type { Raft } from "../raft/mod.ts";
import type { Member, Membership, NodeId, RaftEvent, Role } from "../raft/types.ts";
import type { StateMachine } from "../state_machine.ts";
import type { LoadedState, Storage } from "../storage.ts";
import type { Transport } from "../transport.ts";

/**
 * How fresh a read is.
 *
 * - `linearizable`: sees everything acknowledged before it began; costs a round of heartbeats, shared by many reads.
 * - `lease`: the same without the round, as long as clocks drift less than stated; falls back to `linearizable` without a lease.
 * - `stale`: what this node has applied, however old.
 */
export type Consistency = "linearizable" | "lease" | "stale";

/** Options of {@linkcode RaftNode.start}. Sizes in bytes, times in milliseconds. */
export interface RaftNodeOptions {
  /** This node's name; must be the storage's. */
  readonly id: NodeId;
  /** Where other nodes reach this one. It travels in each envelope, so that a node that knows no membership yet can answer. */
  readonly address: string;
  /** What is replicated; driven by the node alone. */
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
  /** For a new storage: its incarnation. @default random */
  readonly incarnation?: string;
  /** A follower campaigns when it has not heard from a leader for this long, to twice as long. @default 1000 */
  readonly electionTimeoutMs?: number;
  /** How often a leader sends when it has nothing to say. @default 100 */
  readonly heartbeatIntervalMs?: number;
  /** Serve `lease` reads from a lease. @default false */
  readonly leaseReads?: boolean;
  /** How far clocks may drift apart in an election timeout, as a part of it. @default 0.1 */
  readonly maxClockDrift?: number;
  /** Take a snapshot after so many applied entries; 0 for never. @default 10000 */
  readonly snapshotEntries?: number;
  /** …or so many bytes of them; 0 for never. @default 64 MiB */
  readonly snapshotBytes?: number;
  /** Entries kept before a snapshot's index, so that a slow follower needs no snapshot. @default 1000 */
  readonly trailingEntries?: number;
  /** Snapshot bytes sent a second to one peer; 0 for no cap. @default 64 MiB */
  readonly snapshotBytesPerSecond?: number;
  /** Bytes of one chunk, at most 256 KiB. @default 256 KiB */
  readonly snapshotChunkBytes?: number;
  /** Bytes of entries that one message carries, at most (one entry may be more). @default 512 KiB */
  readonly maxBatchBytes?: number;
  /** AppendEntries on their way to one peer, at most. @default 128 */
  readonly maxInflightMessages?: number;
  /** Bytes on their way to one peer, at most. @default 8 MiB */
  readonly maxInflightBytes?: number;
  /** Bytes proposed and not committed yet, at most; more is refused as `busy`. @default 64 MiB */
  readonly maxUncommittedBytes?: number;
  /** Bytes of entries kept in memory after they are durable and applied. @default 32 MiB */
  readonly maxCachedBytes?: number;
  /** Bytes of one command, at most. @default 2 MiB */
  readonly maxCommandBytes?: number;
  /** A node whose write has not returned for this long stops. @default 30000 */
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
  /** The last entry applied when it was given. */
  readonly appliedIndex: number;
}

/** Whether a node runs: `stopping` after it stopped itself, while it still tells why. */
export type Lifecycle = "running" | "stopped" | "closed";

/** A peer as the leader sees it. */
export interface PeerStatus {
  /** The peer's name. */
  readonly id: NodeId;
  /** What it has, durable and equal to the leader's, ends here. */
  readonly matchIndex: number;
  /** The next entry to send to it. */
  readonly nextIndex: number;
  /** How it is sent to: one at a time to find where the logs agree, many at once, or a snapshot. */
  readonly state: "probe" | "replicate" | "snapshot";
  /** Milliseconds since it last answered; `null` if never in this term. */
  readonly lastContactMs: number | null;
}

/** How a member takes part. */
export type Suffrage = "voter" | "learner" | "outgoing";

/** A node's account of itself. */
export interface NodeStatus {
  /** The node's name. */
  readonly id: NodeId;
  /** The random identity of its data. */
  readonly incarnation: string;
  /** Its cluster; empty until it belongs to one. */
  readonly clusterId: string;
  /** Whether it runs. */
  readonly lifecycle: Lifecycle;
  /** What it does in the protocol. */
  readonly role: Role;
  /** The latest term it has seen. */
  readonly term: number;
  /** Who leads, as far as it knows. */
  readonly leader: { readonly id: NodeId; readonly address: string } | null;
  /** The last entry it knows to be committed. */
  readonly commitIndex: number;
  /** The last entry its state machine has. */
  readonly appliedIndex: number;
  /** The last entry that is durable here. */
  readonly durableIndex: number;
  /** The last entry of its log. */
  readonly lastIndex: number;
  /** The first entry that the log still has. */
  readonly firstIndex: number;
  /** The last entry that its newest snapshot covers; 0 without one. */
  readonly snapshotIndex: number;
  /** Everyone in the cluster, with their part in it. */
  readonly members: readonly (Member & { readonly suffrage: Suffrage })[];
  /** The same as the protocol has it. */
  readonly membership: Membership;
  /** The index of the entry that set the membership, and whether it is committed. */
  readonly membershipIndex: number;
  /** Whether that entry is committed. */
  readonly membershipCommitted: boolean;
  /** On the leader; otherwise empty. */
  readonly peers: readonly PeerStatus[];
  /** Whether its storage works, and what failed last. */
  readonly storage: { readonly healthy: boolean; readonly error: string | null };
  /** Milliseconds since it started. */
  readonly uptimeMs: number;
}

/**
 * The protocol's own state, for reading alone: what simulators check and pictures
 * show. It is the state itself, not a copy, and changes as the node goes on.
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

/** Who is to be in the cluster. Members named nowhere leave it. */
export interface MembershipChange {
  /** Who votes. */
  readonly voters: readonly Member[];
  /** Who receives the log without a vote. @default none */
  readonly learners?: readonly Member[];
}

/** Durations and counts that a node reports as they happen, for metrics. */
export type NodeMetric =
  | { readonly type: "persist"; readonly durationMs: number; readonly entries: number; readonly bytes: number }
  | { readonly type: "proposal"; readonly durationMs: number; readonly ok: boolean }
  | { readonly type: "apply"; readonly durationMs: number; readonly entries: number };

/** The events of a {@linkcode RaftNode}, by name. */
export interface RaftNodeEventMap {
  /** Role, term or leader changed. */
  readonly state: { readonly role: Role; readonly term: number; readonly leader: NodeId | null };
  /** What the protocol did, and why. */
  readonly raft: RaftEvent;
  /** The state machine has everything up to here. */
  readonly applied: { readonly index: number };
  /** A snapshot was taken here, or came from the leader. */
  readonly snapshot: { readonly index: number; readonly size: number; readonly reason: "taken" | "installed" };
  /** The storage failed, and what the node did about it. */
  readonly storageError: { readonly error: Error; readonly consequence: "steppedDown" | "stopped" | "ignored" };
  /** A message was refused for its identity; each kind is told once. */
  readonly refused: { readonly from: NodeId; readonly reason: string };
  /** A duration, for metrics. */
  readonly metric: NodeMetric;
  /** The node stopped itself. */
  readonly stopped: { readonly error: Error };
}
