/**
 * Drives one `Raft` by hand: delivers messages, passes ticks, ends writes and
 * collects the messages to send. The simulated disk keeps what was written and
 * nothing else.
 *
 * @module
 */

import assert from "node:assert/strict";
import { encodeMembership, membershipOf, Raft } from "../../../lib/raft/mod.ts";
import type { RaftConfig } from "../../../lib/raft/mod.ts";
import type {
  AppendEntries,
  AppendEntriesResponse,
  ConfirmedRead,
  Effects,
  Entry,
  EntryRead,
  HardState,
  InstallSnapshot,
  InstallSnapshotResponse,
  Member,
  Membership,
  Message,
  NodeId,
  OutboundMessage,
  PeerProgress,
  PersistBatch,
  RaftEvent,
  Refusal,
  RequestResult,
  RequestVote,
  RequestVoteResponse,
  RestoredState,
  SnapshotMeta,
  TermStart,
  TimeoutNow,
} from "../../../lib/raft/types.ts";

/** Ticks of the tests: a follower waits 10 to 19, a leader sends a heartbeat every 2. */
export const ELECTION_TICKS = 10;
export const HEARTBEAT_TICKS = 2;

/** Seeds whose first timeout is 16 ticks or more, so that the grace after a start ends before a campaign. */
const SEEDS = [92, 94, 95, 99, 104, 105, 109, 119, 121, 128];

export function config(id: NodeId, overrides: Partial<RaftConfig> = {}): RaftConfig {
  return {
    id,
    incarnation: `${id}-disk`,
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: HEARTBEAT_TICKS,
    seed: SEEDS[id.charCodeAt(id.length - 1) % 10]!,
    maxBatchBytes: 1 << 20,
    maxInflightMessages: 8,
    maxInflightBytes: 1 << 20,
    maxUncommittedBytes: 1 << 20,
    maxCachedBytes: 1 << 20,
    ...overrides,
  };
}

export function member(id: NodeId, incarnation = `${id}-disk`): Member {
  return { id, address: `${id}:1`, incarnation };
}

export function members(...ids: NodeId[]): Member[] {
  return ids.map((id) => member(id));
}

export function membership(voters: NodeId[], learners: NodeId[] = []): Membership {
  return membershipOf({ voters: members(...voters), learners: members(...learners) });
}

