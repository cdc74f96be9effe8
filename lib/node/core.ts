/**
 * The loop around one {@linkcode Raft}: what arrives in the same turn of the task
 * queue is one batch; writing, sending and applying go on side by side.
 *
 * @module
 */

import { RaftError, StorageError } from "../errors.ts";
import type { LeaderHint } from "../errors.ts";
import { Raft } from "../raft/mod.ts";
import type { Effects, Message, NodeId, Refused, Role, SnapshotMeta } from "../raft/types.ts";
import type { Identity, Storage } from "../storage.ts";
import { AdminRequests } from "./admin.ts";
import { Applier } from "./applier.ts";
import type { NodeConfig } from "./config.ts";
import { asStorageError, Disk } from "./disk.ts";
import { notLeader, refusal } from "./errors.ts";
import { EventHub } from "./events.ts";
import { Lease } from "./lease.ts";
import { Post } from "./post.ts";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";
import { SnapshotReceiver } from "./snapshot_receiver.ts";
import { SnapshotSenders } from "./snapshot_sender.ts";
import { SnapshotTaker } from "./snapshot_taker.ts";
import type { Prepared } from "./startup.ts";
import { describe } from "./status.ts";
import { Ticker } from "./ticker.ts";
import type { Consistency, Lifecycle, NodeStatus, RaftNodeOptions } from "./types.ts";

/** One running node, without the conveniences of its face. */
export class NodeCore {
  readonly config: NodeConfig;
  readonly raft: Raft;
  readonly events: EventHub;
  readonly proposals: Proposals;
  readonly reads: Reads;
  readonly lease: Lease;
  readonly admin = new AdminRequests();
  readonly taker: SnapshotTaker;
  readonly #storage: Storage;
  readonly #post: Post;
  readonly #disk: Disk;
  readonly #applier: Applier;
  readonly #senders: SnapshotSenders;
  readonly #receiver: SnapshotReceiver;
  readonly #ticker: Ticker;
  readonly #startedMs: number;
  #lifecycle: Lifecycle = "running";
  #stopError: RaftError | null = null;
  #turnScheduled = false;
  /** The term that this node leads in; 0 if it does not. */
  #ledTerm = 0;
  /** The last entry that has left in this leadership. */
  #sentIndex = 0;
  #told: { role: Role; term: number; leader: NodeId | null };

  constructor(options: RaftNodeOptions, config: NodeConfig, prepared: Prepared) {
    const { host } = config;
    this.config = config;
    this.#storage = options.storage;
    this.#startedMs = host.clock.monotonicMs();
    const { incarnation } = prepared.identity;
    this.raft = new Raft({ ...config, incarnation, seed: Math.floor(host.random() * 2 ** 32) }, prepared.state);
    this.#told = { role: this.raft.role, term: this.raft.term, leader: this.raft.leader };
    this.events = new EventHub((task) => host.enqueue(task));
    this.lease = new Lease(host.clock, config.leaseMs);
    this.reads = new Reads();
    this.proposals = new Proposals({
      clock: host.clock,
      maxBytes: config.maxUncommittedBytes,
      graceMs: config.electionTimeoutMs,
      report: (durationMs, ok) => this.events.emit("metric", { type: "proposal", durationMs, ok }),
    });
    this.#post = this.#makePost(options, prepared.identity);
    this.#disk = this.#makeDisk(prepared.sequence);
    this.#applier = this.#makeApplier(options);
    this.taker = this.#makeTaker();
    this.#senders = this.#makeSenders();
    this.#receiver = this.#makeReceiver();
    this.#ticker = new Ticker(host.clock, config.tickMs, () => this.#tick());
  }

  get lifecycle(): Lifecycle {
    return this.#lifecycle;
  }

  /** Where the leader is, if one is known. */
  get leaderHint(): LeaderHint | null {
    const id = this.raft.leader;
    if (id === null || id === this.raft.id) return null;
    return this.#post.locate(id);
  }

  /** Restores the state machine, and begins to listen and to tick. */
  async start(): Promise<void> {
    if (this.raft.snapshot !== null) await this.#applier.restoreNewest();
    await this.#post.open();
    this.#ticker.start();
    this.wake();
  }

  status(): NodeStatus {
    return describe(this.raft, {
      identity: this.#post.identity,
      lifecycle: this.#lifecycle,
      locate: (id) => this.#post.locate(id),
      tickMs: this.config.tickMs,
      storageError: this.#disk.error,
      uptimeMs: this.config.host.clock.monotonicMs() - this.#startedMs,
    });
  }

