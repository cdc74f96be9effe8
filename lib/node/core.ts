/**
 * The loop around one {@linkcode Raft}: inputs of the same turn of the task queue
 * are one batch; writing, sending and applying run in parallel.
 */

import type { Cancel } from "../clock.ts";
import { closedError, RaftError, StorageError } from "../errors.ts";
import type { LeaderHint } from "../errors.ts";
import { Raft } from "../raft/mod.ts";
import type { Effects, NodeId, Refused, Role } from "../raft/types.ts";
import type { Storage } from "../storage.ts";
import { AdminRequests } from "./admin.ts";
import { Applier } from "./applier.ts";
import type { NodeConfig } from "./config.ts";
import type { NodeContext } from "./context.ts";
import { messageOf, notAMember, notLeader, refusal } from "./errors.ts";
import { EventHub } from "./events.ts";
import { LeaderTasks } from "./leader_tasks.ts";
import { Lease } from "./lease.ts";
import { PeerWatch } from "./peer_watch.ts";
import { Removal } from "./removal.ts";
import { LogWriter } from "./log_writer.ts";
import { Messenger } from "./messenger.ts";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";
import { SnapshotReceiver } from "./snapshot_receiver.ts";
import { SnapshotSenders } from "./snapshot_sender.ts";
import { SnapshotTaker } from "./snapshot_taker.ts";
import type { Prepared } from "./startup.ts";
import { describe } from "./status.ts";
import { startTicks } from "./ticker.ts";
import type { Consistency, InFlight, Lifecycle, NodeDiagnostics, NodeStatus, RaftNodeOptions } from "./types.ts";

/** One running node, behind the interface of {@linkcode RaftNode}. */
export class NodeCore implements NodeContext {
  readonly config: NodeConfig;
  readonly raft: Raft;
  readonly storage: Storage;
  readonly events: EventHub;
  readonly proposals: Proposals;
  readonly reads = new Reads();
  readonly lease: Lease;
  readonly admin = new AdminRequests();
  readonly leaderTasks: LeaderTasks;
  readonly taker: SnapshotTaker;
  readonly #address: string;
  readonly #messenger: Messenger;
  readonly #removal: Removal;
  readonly #peerWatch: PeerWatch;
  readonly #logWriter: LogWriter;
  readonly #applier: Applier;
  readonly #senders: SnapshotSenders;
  readonly #receiver: SnapshotReceiver;
  #stopTicks: Cancel = () => {};
  readonly #startedMs: number;
  #lifecycle: Lifecycle = "running";
  #stopError: RaftError | null = null;
  #turnScheduled = false;
  /** The term that this node leads in; 0 if it does not. */
  #ledTerm = 0;
  #reported: { role: Role; term: number; leader: NodeId | null };
  #reportedRemoved: boolean;

