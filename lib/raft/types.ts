/**
 * The vocabulary of the protocol: what is in the log, who the members are,
 * what nodes say to each other. Names are the paper's ("In Search of an
 * Understandable Consensus Algorithm", figure 2), then etcd's.
 *
 * @module
 */

/** The name of a node, unique in its cluster. Another data folder takes the name only after the member was removed: {@linkcode Member.incarnation} tells them apart. */
export type NodeId = string;

/**
 * What an entry is for.
 *
 * - `command`: bytes for the state machine.
 * - `noop`: appended by each new leader, so that a commit by counting can cover older terms (§5.4.2, §8).
 * - `membership`: an encoded {@linkcode Membership}, in force from the moment it is appended (dissertation §4.1).
 */
export type EntryType = "command" | "noop" | "membership";

/** One entry of the replicated log. Entries are never changed once made. */
export interface Entry {
  /** Position in the log, from 1; a safe integer. */
  readonly index: number;
  /** The term of the leader that made it; a safe integer. */
  readonly term: number;
  /** What the entry is for. */
  readonly type: EntryType;
  /** The command, or the encoded membership; empty for a `noop`. */
  readonly data: Uint8Array;
}

/** What must be durable before a node answers (figure 2, "persistent state"), the log aside. Both fields change together. */
export interface HardState {
  /** The latest term that this node has seen; 0 before the first. */
  readonly term: number;
  /** Who got this node's vote in `term`; `null` if nobody. */
  readonly votedFor: NodeId | null;
}

/** A node as the membership records it. */
export interface Member {
  /** The node's name. */
  readonly id: NodeId;
  /** Where its transport reaches it; the core only carries it. */
  readonly address: string;
  /**
   * The random identity of its data folder. A wiped folder has another one, so a
   * voter that lost its disk never votes again under its old id. Empty where the
   * adapters have no such notion.
   */
  readonly incarnation: string;
}

/**
 * Who takes part, in sorted order. A joint configuration (dissertation §4.3) has
 * `outgoing` voters, and needs a majority of both `voters` and `outgoing`.
 *
 * Invariants: `learners` is disjoint from `voters` and `outgoing`; `learnersNext`
 * is a subset of `outgoing`, disjoint from `voters`; `members` names exactly the
 * union, once each.
 */
export interface Membership {
  /** The voters; in a joint configuration those of its new half. */
  readonly voters: readonly NodeId[];
  /** The voters of the old half of a joint configuration; otherwise empty. */
  readonly outgoing: readonly NodeId[];
  /** Nodes that receive the log and have no vote. */
  readonly learners: readonly NodeId[];
  /** Voters of the old half that become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[];
  /** Address and incarnation of everyone named above. */
  readonly members: readonly Member[];
}

/** Asks for a vote (§5.2), or before that whether one would be granted (pre-vote, dissertation §9.6). */
export interface RequestVote {
  /** Which message it is. */
  readonly type: "RequestVote";
  /** The term campaigned for; with `preVote` the one that would be. */
  readonly term: number;
  /** The last index of the candidate's log. */
  readonly lastLogIndex: number;
  /** The term of that entry (§5.4.1: who is up to date). */
  readonly lastLogTerm: number;
  /** Whether this only asks; nobody's term or vote changes. */
  readonly preVote: boolean;
  /** Set when the old leader asked for this campaign by TimeoutNow; overrides leader stickiness (dissertation §4.2.3). */
  readonly leadershipTransfer: boolean;
}

/** Answers {@linkcode RequestVote}. */
export interface RequestVoteResponse {
  /** Which message it is. */
  readonly type: "RequestVoteResponse";
  /** The answerer's term; in a granted pre-vote the proposed term. */
  readonly term: number;
  /** Whether the vote was, or would be, granted. */
  readonly voteGranted: boolean;
  /** Whether this answers a pre-vote. */
  readonly preVote: boolean;
}

/** Replicates entries, and is the heartbeat when it has none (§5.3). */
export interface AppendEntries {
  /** Which message it is. */
  readonly type: "AppendEntries";
  /** The leader's term. */
  readonly term: number;
  /** The index before the first entry. */
  readonly prevLogIndex: number;
  /** The leader's term at `prevLogIndex`. */
  readonly prevLogTerm: number;
  /** Consecutive, from `prevLogIndex + 1`. */
  readonly entries: readonly Entry[];
  /** The leader's commit index. */
  readonly leaderCommit: number;
  /** The leader's latest heartbeat round when this left; echoed, and so confirms leadership for reads (§6.4 of the dissertation). */
  readonly round: number;
}