  /** @throws {RaftError} unless the node runs */
  requireRunning(): void {
    if (this.#lifecycle === "running") return;
    if (this.#lifecycle === "closed") throw new RaftError("closed", "the node is closed");
    throw this.#stopped("rejected");
  }

  /** @throws {RaftError} unless this node leads */
  requireLeader(): void {
    if (this.raft.role !== "leader") throw notLeader(this.leaderHint);
  }

  /** Where a read may be served without asking anybody; `null` if a quorum has to confirm it. */
  readableNow(consistency: Consistency): number | null {
    if (consistency === "stale") return 0;
    if (consistency !== "lease" || !this.config.leaseReads || !this.raft.leaseAllowed) return null;
    this.lease.roundConfirmed(this.raft.confirmedRound);
    return this.lease.valid ? this.raft.commitIndex : null;
  }

  /** Plans a turn of the loop. */
  wake(): void {
    if (this.#turnScheduled || this.#lifecycle !== "running") return;
    this.#turnScheduled = true;
    this.config.host.enqueue(() => {
      this.#turnScheduled = false;
      this.guard(() => this.#turn());
    });
  }

  /** Runs a piece of the core; an invariant that does not hold stops the node. */
  guard(run: () => void): void {
    if (this.#lifecycle !== "running") return;
    try {
      run();
    } catch (cause) {
      this.stop(new RaftError("internal", `a rule of the protocol is broken: ${messageOf(cause)}`, { cause }));
    }
  }

  /** Fail-stop: no vote, no acknowledgement, nothing but an account of why. */
  stop(error: RaftError): void {
    if (this.#lifecycle !== "running") return;
    this.#stopError = error;
    this.raft.stepDown(error.message);
    this.#end("stopped", (outcome) => this.#stopped(outcome));
    void this.#post.close();
    this.events.emit("stopped", { error });
  }

  /** The end that was asked for. */
  async close(): Promise<void> {
    if (this.#lifecycle === "running") {
      this.#end("closed", (outcome) => new RaftError("closed", "the node was closed", { outcome }));
    }
    this.#lifecycle = "closed";
    await this.#post.close();
    await this.#storage.close();
  }

  #end(lifecycle: Lifecycle, make: (outcome: "rejected" | "unknown") => RaftError): void {
    this.#lifecycle = lifecycle;
    this.#ticker.stop();
    this.#senders.stop();
    this.#receiver.stop();
    this.taker.stop(make("rejected"));
    this.#disk.end(make("rejected"));
    this.#applier.stop(make("rejected"));
    this.proposals.endAll(make);
    this.reads.endAll(() => make("rejected"));
    this.admin.endAll(make);
    this.#tellState();
  }

  #stopped(outcome: "rejected" | "unknown"): RaftError {
    return new RaftError("stopped", `the node stopped itself: ${this.#stopError?.message}`, {
      outcome,
      cause: this.#stopError,
      hint: "Look at its log, and restart it.",
    });
  }

  // The turn

  /** Hands over what was asked so far; before a request that takes effect at once, to keep the order of calls. */
  submit(): void {
    const explain = (refused: Refused) => refusal(refused, this.leaderHint);
    this.proposals.submit(this.raft, explain);
    this.reads.submit(this.raft, explain);
  }

  #turn(): void {
    this.submit();
    this.#carryOut(this.raft.takeEffects());
    this.#disk.writeNext();
    this.#applier.pump();
    this.admin.look();
    this.#tellState();
  }

  #carryOut(effects: Effects): void {
    this.#post.update(this.raft.membership);
    for (const event of effects.events) this.admin.observe(event);
    this.#observeLeadership();
    if (this.config.leaseReads) {
      // Before the messages leave: a follower's patience begins no earlier.
      if (effects.roundStarted > 0) this.lease.roundStarted(effects.roundStarted);
      this.lease.roundConfirmed(this.raft.confirmedRound);
    }
    for (const { to, message } of effects.messages) this.#send(to, message);
    for (const read of effects.entryReads) this.#disk.read(read);
    // First what ended, then what begins: the core may ask for a peer's next snapshot as soon as it has installed one.
    for (const { from, message } of effects.snapshotResponses) this.#senders.answered(from, message);
    for (const peer of effects.snapshotSends) this.#senders.start(peer);
    for (const { from, message } of effects.snapshotChunks) this.#receiver.received(from, message);
    for (const read of effects.reads) this.reads.confirmed(read);
    for (const id of effects.rejectedReads) this.reads.rejected(id, () => this.#readLost());
    if (this.events.has("raft")) { for (const event of effects.events) this.events.emit("raft", event); }
  }

  #observeLeadership(): void {
    const ledTerm = this.raft.role === "leader" ? this.raft.term : 0;
    if (ledTerm === this.#ledTerm) return;
    if (this.#ledTerm !== 0) {
      this.proposals.orphan();
      this.admin.lostLeadership();
      this.#senders.stop();
    }
    this.#ledTerm = ledTerm;
    this.#sentIndex = 0;
    this.lease.reset();
  }

  #send(to: NodeId, message: Message): void {
    if (message.type === "AppendEntries") {
      this.#sentIndex = Math.max(this.#sentIndex, message.prevLogIndex + message.entries.length);
    }
    this.#post.send(to, message);
  }

  #readLost(): RaftError {
    return new RaftError("leadership_lost", "the node lost its leadership before the read was confirmed", {
      hint: "Ask the new leader.",
    });
  }

  #tick(): void {
    this.guard(() => {
      this.#disk.tick();
      this.raft.tick();
      this.proposals.tick();
      this.admin.tick();
      this.taker.check();
    });
    this.wake();
  }

