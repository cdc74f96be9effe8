/**
 * The vocabulary of the protocol: log entries, members and messages. Names are the paper's ("In Search of an
 * Understandable Consensus Algorithm", figure 2), then etcd's.
 *
 * @module
 */

/** The name of a node, unique in its cluster. Another data folder may take the name only after the member was removed: {@linkcode Member.incarnation} tells them apart. */
export type NodeId = string;

/**
 * The kind of a log entry.
 *
 * - `command`: bytes for the state machine.
 * - `noop`: appended by each new leader, so that a commit by counting can cover older terms (§5.4.2, §8).
 * - `membership`: an encoded {@linkcode Membership}, in force from the moment it is appended (dissertation §4.1).
 */
export type EntryType = "command" | "noop" | "membership";

/** One entry of the replicated log; immutable. */
export interface Entry {
  /** Position in the log, from 1; a safe integer. */
  readonly index: number;
  /** The term of the leader that created it; a safe integer. */
  readonly term: number;
  /** The kind of entry. */
  readonly type: EntryType;
  /** The command, or the encoded membership; empty for a `noop`. */
  readonly data: Uint8Array;
}

/** The state that must be durable before a node answers (figure 2, "persistent state"), without the log. Both fields change together. */
export interface HardState {
  /** The latest term that this node has seen; 0 before the first. */
  readonly term: number;
  /** The candidate that got this node's vote in `term`; `null` if none. */
  readonly votedFor: NodeId | null;
}

/** A node's record in a membership. */
export interface Member {
  /** The node's name. */
  readonly id: NodeId;
  /** The address for its transport; the core only carries it. */
  readonly address: string;
  /**
   * The random identity of its data folder. A wiped folder has another one, so a
   * voter that lost its disk never votes again under its old id. Empty if the
   * adapters have no such notion.
   */
  readonly incarnation: string;
}

/**
 * The members of a cluster, in sorted order. A joint configuration (dissertation §4.3) has
 * `outgoing` voters, and needs a majority of both `voters` and `outgoing`.
 *
 * Invariants: `learners` is disjoint from `voters` and `outgoing`; `learnersNext`
 * is a subset of `outgoing`, disjoint from `voters`; `members` names exactly the
 * union, once each.
 */
export interface Membership {
  /** The voters; in a joint configuration, those of its new half. */
  readonly voters: readonly NodeId[];
  /** The voters of the old half of a joint configuration; otherwise empty. */
  readonly outgoing: readonly NodeId[];
  /** The nodes that receive the log without a vote. */
  readonly learners: readonly NodeId[];
  /** The voters of the old half that become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[];
  /** Address and incarnation of each node named above. */
  readonly members: readonly Member[];
}

/** The head of every message. */
export interface MessageHead<Type extends string> {
  /** The kind of message. */
  readonly type: Type;
  /** The sender's term. */
  readonly term: number;
}

/** A request for a vote (§5.2), or whether one would be granted (pre-vote, dissertation §9.6). */
export interface RequestVote extends MessageHead<"RequestVote"> {
  /** The candidate's term; in a pre-vote, the term that it would campaign in. */
  readonly term: number;
  /** The last index of the candidate's log. */
  readonly lastLogIndex: number;
  /** The term of that entry (§5.4.1). */
  readonly lastLogTerm: number;
  /** Set for a pre-vote, which changes no node's term or vote. */
  readonly preVote: boolean;
  /** Set if the old leader requested this campaign by TimeoutNow; overrides leader stickiness (dissertation §4.2.3). */
  readonly leadershipTransfer: boolean;
}

/** The answer to {@linkcode RequestVote}. */
export interface RequestVoteResponse extends MessageHead<"RequestVoteResponse"> {
  /** The sender's term; in a granted pre-vote, the proposed term. */
  readonly term: number;
  /** Set if the vote was, or would be, granted. */
  readonly voteGranted: boolean;
  /** Set if this answers a pre-vote. */
  readonly preVote: boolean;
}

