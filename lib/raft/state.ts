/**
 * What one node knows (figure 2, "State"), and the outbox of what it wants done.
 * The rules that read and change it are in the other files of this folder, one
 * concern each.
 *
 * @module
 */

import { Configuration } from "./configuration.ts";
import { Durability } from "./durability.ts";
import { RaftLog } from "./log.ts";
import { isVoter, memberOf } from "./membership.ts";
import type { Progress } from "./progress.ts";
import { SeededRandom } from "./random.ts";
import type {
  ConfirmedRead,
  EntryRead,
  InstallSnapshot,
  InstallSnapshotResponse,
  Membership,
  Message,
  NodeId,
  OutboundMessage,
  RaftEvent,
  RestoredState,
  Role,
  SnapshotMeta,
} from "./types.ts";

/** Settings of the core. Times are in ticks, sizes in bytes. */
export interface RaftConfig {
  /** This node. */
  readonly id: NodeId;
  /** The identity of its data folder: a member of its name with another one is not this node. Empty where there is no such notion. */
  readonly incarnation: string;
  /** A follower campaigns after at least so many ticks without a leader, and less than twice as many. */
  readonly electionTicks: number;
  /** A leader begins a heartbeat round every so many ticks; fewer than `electionTicks`. */
  readonly heartbeatTicks: number;
  /** Spreads election timeouts; should differ from node to node. */
  readonly seed: number;
  /** Entries that one message carries, at most (a single one may be more). */
  readonly maxBatchBytes: number;
  /** AppendEntries on their way to one peer, at most. */
  readonly maxInflightMessages: number;
  /** Bytes on their way to one peer, at most. */
  readonly maxInflightBytes: number;
  /** Bytes proposed and not committed, at most. */
  readonly maxUncommittedBytes: number;
  /** Entries kept in memory although they are durable. */
  readonly maxCachedBytes: number;
}

/** Thrown when a safety property of figure 3 does not hold: a fault in this library, its storage or a peer. The node must stop. */
export class InvariantViolation extends Error {
  /** Tells it from other errors. */
  override readonly name = "InvariantViolation";
}

/** Throws an {@linkcode InvariantViolation} unless `holds`. */
export function invariant(holds: boolean, what: string): asserts holds {
  if (!holds) throw new InvariantViolation(what);
}

/** What waits for the driver, under the names of {@linkcode Effects}. */
export interface Outbox {
  messages: OutboundMessage[];
  entryReads: EntryRead[];
  snapshotSends: NodeId[];
  snapshotChunks: { from: NodeId; message: InstallSnapshot }[];
  snapshotResponses: { from: NodeId; message: InstallSnapshotResponse }[];
  reads: ConfirmedRead[];
  rejectedReads: number[];
  roundStarted: number;
  events: RaftEvent[];
}

/** An outbox with nothing in it. */
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

/** What only a leader has; made anew by each election. */
export interface Leadership {
  /** The index of the empty entry that began this term. */
  readonly firstIndex: number;
  /** Everyone who gets the log, this node aside. */
  readonly peers: Map<NodeId, Progress>;
  /** The newest heartbeat round. */
  round: number;
  /** Whether the next flush begins a round, and a message to everyone with it. */
  roundWanted: boolean;
  /** The newest round that a quorum acknowledged. */
  confirmedRound: number;
  /** Reads not confirmed yet, oldest first. */
  reads: PendingRead[];
  /** Bytes of this term's entries that are not committed. */
  uncommittedBytes: number;
  /** To whom leadership is being transferred. */
  transferTo: NodeId | null;
  transferTicks: number;
  /** Whether a TimeoutNow left in this term: from then on no lease is safe. */
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
  /** The newest heartbeat round heard of from the leader of this term. */
  leaderRound = 0;
  readonly log: RaftLog;
  readonly configuration: Configuration;
  snapshot: SnapshotMeta | null;
  commitIndex: number;
  appliedIndex = 0;
  readonly durability: Durability;
  /** Set while this node leads. */
  leadership: Leadership | null = null;
  /** The votes of this campaign. */
  votes: Map<NodeId, boolean> = new Map();
  /** Ticks since a leader was heard, or a campaign begun. */
  electionTicks = 0;
  /** Ticks since a leader of any term was heard: what it was promised by that lasts one minimum election timeout. */
  ticksSinceLeader: number = Number.POSITIVE_INFINITY;
  /** When `electionTicks` reaches this, campaign. */
  electionTimeout = 0;
  /** After a start no vote is granted for one minimum election timeout: an older self may have promised a leader its lease. */
  graceTicks: number;
  /** After a failed write: no campaign until one succeeds. */
  campaignBlocked = false;
  outbox: Outbox = emptyOutbox();
  /** Whether the leader may have something to send. */
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
   * Whether this node has a vote in a membership. One that came in place of a
   * member of its name, with an empty data folder, reads in the log's beginning
   * that its name had a vote; it has forgotten what that node promised, and has none.
   */
  votesIn(membership: Membership): boolean {
    if (!isVoter(membership, this.id)) return false;
    const { incarnation } = memberOf(membership, this.id)!;
    return incarnation === "" || this.config.incarnation === "" || incarnation === this.config.incarnation;
  }

  /** A new random timeout, from one to two minimum timeouts (§5.2). */
  resetElectionTimer(): void {
    this.electionTicks = 0;
    this.electionTimeout = this.config.electionTicks + this.#random.below(this.config.electionTicks);
  }

  /** Sends a message that promises nothing durable beyond what is. */
  send(to: NodeId, message: Message): void {
    this.outbox.messages.push({ to, message });
  }

  /** Sends a message once everything that this node knows now is durable. */
  sendWhenDurable(to: NodeId, message: Message): void {
    if (!this.durability.defer(this, { to, message })) this.send(to, message);
  }

  event(event: RaftEvent): void {
    this.outbox.events.push(event);
  }
}