  constructor(options: RaftNodeOptions, config: NodeConfig, { identity, state, sequence }: Prepared) {
    const { host } = config;
    this.config = config;
    this.storage = options.storage;
    this.#startedMs = host.clock.monotonicMs();
    const { incarnation } = identity;
    this.raft = new Raft({ ...config, incarnation, seed: Math.floor(host.random() * 2 ** 32) }, state);
    this.#reported = { role: this.raft.role, term: this.raft.term, leader: this.raft.leader };
    this.events = new EventHub((task) => host.enqueue(task));
    this.lease = new Lease(host.clock, config.leaseMs);
    this.proposals = new Proposals(this);
    const { proposals, reads } = this;
    const { transport, address, stateMachine } = options;
    const messenger = this.#messenger = new Messenger(this, {
      transport,
      identity,
      address,
      expectedCluster: options.expectedClusterId ?? "",
    });
    this.#address = address;
    this.#peerWatch = new PeerWatch(this, messenger);
    this.#removal = new Removal(this.raft, config.electionTicks);
    this.#reportedRemoved = this.removed;
    this.leaderTasks = new LeaderTasks(this);
    const advanced = (): void => {
      this.taker.check();
      this.leaderTasks.advanced();
    };
    const applier = this.#applier = new Applier(this, stateMachine, { proposals, reads, advanced });
    const logWriter = this.#logWriter = new LogWriter(this, sequence, { applier, messenger, proposals });
    const taker = this.taker = new SnapshotTaker(this, applier, logWriter, () => this.#receiver.isReceiving);
    this.#senders = new SnapshotSenders(this, { messenger, logWriter });
    this.#receiver = new SnapshotReceiver(this, { applier, logWriter, messenger, taker });
  }

  get lifecycle(): Lifecycle {
    return this.#lifecycle;
  }

  /** The leader and its address; `null` if there is none, this node leads, or its membership does not have the leader. */
  get leaderHint(): LeaderHint | null {
    const id = this.raft.leader;
    if (id === null || id === this.raft.id) return null;
    const hint = this.#messenger.locate(id);
    return hint.address === "" ? null : hint;
  }

  /** Reports whether this node was removed from its cluster, as far as it knows. */
  get removed(): boolean {
    return this.#removal.known(this.#messenger.identity);
  }

  /** Restores the state machine, and begins to receive and to tick. */
  async start(): Promise<void> {
    if (this.raft.snapshot !== null) await this.#applier.restoreNewest();
    this.#logWriter.start();
    await this.#messenger.open();
    this.#stopTicks = startTicks(this.config.host.clock, this.config.tickMs, () => this.#tick());
    this.wake();
  }

  status(): NodeStatus {
    return describe(this.raft, {
      identity: this.#messenger.identity,
      lifecycle: this.#lifecycle,
      removed: this.removed,
      locate: (id) => this.#messenger.locate(id),
      tickMs: this.config.tickMs,
      storageError: this.#logWriter.error ?? (this.#stopError instanceof StorageError ? this.#stopError : null),
      uptimeMs: this.config.host.clock.monotonicMs() - this.#startedMs,
    });
  }

  diagnostics(): NodeDiagnostics {
    const { electionTimeoutMs, heartbeatIntervalMs, tickMs } = this.config;
    const contactMs = this.raft.role === "leader" ? Infinity : this.raft.ticksSinceLeader * tickMs;
    return {
      address: this.#address,
      electionTimeoutMs,
      heartbeatIntervalMs,
      leaderContactMs: contactMs === Infinity ? null : contactMs,
      pendingWriteMs: this.#logWriter.pendingTicks * tickMs,
      refused: this.#messenger.refusedMessages(),
    };
  }

  /** Returns what is under way. */
  inFlight(): InFlight {
    const { proposals, reads, admin, raft } = this;
    return {
      proposals: proposals.count,
      proposalBytes: proposals.bytes,
      uncommittedBytes: raft.uncommittedBytes,
      reads: reads.count,
      readBytes: reads.bytes,
      adminRequests: admin.count,
      snapshotTransfers: this.#senders.count,
      retainedBytes: this.#logWriter.retainedBytes,
    };
  }

  /** Takes note of the status of another node. */
  learn(status: NodeStatus): void {
    this.#removal.learn(status, this.#messenger.identity);
    this.#reportState();
  }

  /** @throws {RaftError} unless the node runs */
  requireRunning(): void {
    if (this.#lifecycle === "running") return;
    if (this.#lifecycle === "closed") throw closedError("the node");
    throw this.#stopped("rejected");
  }

  /** @throws {RaftError} unless this node leads */
  requireLeader(): void {
    if (this.raft.role === "leader") return;
    throw this.removed ? notAMember(this.raft.id) : notLeader(this.leaderHint);
  }

  /** Returns the index at which a read may be served without a round; `null` if a quorum has to confirm it. */
  readableNow(consistency: Consistency): number | null {
    if (consistency === "stale") return 0;
    if (consistency !== "lease" || !this.config.leaseReads || !this.raft.leaseAllowed) return null;
    this.lease.roundConfirmed(this.raft.confirmedRound);
    return this.lease.valid ? this.raft.commitIndex : null;
  }

  wake(): void {
    if (this.#turnScheduled || this.#lifecycle !== "running") return;
    this.#turnScheduled = true;
    this.config.host.enqueue(() => {
      this.#turnScheduled = false;
      this.guard(() => this.#turn());
    });
  }

  guard<T>(run: () => T): T | undefined {
    if (this.#lifecycle !== "running") return undefined;
    try {
      return run();
    } catch (cause) {
      this.stop(new RaftError("internal", `a rule of the protocol is broken: ${messageOf(cause)}`, { cause }));
      return undefined;
    }
  }

  /** Stops the node for good (fail-stop): it neither votes nor acknowledges, and only reports the reason. */
  stop(error: RaftError): void {
    if (this.#lifecycle !== "running") return;
    this.#stopError = error;
    this.raft.stepDown(error.message);
    this.#end("stopped", (outcome) => this.#stopped(outcome));
    void this.#messenger.close();
    this.events.emit("stopped", { error });
  }

  /** Ends the node in order. */
  async close(): Promise<void> {
    if (this.#lifecycle === "running") {
      this.#end("closed", (outcome) => closedError("the node", outcome));
    }
    this.#lifecycle = "closed";
    await this.#messenger.close();
    await this.storage.close();
  }

  #end(lifecycle: Lifecycle, make: (outcome: "rejected" | "unknown") => RaftError): void {
    this.#lifecycle = lifecycle;
    this.#stopTicks();
    this.#senders.stop();
    this.#receiver.stop();
    this.taker.stop(make("rejected"));
    this.#logWriter.end();
    this.#applier.stop(make("rejected"));
    this.proposals.endAll(make);
    this.reads.endAll(() => make("rejected"));
    this.admin.endAll(make);
    this.leaderTasks.end(lifecycle === "stopped" ? make("unknown") : null);
    this.#reportState();
  }

  #stopped(outcome: "rejected" | "unknown"): RaftError {
    return new RaftError("stopped", `the node stopped itself: ${this.#stopError?.message}`, {
      outcome,
      cause: this.#stopError,
      hint: "Look at its log, and restart it.",
    });
  }

  // The turn

  /** Hands queued requests to the core. Called before a request that takes effect at once, to keep the order of calls. */
  submit(): void {
    const explain = (refused: Refused) => refusal(refused, this.leaderHint);
    this.proposals.submit(this.raft, explain);
    this.reads.submit(this.raft, explain);
  }

  #turn(): void {
    this.submit();
    this.#carryOut(this.raft.takeEffects());
    this.#logWriter.writeNext();
    this.#applier.pump();
    this.admin.poll();
    this.leaderTasks.poll();
    this.#reportState();
  }

  #carryOut(effects: Effects): void {
    this.#messenger.update(this.raft.membership, this.raft.leader);
    for (const event of effects.events) this.admin.observe(event);
    this.#observeLeadership();
    if (this.config.leaseReads) {
      // Before the messages are sent: the promises of followers begin no earlier.
      if (effects.roundStarted > 0) this.lease.roundStarted(effects.roundStarted);
      this.lease.roundConfirmed(this.raft.confirmedRound);
    }
    for (const { to, message } of effects.messages) this.#messenger.send(to, message);
    for (const read of effects.entryReads) this.#logWriter.read(read);
    // Answers first: the core may request a peer's next snapshot as soon as it has installed one.
    for (const { from, message } of effects.snapshotResponses) this.#senders.answered(from, message);
    for (const peer of effects.snapshotSends) {
      this.#logWriter.keepFor(peer);
      this.#senders.start(peer);
    }
    for (const { from, message } of effects.snapshotChunks) this.#receiver.received(from, message);
    for (const read of effects.reads) this.reads.confirmed(read);
    for (const id of effects.rejectedReads) this.reads.rejected(id, () => this.#readLost());
    for (const event of effects.events) this.events.emit("raft", event);
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
    this.#messenger.sentIndex = 0;
    this.lease.reset();
  }

  #readLost(): RaftError {
    return new RaftError("leadership_lost", "the node lost its leadership before the read was confirmed", {
      hint: "Ask the new leader.",
    });
  }

  #tick(): void {
    this.guard(() => {
      this.#logWriter.tick();
      this.raft.tick();
      this.#receiver.tick();
      this.proposals.tick();
      this.admin.tick();
      this.#peerWatch.tick();
      this.#removal.tick(this.#messenger.identity);
      this.taker.check();
      this.#reportSizes();
    });
    this.wake();
  }

  #reportSizes(): void {
    this.events.emit("metric", {
      type: "snapshots",
      logBytes: this.taker.logBytes,
      snapshotBytes: this.raft.snapshot?.size ?? 0,
      retainedBytes: this.#logWriter.retainedBytes,
      transfers: this.#senders.count,
      sentBytes: this.#senders.sentBytes,
    });
  }

  /** Reports role, term and leader to observers if they have changed, and whether the node was removed. */
  #reportState(): void {
    const { removed } = this;
    if (removed !== this.#reportedRemoved) this.events.emit("removed", { removed });
    this.#reportedRemoved = removed;
    const role = this.#lifecycle === "running" ? this.raft.role : "follower";
    const leader = this.#lifecycle === "running" ? this.raft.leader : null;
    const { term } = this.raft;
    if (this.#reported.role === role && this.#reported.term === term && this.#reported.leader === leader) return;
    this.#reported = { role, term, leader };
    this.events.emit("state", this.#reported);
  }
}
