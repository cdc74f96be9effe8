/**
 * The interface of one node of a cluster.
 */

import { abortedError, closedError, RaftError } from "../errors.ts";
import { pause } from "../pause.ts";
import { Pending } from "../pending.ts";
import type { Membership, NodeId, SnapshotMeta } from "../raft/types.ts";
import { resolveConfig } from "./config.ts";
import { NodeCore } from "./core.ts";
import { refusal } from "./errors.ts";
import type { RaftNodeEventType, RaftNodeListener } from "./events.ts";
import type { LeaderCallback } from "./leader_tasks.ts";
import { prepare } from "./startup.ts";
import type {
  Consistency,
  InFlight,
  Lifecycle,
  MembershipTarget,
  NodeDiagnostics,
  NodeStatus,
  ProposeResult,
  RaftNodeOptions,
  RaftView,
  ReadResult,
} from "./types.ts";

/** Options of a request. */
export interface RequestOptions {
  /** Aborts the wait. The request may still take effect; see the error's `outcome`. */
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode RaftNode.read}. */
export interface ReadOptions extends RequestOptions {
  /** The consistency of the answer. @default "linearizable" */
  readonly consistency?: Consistency;
}

/** Options of {@linkcode RaftNode.transferLeadership}. */
export interface TransferOptions extends RequestOptions {
  /** The next leader. @default the voter with the longest log */
  readonly to?: NodeId;
}

/**
 * Runs one Raft node against a storage, a transport, a state machine and a clock.
 *
 * Every request ends: with its result, or with a {@linkcode RaftError} whose
 * `outcome` says whether it had no effect (`rejected`) or may have had one
 * (`unknown`). Only a leader accepts proposals, linearizable reads and changes;
 * other nodes reject with `not_leader`, which names the leader, or `no_leader`.
 *
 * A node whose storage or state machine fails stops itself: it no longer votes or
 * acknowledges, and {@linkcode RaftNode.status} has the reason. It must still be
 * closed.
 *
 * @example
 * ```ts
 * import { MemoryNetwork, MemoryStorage, membershipOf, RaftNode } from "./mod.ts";
 *
 * let sum = 0;
 * const bytes = () => new TextEncoder().encode(String(sum));
 * await using node = await RaftNode.start({
 *   id: "n1",
 *   address: "n1",
 *   stateMachine: {
 *     apply: ({ data }) => (sum += data.length, bytes()),
 *     query: () => bytes(),
 *     snapshot: async function* () { yield bytes(); },
 *     restore: async (chunks) => {
 *       let text = "";
 *       for await (const chunk of chunks) text += new TextDecoder().decode(chunk);
 *       sum = Number(text);
 *     },
 *   },
 *   storage: new MemoryStorage(),
 *   transport: new MemoryNetwork().transport("n1"),
 *   bootstrap: {
 *     clusterId: "example",
 *     membership: membershipOf({ voters: [{ id: "n1", address: "n1", incarnation: "" }] }),
 *   },
 * });
 * await node.leadership();
 * await node.propose(new Uint8Array(3));
 * ```
 */
export class RaftNode {
  readonly #core: NodeCore;
  #closing: Promise<void> | null = null;

  private constructor(core: NodeCore) {
    this.#core = core;
  }

  /**
   * Loads the storage, restores the state machine from its newest snapshot, and
   * begins to take part. The node owns storage and transport from here on; if this
   * rejects, they are closed.
   *
   * @throws {RaftError} `invalid_argument` for an option, `identity_mismatch` for the storage of another node or cluster
   * @throws {StorageError} if the storage can't be loaded
   */
  static async start(options: RaftNodeOptions): Promise<RaftNode> {
    const config = resolveConfig(options);
    try {
      const core = new NodeCore(options, config, await prepare(options, () => config.host.random()));
      await core.start();
      return new RaftNode(core);
    } catch (error) {
      await options.transport.close().catch(() => {});
      await options.storage.close().catch(() => {});
      throw error;
    }
  }

  /** This node's name. */
  get id(): NodeId {
    return this.#core.raft.id;
  }

  /** The life of this node: running, stopped by a failure, or closed. */
  get lifecycle(): Lifecycle {
    return this.#core.lifecycle;
  }

  /** Reports whether this node believes to be the leader; another one may have been elected meanwhile. */
  get isLeader(): boolean {
    return this.lifecycle === "running" && this.#core.raft.role === "leader";
  }

