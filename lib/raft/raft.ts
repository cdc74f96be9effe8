/**
 * The protocol as one object: inputs in, effects out. It has no promise, timer,
 * clock, random source or I/O. Its driver supplies ticks and messages, writes the
 * batches, and sends the messages.
 *
 * The driver's loop, in one turn:
 * 1. hand over the inputs: `tick`, `step`, `propose`, `readIndex`, …;
 * 2. carry out {@linkcode Raft.takeEffects};
 * 3. if no write is under way, begin one with {@linkcode Raft.takePersist}, and
 *    report its end with `persisted` or `persistFailed`;
 * 4. apply entries up to `applicableIndex`, and report `applied`.
 *
 * Sending and writing run in parallel: messages that must wait for a write are
 * held back, and appear in the effects after `persisted`.
 */

import { handleRequestVote, handleRequestVoteResponse, tickElection } from "./election.ts";
import { handleAppendEntries, refuseStale } from "./follower.ts";
import { mayServeLease } from "./lease.ts";
import { changeMembership } from "./membership_change.ts";
import { reasonToRefuse } from "./message_check.ts";
import { persisted, persistFailed } from "./persistence.ts";
import { propose } from "./proposals.ts";
import { readIndex } from "./reads.ts";
import { entriesRead, flush, handleAppendEntriesResponse, tickLeader } from "./replication.ts";
import { becomeFollower } from "./roles.ts";
import {
  compact,
  handleInstallSnapshot,
  handleInstallSnapshotResponse,
  installPending,
  installSnapshot,
  snapshotFailed,
  snapshotMessage,
  snapshotProgress,
  snapshotTaken,
} from "./snapshots.ts";
import { emptyOutbox, invariant, State } from "./state.ts";
import type { RaftConfig } from "./state.ts";
import { handleTimeoutNow, transferLeadership } from "./transfer.ts";
import type {
  Effects,
  Entry,
  EntryRead,
  InstallSnapshot,
  Member,
  Membership,
  Message,
  MessageRefusal,
  NodeId,
  PeerProgress,
  PersistBatch,
  Refusal,
  RequestResult,
  RestoredState,
  Role,
  SnapshotMeta,
} from "./types.ts";

/** One node's part in the protocol. The head of this file describes how to drive it. */
export class Raft {
  readonly #state: State;

  /**
   * Creates a follower with the state of its disk.
   *
   * @throws {RangeError} if the settings can't work
   */
  constructor(config: RaftConfig, restored: RestoredState) {
    if (!(config.heartbeatTicks >= 1 && config.electionTicks > config.heartbeatTicks)) {
      throw new RangeError("electionTicks must be greater than heartbeatTicks, which must be at least 1");
    }
    this.#state = new State(config, restored);
  }

  // Inputs

