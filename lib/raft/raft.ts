/**
 * The protocol as one object: inputs in, effects out. It has no promise, timer,
 * clock, random source or I/O; whoever drives it supplies ticks and messages,
 * writes what is to be persisted, and sends what is to be sent.
 *
 * The driver's loop, in one turn:
 * 1. hand over what arrived: `tick`, `step`, `propose`, `readIndex`, …;
 * 2. carry out {@linkcode Raft.takeEffects};
 * 3. if no write is under way, begin one with {@linkcode Raft.takePersist}, and
 *    report its end with `persisted` or `persistFailed`;
 * 4. apply entries up to `applicableIndex`, and report `applied`.
 *
 * Sending and writing go on side by side: what must wait for a write is held
 * back here, and shows in the effects once `persisted` was called.
 *
 * @module
 */

import { handleRequestVote, handleRequestVoteResponse, tickElection } from "./election.ts";
import { handleAppendEntries, refuseStale } from "./follower.ts";
import { mayServeLease } from "./lease.ts";
import { changeMembership } from "./membership_change.ts";
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
  NodeId,
  PeerProgress,
  PersistBatch,
  Refusal,
  RequestResult,
  RestoredState,
  Role,
  SnapshotMeta,
} from "./types.ts";

/** One node's part in the protocol. See the head of this file for how to drive it. */
export class Raft {
  readonly #state: State;

