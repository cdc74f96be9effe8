/**
 * The state of one node (figure 2, "State"), and its outbox. The rules that read
 * and change it are in the other files of this folder, one concern each.
 */

import { Configuration } from "./configuration.ts";
import { Durability } from "./durability.ts";
import { RaftLog } from "./log.ts";
import { isVoter, memberOf } from "./membership.ts";
import type { Progress } from "./progress.ts";
import { SeededRandom } from "./random.ts";
import { TermLimit } from "./term_limit.ts";
import type { Effects, Membership, Message, NodeId, RaftEvent, RestoredState, Role, SnapshotMeta } from "./types.ts";

/** Settings of the core. Times are in ticks, sizes in bytes. */
export interface RaftConfig {
  /** This node's id. */
  readonly id: NodeId;
  /** The identity of its data folder: a member with its id and another incarnation is not this node. Empty if there is no such notion. */
  readonly incarnation: string;
  /** The minimum election timeout. A follower campaigns after this many ticks without a leader, up to twice as many. */
  readonly electionTicks: number;
  /** The ticks between heartbeat rounds; fewer than `electionTicks`. */
  readonly heartbeatTicks: number;
  /** Spreads election timeouts; should differ from node to node. */
  readonly seed: number;
  /** The maximum bytes of entries per message; a single entry may be larger. */
  readonly maxBatchBytes: number;
  /** The maximum number of unanswered AppendEntries per peer. */
  readonly maxInflightMessages: number;
  /** The maximum unanswered bytes per peer. */
  readonly maxInflightBytes: number;
  /** The maximum bytes proposed and not committed. */
  readonly maxUncommittedBytes: number;
  /** The maximum bytes of durable entries kept in memory. */
  readonly maxCachedBytes: number;
}

/** Thrown when a safety property of figure 3 does not hold: a fault in this library or its storage, never a message (message_check.ts). The node must stop. */
export class InvariantViolation extends Error {
  /** Tells it from other errors. */
  override readonly name = "InvariantViolation";
}

/** Throws an {@linkcode InvariantViolation} unless `holds`. */
export function invariant(holds: boolean, what: string): asserts holds {
  if (!holds) throw new InvariantViolation(what);
}

/** The effects that wait for the driver. */
export type Outbox = {
  -readonly [Name in keyof Effects]: Effects[Name] extends readonly (infer Item)[] ? Item[] : Effects[Name];
};

/** Returns an empty outbox. */
export function emptyOutbox(): Outbox {
  return {
    messages: [],
    entryReads: [],
    snapshotSends: [],
    snapshotChunks: [],
    snapshotResponses: [],
    reads: [],
    rejectedReads: [],
    roundStarted: 0,
    events: [],
  };
}

/** A read that waits for its round (dissertation §6.4). */
export interface PendingRead {
  readonly id: number;
  /** The round that must be acknowledged; 0 before one has begun. */
  round: number;
  /** The commit index when it arrived; -1 until the leader has committed in its own term. */
  index: number;
}

/** The state of a leader; created by each election. */
export interface Leadership {
  /** The index of the empty entry that began this term. */
  readonly firstIndex: number;
  /** All nodes that receive the log, without this one. */
  readonly peers: Map<NodeId, Progress>;
  /** The newest heartbeat round. */
  round: number;
  /** Set if the next flush begins a round, with a message to every peer. */
  roundWanted: boolean;
  /** The newest round that a quorum acknowledged. */
  confirmedRound: number;
  /** Reads not confirmed yet, oldest first. */
  reads: PendingRead[];
  /** Bytes of this term's entries that are not committed. */
  uncommittedBytes: number;
  /** The successor in a leadership transfer. */
  transferTo: NodeId | null;
  transferTicks: number;
  /** Set once a TimeoutNow was sent in this term: from then on no lease is safe. */
  timeoutNowSent: boolean;
  heartbeatTicks: number;
}

/** The state of one node. Its fields are changed by the files of this folder alone. */
export class State {
  readonly config: RaftConfig;
  readonly id: NodeId;
  term: number;
  votedFor: NodeId | null;
  role: Role = "follower";
  leader: NodeId | null = null;
  /** The newest heartbeat round received from the leader of this term. */
  leaderRound = 0;
  readonly log: RaftLog;
  readonly configuration: Configuration;
  snapshot: SnapshotMeta | null;
  commitIndex: number;
  appliedIndex = 0;
  readonly durability: Durability;
  /** Present while this node leads. */
  leadership: Leadership | null = null;
  /** The votes of this campaign. */
  votes: Map<NodeId, boolean> = new Map();
  /** Ticks since the last message of a leader, or the start of a campaign. */
  electionTicks = 0;
  /** Ticks since the last message of a leader of any term; see lease.ts for the promise that begins with it. */
  ticksSinceLeader: number = Infinity;
  /** The node campaigns when `electionTicks` reaches this. */
  electionTimeout = 0;
  /** Ticks until this node grants votes after a start; see lease.ts. */
  graceTicks: number;
  readonly termLimit: TermLimit;
  /** Set after a failed write: the node does not campaign until a write succeeds. */
  campaignBlocked = false;
  outbox: Outbox = emptyOutbox();
  /** Set if the leader may have something to send. */
  dirty = false;
  readonly #random: SeededRandom;

  constructor(config: RaftConfig, restored: RestoredState) {
    this.config = config;
    this.id = config.id;
    this.term = restored.hardState.term;
    this.votedFor = restored.hardState.votedFor;
    this.snapshot = restored.snapshot;
    this.log = RaftLog.restore(restored.snapshot, restored.lastIndex, restored.termStarts);
    this.configuration = Configuration.restore(restored.snapshot, restored.memberships);
    this.commitIndex = restored.snapshot?.index ?? 0;
    this.durability = new Durability(restored.hardState, this.log.lastIndex + 1);
    this.graceTicks = config.electionTicks;
    this.termLimit = new TermLimit(this.term, config.electionTicks);
    this.#random = new SeededRandom(config.seed);
    this.resetElectionTimer();
  }

  get membership(): Membership {
    return this.configuration.current;
  }

  /** Reports whether this node leads and has committed an entry of its own term: before that it does not know what is committed (§8). */
  get committedInTerm(): boolean {
    return this.leadership !== null && this.log.termAt(this.commitIndex) === this.term;
  }

  /** Reports whether this node has a vote in the membership in force. */
  get isVoter(): boolean {
    return this.votesIn(this.membership);
  }

  /**
   * Reports whether this node has a vote in a membership. A node that replaced a
   * member of its name, with an empty data folder, reads early in the log that its
   * name had a vote. It does not have the promises of that member, and so has no vote.
   */
  votesIn(membership: Membership): boolean {
    if (!isVoter(membership, this.id)) return false;
    const { incarnation } = memberOf(membership, this.id)!;
    return incarnation === "" || this.config.incarnation === "" || incarnation === this.config.incarnation;
  }

  /** Draws a new random timeout, from one to two minimum timeouts (§5.2). */
  resetElectionTimer(): void {
    this.electionTicks = 0;
    this.electionTimeout = this.config.electionTicks + this.#random.below(this.config.electionTicks);
  }

  /** Sends a message that promises nothing beyond what is durable. */
  send(to: NodeId, message: Message): void {
    this.outbox.messages.push({ to, message });
  }

  /** Sends a message once the present state is durable. */
  sendWhenDurable(to: NodeId, message: Message): void {
    if (!this.durability.defer(this, { to, message })) this.send(to, message);
  }

  event(event: RaftEvent): void {
    this.outbox.events.push(event);
  }
}