  /** The number of events dropped because observers were too slow. */
  get droppedEvents(): number {
    return this.#core.events.dropped;
  }

  /**
   * Proposes a command, and resolves with the state machine's answer once it is
   * committed, durable on this node and applied. Commands that are proposed in
   * the same turn of the task queue are one batch, in order. The bytes are copied.
   *
   * @throws {RaftError} `too_large`, `busy`, `not_leader` or `no_leader` (all `rejected`);
   * `leadership_lost`, `storage`, `stopped`, `closed` or `aborted` with either outcome
   */
  async propose(command: Uint8Array, options: RequestOptions = {}): Promise<Required<ProposeResult>> {
    const core = this.#admit(options.signal);
    core.requireLeader();
    const { maxCommandBytes } = core.config;
    if (command.length > maxCommandBytes) {
      throw new RaftError(
        "too_large",
        `the command has ${command.length} bytes, at most ${maxCommandBytes} are allowed`,
      );
    }
    const proposed = core.proposals.add(command, options.signal);
    core.wake();
    return await proposed;
  }

  /**
   * Queries the state machine.
   *
   * @throws {RaftError} always `rejected`: a read has no effect. `not_leader`, `no_leader`, `busy`,
   * `leadership_lost`, `stopped`, `closed` or `aborted`; or what the state machine threw
   */
  async read(query: Uint8Array, options: ReadOptions = {}): Promise<ReadResult> {
    const core = this.#admit(options.signal);
    const { consistency = "linearizable" } = options;
    if (consistency !== "stale") core.requireLeader();
    const result = core.reads.add(query, core.readableNow(consistency), options.signal);
    core.wake();
    return await result;
  }

  /** Returns the status of this node; also after it has stopped or was closed. */
  status(): NodeStatus {
    return this.#core.status();
  }

  /** Returns the facts beside the status that tell why this node takes part, or does not; also after it has stopped. */
  diagnostics(): NodeDiagnostics {
    return this.#core.diagnostics();
  }

  /** Returns the counts of what is under way; also after the node has stopped. */
  inFlight(): InFlight {
    return this.#core.inFlight();
  }

  /**
   * Takes note of the status of another node. A node that was removed while it was down receives nothing that would
   * say so, but can ask the members that it knows; `removed` of its status then tells. Statuses that say nothing
   * about this node, or are older than its own membership, are ignored.
   */
  learn(status: NodeStatus): void {
    this.#core.learn(status);
  }

  /** Returns a view of the protocol's state, for observers; also after the node has stopped. */
  inspect(): RaftView {
    return this.#core.raft;
  }

  /** Resolves once this node leads and has committed an entry of its term, so that it serves reads and changes. */
  async leadership(options: RequestOptions = {}): Promise<void> {
    const core = this.#admit(options.signal);
    await core.admin.untilLeading(() => core.raft.committedInTerm, options.signal);
  }

  /**
   * Runs `callback` in each leadership of this node, for work that only the leader
   * should do. A call begins once the node leads and its state machine has applied
   * an entry of its own term, and with it everything that earlier leaders
   * acknowledged. There is at most one call per term, and calls never overlap: a
   * leadership that begins while the callback still runs waits until it has
   * returned, and is skipped if it ends before that.
   *
   * The call's `signal` aborts as soon as this node learns that it no longer leads,
   * stops itself, or is being closed. Another leader may exist by then: protect
   * effects outside the cluster with `term`, the fencing token.
   *
   * Resolves when `options.signal` aborts or the node is closed, once a call under
   * way has returned. Rejects with an error thrown by the callback, which is not
   * called again; the node continues to lead, so transfer leadership if another node
   * should try. Errors thrown after the call's signal has aborted are ignored.
   *
   * @example
   * ```ts
   * import type { RaftNode } from "./mod.ts";
   *
   * declare const node: RaftNode;
   * declare function sweep(fencingToken: number): Promise<void>;
   *
   * const quit = new AbortController();
   * await node.whileLeading(async ({ term, signal }) => {
   *   while (!signal.aborted) await sweep(term);
   * }, { signal: quit.signal });
   * ```
   *
   * @throws {RaftError} `stopped` when the node stops itself; `closed` if it was closed before
   */
  async whileLeading(callback: LeaderCallback, options: RequestOptions = {}): Promise<void> {
    await this.#admit(undefined).leaderTasks.run(callback, options.signal);
  }