/** Answers {@linkcode AppendEntries}. */
export interface AppendEntriesResponse {
  /** Which message it is. */
  readonly type: "AppendEntriesResponse";
  /** The answerer's term. */
  readonly term: number;
  /** Whether the logs agree at the message's `prevLogIndex`. */
  readonly success: boolean;
  /** On success: entries up to here equal the leader's, and are durable. */
  readonly matchIndex: number;
  /** On failure: the `prevLogIndex` that was refused. On success: the one that matched. */
  readonly prevLogIndex: number;
  /** On failure: no index from here on can match (the skip over a whole term of §5.3). */
  readonly conflictIndex: number;
  /** On failure: the answerer's term at `conflictIndex - 1`; 0 if none. */
  readonly conflictTerm: number;
  /** The round of the message answered. */
  readonly round: number;
}

/** A chunk of a snapshot (§7), at most 256 KiB. */
export interface InstallSnapshot {
  /** Which message it is. */
  readonly type: "InstallSnapshot";
  /** The leader's term. */
  readonly term: number;
  /** As in {@linkcode AppendEntries}. */
  readonly round: number;
  /** Which bytes these are: equal index and term are not equal bytes. */
  readonly snapshot: SnapshotMeta;
  /** Where `data` begins. */
  readonly offset: number;
  /** The bytes from there on. */
  readonly data: Uint8Array;
}

/** Answers {@linkcode InstallSnapshot}. */
export interface InstallSnapshotResponse {
  /** Which message it is. */
  readonly type: "InstallSnapshotResponse";
  /** The answerer's term. */
  readonly term: number;
  /** The round of the message answered. */
  readonly round: number;
  /** The snapshot that is answered for. */
  readonly snapshotId: string;
  /** The next byte wanted; what lies before it was received. */
  readonly offset: number;
  /**
   * - `accepted`: send on from `offset`.
   * - `installed`: durable, and in force; the log continues after `matchIndex`.
   * - `failed`: damaged on the way; begin again.
   */
  readonly status: "accepted" | "installed" | "failed";
  /** With `installed`: everything up to here is durable at the answerer. */
  readonly matchIndex: number;
}

/** Tells the receiver to campaign at once (dissertation §3.10). */
export interface TimeoutNow {
  /** Which message it is. */
  readonly type: "TimeoutNow";
  /** The leader's term. */
  readonly term: number;
}

/** What nodes say to each other. Any of them may be lost, repeated, reordered or late. */
export type Message =
  | RequestVote
  | RequestVoteResponse
  | AppendEntries
  | AppendEntriesResponse
  | InstallSnapshot
  | InstallSnapshotResponse
  | TimeoutNow;

/** A message with its receiver. */
export interface OutboundMessage {
  /** Its receiver. */
  readonly to: NodeId;
  /** What it says. */
  readonly message: Message;
}

/** What a snapshot is, its bytes aside. */
export interface SnapshotMeta {
  /** Unique for these bytes: made at random by the node that took it. */
  readonly id: string;
  /** The last entry that it covers. */
  readonly index: number;
  /** The term of that entry. */
  readonly term: number;
  /** The membership as of `index`, not the newest. */
  readonly membership: Membership;
  /** Bytes in all. */
  readonly size: number;
  /** CRC-32C of all bytes, as an unsigned number. */
  readonly checksum: number;
}

/** The first index of each term in a log, ascending in both: enough to know the term of any index without its entry. */
export interface TermStart {
  /** The term. */
  readonly term: number;
  /** Its first index. */
  readonly index: number;
}

/**
 * What the disk held at start. Entries themselves stay there: the core needs the
 * terms, and the entries that change the membership.
 */
export interface RestoredState {
  /** The latest durable term and vote. */
  readonly hardState: HardState;
  /** The newest durable snapshot; `null` before the first. */
  readonly snapshot: SnapshotMeta | null;
  /** The last index of the log; the snapshot's if the log is empty, 0 if there is neither. */
  readonly lastIndex: number;
  /** Covers every index from the snapshot's + 1 (or 1) to `lastIndex`; runs before that are allowed. */
  readonly termStarts: readonly TermStart[];
  /** The `membership` entries after the snapshot, in order. */
  readonly memberships: readonly Entry[];
}

/** What a node does now (§5.1). */
export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** One atomic write: all of it is durable, or none. */
export interface PersistBatch {
  /** Ascending by one. */
  readonly sequence: number;
  /** The new term and vote; `null` when unchanged. */
  readonly hardState: HardState | null;
  /** A snapshot, staged in the storage before, that replaces state and log; `null` almost always. */
  readonly snapshot: SnapshotMeta | null;
  /** Consecutive; an index that the disk already has is overwritten, and whatever followed it is gone. */
  readonly entries: readonly Entry[];
}