/** Entries for a follower; a heartbeat if it has none (§5.3). */
export interface AppendEntries extends MessageHead<"AppendEntries"> {
  /** The index before the first entry. */
  readonly prevLogIndex: number;
  /** The leader's term at `prevLogIndex`. */
  readonly prevLogTerm: number;
  /** Consecutive entries from `prevLogIndex + 1` on. */
  readonly entries: readonly Entry[];
  /** The leader's commit index. */
  readonly leaderCommit: number;
  /** The leader's latest heartbeat round at the time of sending. The answer echoes it, which confirms leadership for reads (dissertation §6.4). */
  readonly round: number;
}

/** The answer to {@linkcode AppendEntries}. */
export interface AppendEntriesResponse extends MessageHead<"AppendEntriesResponse"> {
  /** Set if the logs agree at the request's `prevLogIndex`. */
  readonly success: boolean;
  /** On success: the last entry that equals the leader's and is durable. */
  readonly matchIndex: number;
  /** The `prevLogIndex` of the request. */
  readonly prevLogIndex: number;
  /** On failure: the first index that can't match (the skip over a whole term of §5.3). */
  readonly conflictIndex: number;
  /** On failure: the sender's term at `conflictIndex - 1`; 0 if none. */
  readonly conflictTerm: number;
  /** The round of the request. */
  readonly round: number;
}

/** A chunk of a snapshot (§7), at most 256 KiB. */
export interface InstallSnapshot extends MessageHead<"InstallSnapshot"> {
  /** See {@linkcode AppendEntries.round}. */
  readonly round: number;
  /** The snapshot. Its id matters: equal index and term do not mean equal bytes. */
  readonly snapshot: SnapshotMeta;
  /** The position of `data` in the snapshot. */
  readonly offset: number;
  /** The bytes of the chunk. */
  readonly data: Uint8Array;
}

/** The answer to {@linkcode InstallSnapshot}. */
export interface InstallSnapshotResponse extends MessageHead<"InstallSnapshotResponse"> {
  /** The round of the request. */
  readonly round: number;
  /** The id of the snapshot. */
  readonly snapshotId: string;
  /** The next byte wanted; everything before it was received. */
  readonly offset: number;
  /**
   * - `accepted`: continue at `offset`.
   * - `installed`: durable and in force; the log continues after `matchIndex`.
   * - `failed`: damaged on the way; start again.
   */
  readonly status: "accepted" | "installed" | "failed";
  /** With `installed`: the last entry that is durable at the sender. */
  readonly matchIndex: number;
}

/** The order to campaign at once (dissertation §3.10). */
export type TimeoutNow = MessageHead<"TimeoutNow">;

/** A message between nodes. Messages may be lost, repeated, reordered or late. */
export type Message =
  | RequestVote
  | RequestVoteResponse
  | AppendEntries
  | AppendEntriesResponse
  | InstallSnapshot
  | InstallSnapshotResponse
  | TimeoutNow;

/** The reason to refuse a message: no correct peer would have sent it. It has changed nothing. */
export interface MessageRefusal {
  /**
   * - `malformed`: it makes no sense to any node.
   * - `term`: its term is too far ahead.
   * - `leader`: another node leads in its term.
   * - `conflict`: it contradicts committed entries.
   * - `answer`: it answers what was never sent.
   */
  readonly kind: "malformed" | "term" | "leader" | "conflict" | "answer";
  /** The particulars, for people; continues a sentence about the sender. */
  readonly reason: string;
}

/** A message with its receiver. */
export interface OutboundMessage {
  /** The receiver. */
  readonly to: NodeId;
  /** The message. */
  readonly message: Message;
}

/** The description of a snapshot. */
export interface SnapshotMeta {
  /** A random id, unique for these bytes. */
  readonly id: string;
  /** The last entry that it covers. */
  readonly index: number;
  /** The term of that entry. */
  readonly term: number;
  /** The membership as of `index`, not the newest. */
  readonly membership: Membership;
  /** The total number of bytes. */
  readonly size: number;
  /** CRC-32C of all bytes, as an unsigned number. */
  readonly checksum: number;
}