  /**
   * Changes the membership, and resolves with the new one once it is committed, and
   * a joint configuration on the way has been left. It is not an error if nothing
   * changes. A member keeps its incarnation for as long as it keeps its id, and a
   * learner that lacks more than 1000 entries can't become a voter yet.
   *
   * @throws {RaftError} `membership_change_in_progress`, `not_ready`, `invalid_argument`, `refused`, `not_leader` or
   * `no_leader` (all `rejected`); `leadership_lost`, `stopped`, `closed` or `aborted`, `unknown`
   */
  async changeMembership(change: MembershipTarget, options: RequestOptions = {}): Promise<Membership> {
    const core = this.#admit(options.signal);
    core.requireLeader();
    core.submit();
    const taken = core.raft.changeMembership({ voters: change.voters, learners: change.learners ?? [] });
    if (!taken.ok) {
      if (taken.reason === "unchanged") return core.raft.membership;
      throw refusal(taken, core.leaderHint);
    }
    core.wake();
    return await core.admin.change(taken.index, options.signal);
  }

  /**
   * Hands leadership over, and resolves with the new leader's name once it leads.
   * Meanwhile proposals are refused as `not_ready`.
   *
   * @throws {RaftError} `invalid_argument`, `not_leader`, `no_leader`, or `not_ready` for a voter that does not answer
   * (all `rejected`); `not_ready` if it has not taken over within an election timeout, `leadership_lost`, `stopped`,
   * `closed` or `aborted`, all `unknown`
   */
  async transferLeadership(options: TransferOptions = {}): Promise<NodeId> {
    const core = this.#admit(options.signal);
    core.requireLeader();
    core.submit();
    const taken = core.raft.transferLeadership(options.to ?? null);
    if (!taken.ok) {
      if (taken.reason === "unchanged") return core.raft.id;
      throw refusal(taken, core.leaderHint);
    }
    core.wake();
    // The core gives up after one election timeout, but an election may have begun by then.
    return await core.admin.transfer(taken.to, options.to !== undefined, core.config.electionTicks * 3, options.signal);
  }

  /**
   * Takes a snapshot now, or waits for the one under way, and resolves when it is
   * durable. Returns the newest one if nothing was applied since.
   *
   * @throws {RaftError} `not_ready` if nothing is applied, `busy` if one from the leader comes first; `storage`, `stopped`, `closed`, `aborted`
   */
  async takeSnapshot(options: RequestOptions = {}): Promise<SnapshotMeta> {
    const core = this.#admit(options.signal);
    // A signal ends the wait alone: the snapshot is still taken.
    const pending = new Pending<SnapshotMeta>({ signals: [options.signal] });
    core.taker.take().then((meta) => pending.resolve(meta), (error) => pending.reject(error));
    return await pending.promise;
  }

  /** Calls `listener` in a task of its own for each event of this type; errors that it throws are dropped. */
  addEventListener<K extends RaftNodeEventType>(type: K, listener: RaftNodeListener<K>): void {
    this.#core.events.add(type, listener);
  }

  /** Removes a listener. */
  removeEventListener<K extends RaftNodeEventType>(type: K, listener: RaftNodeListener<K>): void {
    this.#core.events.remove(type, listener);
  }

  /**
   * Closes the node. A leader first hands leadership over and waits for its
   * proposals, for up to two election timeouts in all; other requests are rejected as
   * `closed`. Then transport and storage are closed. If a write hangs, `close` stops
   * waiting for the storage after one more election timeout.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** The same as {@linkcode RaftNode.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const core = this.#core;
    core.leaderTasks.end(null);
    const { clock } = core.config.host;
    const { electionTimeoutMs } = core.config;
    if (core.lifecycle === "running" && core.raft.role === "leader") {
      const deadlineMs = clock.monotonicMs() + 2 * electionTimeoutMs;
      core.submit();
      core.raft.transferLeadership(null);
      core.wake();
      const done = () =>
        core.lifecycle !== "running" || clock.monotonicMs() >= deadlineMs ||
        (core.raft.transferTo === null && core.proposals.count === 0);
      while (!done()) await pause(clock, core.config.tickMs / 4);
    }
    await new Promise<void>((resolve, reject) => {
      const cancel = clock.setTimer(electionTimeoutMs, resolve);
      core.close().then(resolve, reject).finally(cancel);
    });
  }

  #admit(signal: AbortSignal | undefined): NodeCore {
    this.#core.requireRunning();
    if (this.#closing !== null) throw closedError("the node");
    if (signal?.aborted) throw abortedError(signal);
    return this.#core;
  }
}