/** Returns a joint configuration (dissertation §4.3). */
export function joint(outgoing: NodeId[], voters: NodeId[], learnersNext: NodeId[] = []): Membership {
  const everyone = [...new Set([...outgoing, ...voters])].sort();
  return {
    voters: [...voters].sort(),
    outgoing: [...outgoing].sort(),
    learners: [],
    learnersNext,
    members: members(...everyone),
  };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function command(index: number, term: number, text = `${term}.${index}`): Entry {
  return { index, term, type: "command", data: bytes(text) };
}

export function membershipEntry(index: number, term: number, value: Membership): Entry {
  return { index, term, type: "membership", data: encodeMembership(value) };
}

/** Returns a log written as in the paper's figures: by the term of each entry. Entry 1 is the first membership. */
export function logOf(terms: readonly number[], first: Membership): Entry[] {
  return terms.map((term, i) => i === 0 ? membershipEntry(1, term, first) : command(i + 1, term));
}

export function snapshotMeta(index: number, term: number, value: Membership, id = `s${index}`): SnapshotMeta {
  return { id, index, term, membership: value, size: 8, checksum: 0 };
}

/** A node's disk. Batches are atomic and come in order. */
export class Disk {
  hardState: HardState = { term: 0, votedFor: null };
  snapshot: SnapshotMeta | null = null;
  /** The entries after `base`. */
  entries: Entry[] = [];
  base = 0;
  #sequence = 0;

  get lastIndex(): number {
    return Math.max(this.base + this.entries.length, this.snapshot?.index ?? 0);
  }

  entry(index: number): Entry | undefined {
    return this.entries[index - this.base - 1];
  }

  /** Reports whether everything up to `index` survives a crash. */
  covers(index: number): boolean {
    return index <= (this.snapshot?.index ?? 0) || index <= this.base + this.entries.length;
  }

  write(batch: PersistBatch): void {
    assert.ok(batch.sequence > this.#sequence, "batches come in order");
    this.#sequence = batch.sequence;
    if (batch.hardState !== null) this.hardState = batch.hardState;
    if (batch.snapshot !== null) {
      const { index, term } = batch.snapshot;
      if (this.entry(index)?.term !== term) {
        this.entries = [];
        this.base = index;
      }
      this.snapshot = batch.snapshot;
    }
    const first = batch.entries[0];
    if (first === undefined) return;
    assert.ok(first.index > this.base && first.index <= this.base + this.entries.length + 1, "no gap on disk");
    this.entries = [...this.entries.slice(0, first.index - this.base - 1), ...batch.entries];
    this.entries.forEach((entry, i) => assert.equal(entry.index, this.base + i + 1));
  }

  /** Saves a snapshot of the node's own state. */
  saveSnapshot(meta: SnapshotMeta): void {
    this.snapshot = meta;
  }

  compact(index: number): void {
    if (index <= this.base) return;
    this.entries = this.entries.slice(index - this.base);
    this.base = index;
  }

  restored(): RestoredState {
    const after = this.snapshot?.index ?? 0;
    const termStarts: TermStart[] = [];
    for (const { index, term } of this.entries) {
      if (termStarts.at(-1)?.term !== term) termStarts.push({ term, index });
    }
    this.#sequence = 0;
    return {
      hardState: this.hardState,
      snapshot: this.snapshot,
      lastIndex: this.lastIndex,
      termStarts,
      memberships: this.entries.filter((entry) => entry.type === "membership" && entry.index > after),
    };
  }
}

export interface ServerOptions {
  /** The voters of the first membership; without them the disk is empty. */
  readonly voters?: NodeId[];
  readonly learners?: NodeId[];
  /** The terms of the log, from entry 1 on. @default [1] */
  readonly log?: readonly number[];
  /** The log itself, instead of its terms. */
  readonly entries?: readonly Entry[];
  readonly snapshot?: SnapshotMeta;
  /** The durable term. @default the last entry's */
  readonly term?: number;
  readonly votedFor?: NodeId;
  /** Set to let the time pass in which a restarted node grants no vote. @default true */
  readonly settled?: boolean;
  readonly config?: Partial<RaftConfig>;
}

/** One server of the paper, driven by hand. */
export class Server {
  raft: Raft;
  readonly disk = new Disk();
  readonly id: NodeId;
  events: RaftEvent[] = [];
  reads: ConfirmedRead[] = [];
  rejectedReads: number[] = [];
  entryReads: EntryRead[] = [];
  snapshotSends: NodeId[] = [];
  snapshotChunks: { readonly from: NodeId; readonly message: InstallSnapshot }[] = [];
  snapshotResponses: { readonly from: NodeId; readonly message: InstallSnapshotResponse }[] = [];
  readonly #overrides: Partial<RaftConfig>;

  constructor(id: NodeId, options: ServerOptions = {}) {
    this.id = id;
    this.#overrides = options.config ?? {};
    if (options.snapshot !== undefined) {
      this.disk.snapshot = options.snapshot;
      this.disk.base = options.snapshot.index;
    }
    const first = options.voters === undefined ? null : membership(options.voters, options.learners);
    const log = options.entries ?? (first === null ? [] : logOf(options.log ?? [1], first));
    this.disk.entries = [...log];
    this.disk.hardState = {
      term: options.term ?? log.at(-1)?.term ?? options.snapshot?.term ?? 0,
      votedFor: options.votedFor ?? null,
    };
    this.raft = new Raft(config(id, this.#overrides), this.disk.restored());
    if (options.snapshot !== undefined) this.raft.applied(options.snapshot.index);
    if (options.settled ?? true) this.settle();
  }

  /** Lets the time pass in which a restarted node grants no vote; its own timeout is longer (see `config`). */
  settle(): this {
    this.tick(ELECTION_TICKS);
    assert.notEqual(this.raft.role, "candidate");
    return this.drain();
  }

  /** Loses everything that is not on disk, and starts again. */
  crash(): this {
    this.raft = new Raft(config(this.id, this.#overrides), this.disk.restored());
    if (this.disk.snapshot !== null) this.raft.applied(this.disk.snapshot.index);
    this.drain();
    return this;
  }

  /** Delivers a message. */
  deliver(from: NodeId, message: Message): this {
    this.raft.step(from, message);
    return this;
  }

  tick(ticks = 1): this {
    for (let i = 0; i < ticks; i++) this.raft.tick();
    return this;
  }

  /** Begins the next write, and leaves it under way. */
  beginPersist(): PersistBatch | null {
    this.collect();
    return this.raft.takePersist();
  }

  /** Ends a write. */
  endPersist(batch: PersistBatch | null): this {
    assert.ok(batch !== null, "there is a write under way");
    this.disk.write(batch);
    this.raft.persisted(batch);
    return this;
  }

  /** Writes until nothing is left to write. */
  persist(): this {
    for (let batch = this.beginPersist(); batch !== null; batch = this.beginPersist()) this.endPersist(batch);
    return this;
  }

  #outbox: OutboundMessage[] = [];

  /** Takes the effects, and sorts them by kind. */
  collect(): Effects {
    const effects = this.raft.takeEffects();
    this.#outbox.push(...effects.messages);
    this.events.push(...effects.events);
    this.reads.push(...effects.reads);
    this.rejectedReads.push(...effects.rejectedReads);
    this.entryReads.push(...effects.entryReads);
    this.snapshotSends.push(...effects.snapshotSends);
    this.snapshotChunks.push(...effects.snapshotChunks);
    this.snapshotResponses.push(...effects.snapshotResponses);
    return effects;
  }

  /** Answers requests for entries that only the disk still has. */
  answerEntryReads(): this {
    this.collect();
    for (const read of this.entryReads.splice(0)) {
      this.raft.entriesRead(read, this.disk.entries.filter(({ index }) => index >= read.from && index <= read.to));
    }
    return this;
  }

  /** Returns the messages that may leave now, each once. */
  messages(): OutboundMessage[] {
    this.collect();
    return this.#outbox.splice(0);
  }

  /** Returns the messages of one type that may leave now, to one receiver if given; drops all others. */
  sent<T extends Message["type"]>(type: T, to?: NodeId): Extract<Message, { readonly type: T }>[] {
    const found: Extract<Message, { readonly type: T }>[] = [];
    for (const outbound of this.messages()) {
      const message = outbound.message;
      if (isOfType(message, type) && (to === undefined || outbound.to === to)) found.push(message);
    }
    return found;
  }

  /** Forgets all effects so far. */
  drain(): this {
    this.messages();
    this.events = [];
    this.reads = [];
    this.rejectedReads = [];
    this.entryReads = [];
    this.snapshotSends = [];
    this.snapshotChunks = [];
    this.snapshotResponses = [];
    return this;
  }

  /** Ticks until a campaign begins. Returns the number of ticks. */
  timeout(): number {
    const started = this.event("electionStarted").length;
    for (let ticks = 1; ticks <= 2 * ELECTION_TICKS; ticks++) {
      this.raft.tick();
      if (this.event("electionStarted").length > started) return ticks;
    }
    throw new Error(`${this.id} did not campaign`);
  }

  /** Campaigns, and gets the votes of `voters`: pre-votes, then votes. */
  elect(...voters: NodeId[]): this {
    if (this.raft.role !== "preCandidate") this.timeout();
    const term = this.raft.term + 1;
    for (const id of voters) {
      if (this.raft.role === "preCandidate") this.deliver(id, vote({ term, preVote: true }));
    }
    assert.equal(this.raft.role, "candidate");
    this.persist();
    for (const id of voters) if (this.raft.role === "candidate") this.deliver(id, vote({ term }));
    assert.equal(this.raft.role, "leader");
    return this;
  }

  /** Becomes leader, with the no-op of its term on disk, acknowledged by `voters` and committed. */
  lead(...voters: NodeId[]): this {
    this.elect(...voters).persist();
    for (const id of voters) this.ack(id);
    assert.equal(this.raft.commitIndex, this.raft.lastIndex);
    // The voters receive the commit index at once; that round is over too.
    this.drain();
    return this;
  }

  /** Acknowledges the log up to `matchIndex` for a peer. */
  ack(from: NodeId, matchIndex = this.raft.lastIndex, round = 0): this {
    return this.deliver(from, appendedResponse({ term: this.raft.term, matchIndex, prevLogIndex: matchIndex, round }));
  }

  propose(...texts: string[]): { firstIndex: number; term: number } {
    const result = this.raft.propose(texts.map(bytes));
    if (!result.ok) throw new Error(`refused: ${result.reason}`);
    return { firstIndex: result.firstIndex, term: result.term };
  }

  progress(id: NodeId): PeerProgress {
    const found = this.raft.progress().find((peer) => peer.id === id);
    assert.ok(found, `${id} is a peer`);
    return found;
  }

  /** Returns the terms of the log that is not compacted. */
  terms(): number[] {
    const terms: number[] = [];
    for (let i = this.raft.firstIndex; i <= this.raft.lastIndex; i++) terms.push(this.raft.termAt(i)!);
    return terms;
  }

  event<T extends RaftEvent["type"]>(type: T): Extract<RaftEvent, { readonly type: T }>[] {
    this.collect();
    return this.events.filter((event): event is Extract<RaftEvent, { readonly type: T }> => event.type === type);
  }
}

/** Returns the reason why a request was refused; the result itself if it was not. */
export function reasonOf<T>(result: RequestResult<T>): Refusal | T {
  return result.ok ? result : result.reason;
}

function isOfType<T extends Message["type"]>(message: Message, type: T): message is Extract<Message, { type: T }> {
  return message.type === type;
}

// Messages, with defaults for the fields that a test does not care about.

export function requestVote(parts: Partial<RequestVote> & { term: number }): RequestVote {
  return { type: "RequestVote", lastLogIndex: 1, lastLogTerm: 1, preVote: false, leadershipTransfer: false, ...parts };
}

export function vote(parts: Partial<RequestVoteResponse> & { term: number }): RequestVoteResponse {
  return { type: "RequestVoteResponse", voteGranted: true, preVote: false, ...parts };
}

export function appendEntries(parts: Partial<AppendEntries> & { term: number }): AppendEntries {
  return {
    type: "AppendEntries",
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries: [],
    leaderCommit: 0,
    round: 1,
    ...parts,
  };
}

export function appendedResponse(parts: Partial<AppendEntriesResponse> & { term: number }): AppendEntriesResponse {
  return {
    type: "AppendEntriesResponse",
    success: true,
    matchIndex: 0,
    prevLogIndex: 0,
    conflictIndex: 0,
    conflictTerm: 0,
    round: 0,
    ...parts,
  };
}

export function installSnapshot(
  parts: Partial<InstallSnapshot> & { term: number; snapshot: SnapshotMeta },
): InstallSnapshot {
  return { type: "InstallSnapshot", round: 1, offset: 0, data: new Uint8Array(8), ...parts };
}

export function installResponse(
  parts: Partial<InstallSnapshotResponse> & { term: number; snapshotId: string },
): InstallSnapshotResponse {
  return { type: "InstallSnapshotResponse", round: 0, offset: 0, status: "installed", matchIndex: 0, ...parts };
}

export function timeoutNow(term: number): TimeoutNow {
  return { type: "TimeoutNow", term };
}

/** Delivers the messages between servers until there are none left; every write ends at once. Returns their number. */
export function exchange(...servers: Server[]): number {
  const byId = new Map(servers.map((server) => [server.id, server]));
  let delivered = 0;
  for (let quiet = false; !quiet;) {
    quiet = true;
    for (const server of servers) {
      for (const { to, message } of server.persist().answerEntryReads().messages()) {
        const receiver = byId.get(to);
        if (receiver === undefined) continue;
        quiet = false;
        if (++delivered > 10_000) throw new Error("the servers never stop sending");
        receiver.deliver(server.id, message);
      }
    }
  }
  return delivered;
}