  /**
   * A follower that knows what its disk held.
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

  /** A tick of the clock has passed. */
  tick(): void {
    const { leadership } = this.#state;
    if (leadership === null) tickElection(this.#state);
    else tickLeader(this.#state, leadership);
  }

  /** A message has arrived. Late, repeated and reordered ones do no harm. */
  step(from: NodeId, message: Message): void {
    const state = this.#state;
    if (from === state.id) return;
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

  /** Answers: a newer term ends this node's role (§5.1), an older one says nothing. */
  #stepResponse(from: NodeId, message: Extract<Message, { readonly type: `${string}Response` }>): void {
    const state = this.#state;
    // A granted pre-vote carries the proposed term, which nobody has yet.
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

  /** Appends commands to the log, all or none; a leader only. They are committed when `commitIndex` has passed them in the same term. */
  propose(commands: readonly Uint8Array[]): RequestResult<{ readonly firstIndex: number; readonly term: number }> {
    return propose(this.#state, commands);
  }

  /** Asks for a linearizable read; a leader only. Answered in `effects.reads` or `effects.rejectedReads` with the same `id`. */
  readIndex(id: number): Refusal | null {
    return readIndex(this.#state, id);
  }

  /** Proposes that exactly these take part; a leader only. Done when `membershipCommitted` tells of a membership that is not joint. */
  changeMembership(
    wanted: { readonly voters: readonly Member[]; readonly learners: readonly Member[] },
  ): RequestResult<{ readonly index: number; readonly term: number }> {
    return changeMembership(this.#state, wanted);
  }

  /** Hands leadership to `to`, or to the best voter; a leader only. Ends with another leader, or with `transferEnded`. */
  transferLeadership(to: NodeId | null): RequestResult<{ readonly to: NodeId }> {
    return transferLeadership(this.#state, to);
  }

  /** Gives up leadership in the same term, as when a write does not return; no campaign until a write succeeds. */
  stepDown(reason: string): void {
    if (this.#state.role !== "leader") return;
    becomeFollower(this.#state, this.#state.term, null, reason);
    this.#state.campaignBlocked = true;
  }

  /** Answers `effects.entryReads`; no entries if they could not be read. */
  entriesRead(read: EntryRead, entries: readonly Entry[]): void {
    entriesRead(this.#state, read, entries);
  }

  /** The batch is durable. */
  persisted(batch: PersistBatch): void {
    persisted(this.#state, batch);
  }

  /** The batch is not written, and the disk is as before. Returns whether the node may go on; otherwise it must stop. */
  persistFailed(batch: PersistBatch): boolean {
    return persistFailed(this.#state, batch);
  }

  /** The state machine has everything up to `index`, by entries or by a snapshot. */
  applied(index: number): void {
    const state = this.#state;
    invariant(index <= state.commitIndex, `entry ${index} was applied and is not committed`);
    state.appliedIndex = Math.max(state.appliedIndex, index);
  }

  /** A snapshot of this node's own state is durable. */
  snapshotTaken(meta: SnapshotMeta): void {
    snapshotTaken(this.#state, meta);
  }

  /** Forgets entries up to `index`, as far as the newest snapshot covers them. */
  compact(index: number): void {
    compact(this.#state, index);
  }

  /** A chunk of a snapshot for a peer that `effects.snapshotSends` named; `null` when it is not wanted any more. */
  snapshotMessage(to: NodeId, meta: SnapshotMeta, offset: number, data: Uint8Array): InstallSnapshot | null {
    return snapshotMessage(this.#state, to, meta, offset, data);
  }

  /** Gives up a transfer; it may be asked for again. */
  snapshotFailed(to: NodeId): void {
    snapshotFailed(this.#state, to);
  }

  /** Answers a chunk of `effects.snapshotChunks`: the next byte wanted, or that all of it must come again. */
  snapshotProgress(
    to: NodeId,
    snapshotId: string,
    offset: number,
    status: "accepted" | "failed",
    round: number,
  ): void {
    snapshotProgress(this.#state, to, snapshotId, offset, status, round);
  }

  /** Puts a staged snapshot in force, if it is still newer than what is committed; the next batch makes it durable. */
  installSnapshot(from: NodeId, meta: SnapshotMeta, round: number): boolean {
    return installSnapshot(this.#state, from, meta, round);
  }

  // Outputs

  /** What is to be done now; each is handed out once. */
  takeEffects(): Effects {
    const state = this.#state;
    flush(state);
    const effects = state.outbox;
    state.outbox = emptyOutbox();
    return effects;
  }

  /** Everything to write that was not handed out yet; `null` if nothing. Only while no earlier batch is under way. */
  takePersist(): PersistBatch | null {
    return this.#state.durability.take(this.#state);
  }

  // What is known

  /** This node. */
  get id(): NodeId {
    return this.#state.id;
  }

  /** The latest term seen. */
  get term(): number {
    return this.#state.term;
  }

  /** Who has this node's vote in `term`. */
  get votedFor(): NodeId | null {
    return this.#state.votedFor;
  }

  /** What this node does now (§5.1). */
  get role(): Role {
    return this.#state.role;
  }

  /** The votes of this node's own campaign, granted or denied; none unless it campaigns. */
  get votes(): ReadonlyMap<NodeId, boolean> {
    return this.#state.votes;
  }

  /** How long this node has waited for a leader, and at what time it campaigns (§5.2). A leader waits for nobody. */
  get electionTimer(): { readonly elapsedTicks: number; readonly timeoutTicks: number } {
    const { electionTicks, electionTimeout } = this.#state;
    return { elapsedTicks: electionTicks, timeoutTicks: electionTimeout };
  }

  /** Who leads, as far as is known. */
  get leader(): NodeId | null {
    return this.#state.leader;
  }

  /** Everything up to here is committed. */
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

  /** Everything up to here is on this node's disk. */
  get durableIndex(): number {
    return this.#state.log.durableIndex;
  }

  /** Everything up to here was applied, as reported by `applied`. */
  get appliedIndex(): number {
    return this.#state.appliedIndex;
  }

  /** Apply up to here: only what is committed, and durable on this node. */
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

  /** The entry that set it. */
  get membershipIndex(): number {
    return this.#state.configuration.index;
  }

  /** Whether that entry is committed. */
  get membershipCommitted(): boolean {
    return this.#state.configuration.index <= this.#state.commitIndex;
  }

  /** The membership as of `index`, for a snapshot there. */
  membershipAt(index: number): Membership {
    return this.#state.configuration.at(index);
  }

  /** The term of the entry at `index`; `undefined` if it is not there. */
  termAt(index: number): number | undefined {
    return this.#state.log.termAt(index);
  }

  /** The entries from `from` to at most `to` that are in memory; none if `from` is not. */
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

  /** Whether this leader has committed an entry of its term, and so may change the membership and serve reads. */
  get committedInTerm(): boolean {
    return this.#state.committedInTerm;
  }

  /** The newest heartbeat round of this leadership that a quorum acknowledged; 0 without one. */
  get confirmedRound(): number {
    return this.#state.leadership?.confirmedRound ?? 0;
  }

  /** Whether this leader may answer reads from a lease that has not run out: see lease.ts. */
  get leaseAllowed(): boolean {
    return mayServeLease(this.#state);
  }

  /** To whom leadership is being transferred. */
  get transferTo(): NodeId | null {
    return this.#state.leadership?.transferTo ?? null;
  }

  /** Whether this node must not campaign until a write succeeds. */
  get campaignBlocked(): boolean {
    return this.#state.campaignBlocked;
  }

  /** The peers as this leader sees them; nobody elsewhere. */
  progress(): PeerProgress[] {
    const { leadership } = this.#state;
    return leadership === null ? [] : [...leadership.peers.values()].map((peer) => peer.report());
  }
}
