/**
 * What a {@linkcode RaftNode} takes and tells.
 *
 * @module
 */

import type { Host } from "../clock.ts";
import type { Member, Membership, NodeId, RaftEvent, Role } from "../raft/types.ts";
import type { StateMachine } from "../state_machine.ts";
import type { Storage } from "../storage.ts";
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
  readonly stateMachine: StateMachine;
  /** Loaded and closed by the node. */
  readonly storage: Storage;
  /** Started and closed by the node. */
  readonly transport: Transport;
  /** @default systemHost() */
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

/** What became of a proposal. */
export interface Proposed {
  readonly index: number;
  readonly term: number;
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
  readonly id: NodeId;
  readonly matchIndex: number;
  readonly nextIndex: number;
  readonly state: "probe" | "replicate" | "snapshot";
  /** Milliseconds since it last answered; `null` if never in this term. */
  readonly lastContactMs: number | null;
}

/** How a member takes part. */
export type Suffrage = "voter" | "learner" | "outgoing";

/** A node's account of itself. */
export interface NodeStatus {
  readonly id: NodeId;
  readonly incarnation: string;
  readonly clusterId: string;
  readonly lifecycle: Lifecycle;
  readonly role: Role;
  readonly term: number;
  readonly leader: { readonly id: NodeId; readonly address: string } | null;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly durableIndex: number;
  readonly lastIndex: number;
  /** The first entry that the log still has. */
  readonly firstIndex: number;
  readonly snapshotIndex: number;
  readonly members: readonly (Member & { readonly suffrage: Suffrage })[];
  readonly membership: Membership;
  /** The index of the entry that set the membership, and whether it is committed. */
  readonly membershipIndex: number;
  readonly membershipCommitted: boolean;
  /** On the leader; otherwise empty. */
  readonly peers: readonly PeerStatus[];
  readonly storage: { readonly healthy: boolean; readonly error: string | null };
  readonly uptimeMs: number;
}

/** Who is to be in the cluster. Members named nowhere leave it. */
export interface MembershipChange {
  readonly voters: readonly Member[];
  /** @default none */
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
  readonly applied: { readonly index: number };
  readonly snapshot: { readonly index: number; readonly size: number; readonly reason: "taken" | "installed" };
  readonly storageError: { readonly error: Error; readonly consequence: "steppedDown" | "stopped" | "ignored" };
  /** A message was refused for its identity; each kind is told once. */
  readonly refused: { readonly from: NodeId; readonly reason: string };
  readonly metric: NodeMetric;
  /** The node stopped itself. */
  readonly stopped: { readonly error: Error };
}