/** Why the core did something, for logs and for people who watch. The core never reads them back. */
export type RaftEvent =
  | {
    readonly type: "electionStarted";
    readonly term: number;
    readonly preVote: boolean;
    readonly reason: "timeout" | "transfer";
  }
  | { readonly type: "voteGranted"; readonly to: NodeId; readonly term: number; readonly preVote: boolean }
  | {
    readonly type: "voteDenied";
    readonly to: NodeId;
    readonly term: number;
    readonly preVote: boolean;
    readonly reason: VoteDenial;
  }
  | { readonly type: "roleChanged"; readonly role: Role; readonly term: number; readonly reason: string }
  | { readonly type: "leaderChanged"; readonly leader: NodeId | null; readonly term: number }
  | {
    readonly type: "membershipChanged";
    readonly index: number;
    readonly membership: Membership;
    readonly reason: "appended" | "rolledBack" | "restored";
  }
  | { readonly type: "membershipCommitted"; readonly index: number; readonly membership: Membership }
  | { readonly type: "logTruncated"; readonly from: number }
  | { readonly type: "snapshotNeeded"; readonly peer: NodeId }
  | { readonly type: "transferStarted"; readonly to: NodeId }
  | { readonly type: "transferEnded"; readonly to: NodeId; readonly reason: "timeout" | "steppedDown" };

/** Why a vote was denied. */
export type VoteDenial =
  | "staleTerm"
  | "alreadyVoted"
  | "logBehind"
  | "leaderAlive"
  | "restartedRecently";

/** What the core wants done now. All of it was decided before {@linkcode RaftEvent}s of a later call. */
export interface Effects {
  /** May leave at once, in order. */
  readonly messages: readonly OutboundMessage[];
  /** Entries that the core no longer holds and a peer needs; answer with `entriesRead`. */
  readonly entryReads: readonly EntryRead[];
  /** Peers whose next entry is compacted away: send them the newest snapshot, then call `snapshotSent`. */
  readonly snapshotSends: readonly NodeId[];
  /** Chunks to store; each answered through `snapshotChunkStored` or `snapshotReceived`. */
  readonly snapshotChunks: readonly { readonly from: NodeId; readonly message: InstallSnapshot }[];
  /** Answers to this node's own snapshot transfer, for whoever sends the chunks. */
  readonly snapshotResponses: readonly { readonly from: NodeId; readonly message: InstallSnapshotResponse }[];
  /** Reads that may be served once everything up to `index` is applied. */
  readonly reads: readonly ConfirmedRead[];
  /** Reads that this node can no longer confirm: it does not lead any more. */
  readonly rejectedReads: readonly number[];
  /** The heartbeat round begun by these messages, for whoever times leases; 0 when none was. */
  readonly roundStarted: number;
  /** What happened, for whoever watches. */
  readonly events: readonly RaftEvent[];
}

/** A read whose leadership a quorum has confirmed (dissertation §6.4). */
export interface ConfirmedRead {
  /** As given to `readIndex`. */
  readonly id: number;
  /** Serve when applied up to here. */
  readonly index: number;
}

/** A wish for entries from the storage: at least one, then as many as fit. */
export interface EntryRead {
  /** Who needs them. */
  readonly peer: NodeId;
  /** The first of them. */
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
  /** How much of `data`, in all. */
  readonly maxBytes: number;
}

/** A peer as the leader sees it. */
export interface PeerProgress {
  /** The peer. */
  readonly id: NodeId;
  /** Durable and equal up to here. */
  readonly matchIndex: number;
  /** The next to send. */
  readonly nextIndex: number;
  /** How it is sent to: one message at a time to find where the logs agree, many at once, or a snapshot. */
  readonly state: "probe" | "replicate" | "snapshot";
  /** Ticks since it last answered in this term. */
  readonly ticksSinceContact: number;
  /** Messages with entries that it has not answered. */
  readonly inflightMessages: number;
  /** Bytes of their entries. */
  readonly inflightBytes: number;
}

/** A request that the core took on, or refused. */
export type RequestResult<T> = (T & { readonly ok: true }) | Refused;

/** A refused request; it had no effect. */
export interface Refused {
  /** Tells it from a result. */
  readonly ok: false;
  /** The reason, for programs. */
  readonly reason: Refusal;
  /** The particulars, for people; empty if the reason says it all. */
  readonly detail: string;
}

/** The reason why the core refuses a request. */
export type Refusal =
  | "not_leader"
  | "busy"
  | "leadership_transfer"
  | "membership_change_in_progress"
  | "not_ready"
  | "invalid_membership"
  | "other_data_folder"
  | "learner_behind"
  | "unknown_member"
  | "not_a_voter"
  | "unchanged";