/** The first index of a term in a log. A list of them, ascending in both, gives the term of any index without its entry. */
export interface TermStart {
  /** The term. */
  readonly term: number;
  /** Its first index. */
  readonly index: number;
}

/**
 * The state of the disk at start. The entries themselves stay there: the core only
 * needs their terms, and the entries that change the membership.
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

/** The role of a node (§5.1). */
export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** One atomic write: all of it becomes durable, or nothing. */
export interface PersistBatch {
  /** The number of the write, ascending by one. */
  readonly sequence: number;
  /** The new term and vote; `null` when unchanged. */
  readonly hardState: HardState | null;
  /** A snapshot, staged in the storage before, that replaces state and log; `null` almost always. */
  readonly snapshot: SnapshotMeta | null;
  /** Consecutive entries. An index that the disk already has is overwritten, and everything after it removed. */
  readonly entries: readonly Entry[];
}

/** An event of the protocol and its reason, for logs and observers. The core never reads events back. */
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

/** The reason why a vote was denied. */
export type VoteDenial =
  | "staleTerm"
  | "alreadyVoted"
  | "logBehind"
  | "leaderAlive"
  | "restartedRecently";

/** The work that the core hands to its driver. */
export interface Effects {
  /** Messages to send at once, in order. */
  readonly messages: readonly OutboundMessage[];
  /** Entries that a peer needs and the core no longer holds: read them, and call `entriesRead`. */
  readonly entryReads: readonly EntryRead[];
  /** Peers whose next entry is compacted away: send them the newest snapshot by `snapshotMessage`, or give up by `snapshotFailed`. */
  readonly snapshotSends: readonly NodeId[];
  /** Chunks to store: answer each by `snapshotProgress`, and the last one by `installSnapshot`. */
  readonly snapshotChunks: readonly { readonly from: NodeId; readonly message: InstallSnapshot }[];
  /** Answers to this node's own snapshot transfers. */
  readonly snapshotResponses: readonly { readonly from: NodeId; readonly message: InstallSnapshotResponse }[];
  /** Reads to serve once everything up to their `index` is applied. */
  readonly reads: readonly ConfirmedRead[];
  /** Ids of reads that this node can't confirm, because it no longer leads. */
  readonly rejectedReads: readonly number[];
  /** The heartbeat round that these messages begin, for timing the lease; 0 if none. */
  readonly roundStarted: number;
  /** Events for observers. */
  readonly events: readonly RaftEvent[];
}

/** A read whose leadership a quorum has confirmed (dissertation §6.4). */
export interface ConfirmedRead {
  /** The id given to `readIndex`. */
  readonly id: number;
  /** The entry that must be applied before the read is served. */
  readonly index: number;
}

/** A request for entries from the storage: at least one, and as many as fit. */
export interface EntryRead {
  /** The peer that needs them. */
  readonly peer: NodeId;
  /** The first index. */
  readonly from: number;
  /** The last index, inclusive. */
  readonly to: number;
  /** The limit for the sum of their `data`. */
  readonly maxBytes: number;
}

/** The leader's view of a peer. */
export interface PeerProgress {
  /** The peer. */
  readonly id: NodeId;
  /** The last entry that is durable at the peer and equal to the leader's. */
  readonly matchIndex: number;
  /** The next entry to send. */
  readonly nextIndex: number;
  /** The first entry that it may still need from the leader's log: while a snapshot is sent, the one after that snapshot. */
  readonly neededIndex: number;
  /** The mode of sending: one message at a time until the leader has found where the logs meet, then a pipeline; or a snapshot. */
  readonly state: "probe" | "replicate" | "snapshot";
  /** Ticks since it last answered in this term. */
  readonly ticksSinceContact: number;
  /** Unanswered messages with entries. */
  readonly inflightMessages: number;
  /** The bytes of their entries. */
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
  | "silent_voter"
  | "unchanged";