  /** Counts a tick of the clock. */
  tick(): void {
    const { term, membership, log } = this.#state;
    const ahead = this.#state.termLimit.tick(
      term,
      membership.members.length === 0 && log.lastIndex === 0,
      this.#state.leadership !== null,
    );
    if (ahead !== null) {
      becomeFollower(this.#state, this.#state.termLimit.highest, null, `${ahead} stays in a term that is far ahead`);
    }
    const { leadership } = this.#state;
    if (leadership === null) tickElection(this.#state);
    else tickLeader(this.#state, leadership);
  }

  /**
   * Processes a message. Late, repeated and reordered messages do no harm. Refuses those
   * that no correct peer sends, and returns the reason; otherwise `null`.
   */
  step(from: NodeId, message: Message): MessageRefusal | null {
    const state = this.#state;
    if (from === state.id) return null;
    const refusal = this.check(from, message);
    if (refusal === null) this.#process(from, message);
    return refusal;
  }

  /** Returns the reason for which `step` would refuse a message; `null` if there is none. */
  check(from: NodeId, message: Message): MessageRefusal | null {
    return reasonToRefuse(this.#state, from, message);
  }

  #process(from: NodeId, message: Message): void {
    const state = this.#state;
    switch (message.type) {
      case "RequestVote":
        return handleRequestVote(state, from, message);
      case "AppendEntries":
        if (message.term < state.term) return refuseStale(state, from, message);
        return handleAppendEntries(state, from, message);
      case "InstallSnapshot":
        if (message.term < state.term) {
          return snapshotProgress(state, from, message.snapshot.id, message.offset, "failed", message.round);
        }
        return handleInstallSnapshot(state, from, message);
      case "TimeoutNow":
        return handleTimeoutNow(state, from, message);
      default:
        return this.#stepResponse(from, message);
    }
  }

  /** Processes an answer: a newer term ends this node's role (§5.1), an older one is ignored. */
  #stepResponse(from: NodeId, message: Extract<Message, { readonly type: `${string}Response` }>): void {
    const state = this.#state;
    // A granted pre-vote carries the proposed term, which no node has yet.
    const proposedTerm = message.type === "RequestVoteResponse" && message.preVote && message.voteGranted;
    if (message.term > state.term && !proposedTerm) {
      becomeFollower(state, message.term, null, `${from} has a higher term`);
      return;
    }
    if (message.type === "RequestVoteResponse") return handleRequestVoteResponse(state, from, message);
    const { leadership } = state;
    if (leadership === null || message.term < state.term) return;
    if (message.type === "AppendEntriesResponse") handleAppendEntriesResponse(state, leadership, from, message);
    else handleInstallSnapshotResponse(state, leadership, from, message);
  }

  /** Appends commands to the log, all or none; on a leader only. They are committed once `commitIndex` has passed them in the same term. */
  propose(commands: readonly Uint8Array[]): RequestResult<{ readonly firstIndex: number; readonly term: number }> {
    return propose(this.#state, commands);
  }

  /** Begins a linearizable read; on a leader only. It ends in `effects.reads` or `effects.rejectedReads` with the same `id`. */
  readIndex(id: number): Refusal | null {
    return readIndex(this.#state, id);
  }

  /** Proposes a membership of exactly these nodes; on a leader only. It is done when `membershipCommitted` reports a membership that is not joint. */
  changeMembership(
    wanted: { readonly voters: readonly Member[]; readonly learners: readonly Member[] },
  ): RequestResult<{ readonly index: number; readonly term: number }> {
    return changeMembership(this.#state, wanted);
  }

  /** Hands leadership to `to`, or to the best voter; on a leader only. Ends with another leader, or with `transferEnded`. */
  transferLeadership(to: NodeId | null): RequestResult<{ readonly to: NodeId }> {
    return transferLeadership(this.#state, to);
  }

  /** Gives up leadership in the same term, such as when a write does not return. The node does not campaign until a write succeeds. */
  stepDown(reason: string): void {
    if (this.#state.role !== "leader") return;
    becomeFollower(this.#state, this.#state.term, null, reason);
    this.#state.campaignBlocked = true;
  }

  /** Returns entries of `effects.entryReads`; none if they could not be read. */
  entriesRead(read: EntryRead, entries: readonly Entry[]): void {
    entriesRead(this.#state, read, entries);
  }

  /** Reports that a batch is durable. */
  persisted(batch: PersistBatch): void {
    persisted(this.#state, batch);
  }

  /** Reports that a batch was not written, and the disk is unchanged. Reports whether the node may continue; otherwise it must stop. */
  persistFailed(batch: PersistBatch): boolean {
    return persistFailed(this.#state, batch);
  }

  /** Reports that the state machine has everything up to `index`, by entries or by a snapshot. */
  applied(index: number): void {
    const state = this.#state;
    invariant(index <= state.commitIndex, `entry ${index} was applied and is not committed`);
    state.appliedIndex = Math.max(state.appliedIndex, index);
  }

  /** Reports that a snapshot of this node's own state is durable. */
  snapshotTaken(meta: SnapshotMeta): void {
    snapshotTaken(this.#state, meta);
  }

  /** Compacts the log up to `index`, as far as the newest snapshot covers it. */
  compact(index: number): void {
    compact(this.#state, index);
  }

  /** Returns a chunk of a snapshot as a message for a peer of `effects.snapshotSends`; `null` if it is no longer wanted. */
  snapshotMessage(to: NodeId, meta: SnapshotMeta, offset: number, data: Uint8Array): InstallSnapshot | null {
    return snapshotMessage(this.#state, to, meta, offset, data);
  }

  /** Gives up a snapshot transfer; it may be requested again. */
  snapshotFailed(to: NodeId): void {
    snapshotFailed(this.#state, to);
  }

  /** Answers a chunk of `effects.snapshotChunks` with the next byte wanted, or a failure after which the snapshot is sent again. */
  snapshotProgress(
    to: NodeId,
    snapshotId: string,
    offset: number,
    status: "accepted" | "failed",
    round: number,
  ): void {
    snapshotProgress(this.#state, to, snapshotId, offset, status, round);
  }

  /** Puts a staged snapshot in force if it is still newer than the commit index; the next batch makes it durable. Returns whether it is in force. */
  installSnapshot(from: NodeId, meta: SnapshotMeta, round: number): boolean {
    return installSnapshot(this.#state, from, meta, round);
  }

  // Outputs

  /** Returns the work to do now; each piece is handed out once. */
  takeEffects(): Effects {
    const state = this.#state;
    flush(state);
    const effects = state.outbox;
    state.outbox = emptyOutbox();
    return effects;
  }

  /** Returns everything to write that was not handed out yet; `null` if nothing. Only while no earlier batch is under way. */
  takePersist(): PersistBatch | null {
    return this.#state.durability.take(this.#state);
  }

  // State

  /** This node's id. */
  get id(): NodeId {
    return this.#state.id;
  }

  /** The latest term seen. */
  get term(): number {
    return this.#state.term;
  }

  /** The candidate that has this node's vote in `term`. */
  get votedFor(): NodeId | null {
    return this.#state.votedFor;
  }

  /** The role of this node (§5.1). */
  get role(): Role {
    return this.#state.role;
  }

  /** The votes of this node's own campaign, granted or denied; none unless it campaigns. */
  get votes(): ReadonlyMap<NodeId, boolean> {
    return this.#state.votes;
  }

  /** The ticks that this node has waited for a leader, and those after which it campaigns (§5.2). A leader does not wait. */
  get electionTimer(): { readonly elapsedTicks: number; readonly timeoutTicks: number } {
    const { electionTicks, electionTimeout } = this.#state;
    return { elapsedTicks: electionTicks, timeoutTicks: electionTimeout };
  }

  /** The leader of this term, if known. */
  get leader(): NodeId | null {
    return this.#state.leader;
  }

  /** The ticks since this node last heard a leader; Infinity if never. */
  get ticksSinceLeader(): number {
    return this.#state.ticksSinceLeader;
  }

  /** The last entry known to be committed. */
  get commitIndex(): number {
    return this.#state.commitIndex;
  }

  /** The last entry of the log. */
  get lastIndex(): number {
    return this.#state.log.lastIndex;
  }

  /** The first entry that the log still has, or would have. */
  get firstIndex(): number {
    return this.#state.log.firstIndex;
  }

  /** The last entry that is on this node's disk. */
  get durableIndex(): number {
    return this.#state.log.durableIndex;
  }

  /** The last entry that was applied, as reported by `applied`. */
  get appliedIndex(): number {
    return this.#state.appliedIndex;
  }

  /** The last entry to apply: committed, and durable on this node. */
  get applicableIndex(): number {
    const state = this.#state;
    return installPending(state) ? state.appliedIndex : Math.min(state.commitIndex, state.log.durableIndex);
  }

  /** The newest snapshot. */
  get snapshot(): SnapshotMeta | null {
    return this.#state.snapshot;
  }

  /** The membership in force. */
  get membership(): Membership {
    return this.#state.membership;
  }

  /** The membership before that; the same if it is compacted away. */
  get previousMembership(): Membership {
    return this.#state.configuration.previous;
  }

  /** The index of the entry that set it. */
  get membershipIndex(): number {
    return this.#state.configuration.index;
  }

  /** Reports whether that entry is committed. */
  get membershipCommitted(): boolean {
    return this.#state.configuration.index <= this.#state.commitIndex;
  }

  /** Returns the membership as of `index`, for a snapshot there. */
  membershipAt(index: number): Membership {
    return this.#state.configuration.at(index);
  }

  /** Returns the term of the entry at `index`; `undefined` if there is none. */
  termAt(index: number): number | undefined {
    return this.#state.log.termAt(index);
  }

  /** Returns the entries from `from` up to `to` that are in memory; none if `from` is not. */
  cachedEntries(from: number, to: number): readonly Entry[] {
    return this.#state.log.cached(from, to);
  }

  /** Bytes of entries in memory. */
  get cachedBytes(): number {
    return this.#state.log.cachedBytes;
  }

  /** Bytes that this leader proposed and that are not committed. */
  get uncommittedBytes(): number {
    return this.#state.leadership?.uncommittedBytes ?? 0;
  }

  /** Reports whether this leader has committed an entry of its term, and so may change the membership and serve reads. */
  get committedInTerm(): boolean {
    return this.#state.committedInTerm;
  }

  /** The newest heartbeat round of this leadership that a quorum acknowledged; 0 without one. */
  get confirmedRound(): number {
    return this.#state.leadership?.confirmedRound ?? 0;
  }

  /** Reports whether this leader may answer reads from a lease that has not run out; see lease.ts. */
  get leaseAllowed(): boolean {
    return mayServeLease(this.#state);
  }

  /** The successor in a leadership transfer. */
  get transferTo(): NodeId | null {
    return this.#state.leadership?.transferTo ?? null;
  }

  /** Reports whether this node must not campaign until a write succeeds. */
  get campaignBlocked(): boolean {
    return this.#state.campaignBlocked;
  }

  /** Returns this leader's view of its peers; empty on other nodes. */
  progress(): PeerProgress[] {
    const { leadership } = this.#state;
    return leadership === null ? [] : [...leadership.peers.values()].map((peer) => peer.report());
  }
}