  /** Tells of role, term and leader as they are, if they are not as last told. */
  #tellState(): void {
    const role = this.#lifecycle === "running" ? this.raft.role : "follower";
    const leader = this.#lifecycle === "running" ? this.raft.leader : null;
    const { term } = this.raft;
    if (this.#told.role === role && this.#told.term === term && this.#told.leader === leader) return;
    this.#told = { role, term, leader };
    this.events.emit("state", this.#told);
  }

  // The parts

  #makePost(options: RaftNodeOptions, identity: Identity): Post {
    return new Post({
      transport: options.transport,
      storage: options.storage,
      identity,
      address: options.address,
      membership: this.raft.membership,
      leaderless: () => this.raft.leader === null,
      deliver: (from, message) => {
        this.guard(() => this.raft.step(from, message));
        this.wake();
      },
      refused: (from, reason) => this.events.emit("refused", { from, reason }),
      failed: (cause) => {
        this.#disk.tell(cause, "stopped");
        this.stop(asStorageError(cause));
      },
    });
  }

  #makeDisk(sequence: number): Disk {
    return new Disk({
      storage: this.#storage,
      raft: this.raft,
      config: this.config,
      events: this.events,
      sequence,
      sentIndex: () => this.#sentIndex,
      installed: (meta) => this.#applier.restoreDurable(meta),
      endProposals: (make, rejectedAfter) => this.proposals.endAll(make, rejectedAfter),
      stop: (error) => this.stop(error),
      guard: (run) => this.guard(run),
      wake: () => this.wake(),
    });
  }

  #makeApplier(options: RaftNodeOptions): Applier {
    return new Applier({
      stateMachine: options.stateMachine,
      storage: options.storage,
      source: this.raft,
      reads: this.reads,
      host: this.config.host,
      listener: {
        applied: (entry, result) => this.proposals.applied(entry, result),
        advanced: (index, entries, durationMs) => this.#advanced(index, entries, durationMs),
        restored: (meta) => this.#restored(meta),
        failed: (cause) =>
          this.stop(
            cause instanceof StorageError
              ? cause
              : new RaftError("internal", `the state machine failed: ${messageOf(cause)}`, { cause }),
          ),
      },
    });
  }

  #advanced(index: number, entries: number, durationMs: number): void {
    this.raft.applied(index);
    if (this.events.has("applied")) this.events.emit("applied", { index });
    if (this.events.has("metric")) this.events.emit("metric", { type: "apply", durationMs, entries });
    this.taker.check();
  }

  #restored(meta: SnapshotMeta): void {
    this.raft.applied(meta.index);
    this.proposals.endOrphans();
    this.events.emit("snapshot", { index: meta.index, size: meta.size, reason: "installed" });
    this.wake();
  }

  #makeTaker(): SnapshotTaker {
    return new SnapshotTaker({
      host: this.config.host,
      storage: this.#storage,
      applier: this.#applier,
      everyEntries: this.config.snapshotEntries,
      everyBytes: this.config.snapshotBytes,
      retryMs: this.config.electionTimeoutMs,
      newest: () => this.raft.snapshot,
      persist: (job) => this.#disk.writeSnapshot(job),
      taken: (meta) =>
        this.guard(() => {
          this.raft.snapshotTaken(meta);
          this.#disk.compactBehind(meta);
          this.events.emit("snapshot", { index: meta.index, size: meta.size, reason: "taken" });
        }),
      failed: (error) => this.#disk.failedBeside(error),
    });
  }

  #makeSenders(): SnapshotSenders {
    return new SnapshotSenders({
      host: this.config.host,
      storage: this.#storage,
      source: this.raft,
      chunkBytes: this.config.snapshotChunkBytes,
      bytesPerSecond: this.config.snapshotBytesPerSecond,
      resendMs: this.config.electionTimeoutMs,
      send: (to, message) => this.#send(to, message),
      failed: (error) => this.#disk.failedBeside(error),
      wake: () => this.wake(),
    });
  }

  #makeReceiver(): SnapshotReceiver {
    return new SnapshotReceiver({
      storage: this.#storage,
      target: this.raft,
      installing: (meta) => this.#applier.expectRestore(meta),
      failed: (error) => this.#disk.failedBeside(error),
      wake: () => this.wake(),
    });
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
