/**
 * A page's handle of the node in its worker.
 *
 * @module
 */

import type { ClientTransport } from "../lib/client/client_transport.ts";
import { Coordinator } from "../lib/client/coordinator.ts";
import type { ClientRequestOptions } from "../lib/client/coordinator.ts";
import { RaftError } from "../lib/errors.ts";
import type { Consistency, NodeStatus, ProposeResult, RaftNodeEventMap, ReadResult } from "../lib/node/types.ts";
import type { Membership, NodeId } from "../lib/raft/types.ts";
import { thisPage, watchLifecycle } from "./page_lifecycle.ts";
import { detailFromClone } from "./protocol.ts";
import type { LifeState } from "./protocol.ts";
import { WorkerPort } from "./worker_port.ts";
import type { WorkerEnd } from "./worker_port.ts";

/** The events of a {@linkcode BrowserNodeHandle}: those of the node, and how far it is. */
export interface BrowserNodeEventMap extends RaftNodeEventMap {
  /** How far the node is, and why. */
  readonly life: LifeState;
}

/** Hears of events of one name. What it throws is reported, and stops nothing. */
export type BrowserNodeListener<K extends keyof BrowserNodeEventMap> = (
  event: { readonly type: K; readonly detail: BrowserNodeEventMap[K] },
) => void;

/** Options of {@linkcode connectBrowserNode}. */
export interface ConnectBrowserNodeOptions {
  /** Tell the node when the page is frozen, goes on, or goes away. @default true */
  readonly lifecycle?: boolean;
  /** Gives up waiting for the worker. */
  readonly signal?: AbortSignal;
}

/** Options of a request. */
export interface HandleRequestOptions {
  /** Ends the request with `aborted`; what became of it is then unknown. */
  readonly signal?: AbortSignal;
}

/**
 * Reaches the node that `startBrowserNode` starts in `worker`. Resolves once its
 * storage is open. From then on the node hears of the page's lifecycle.
 *
 * @throws {RaftError} what `startBrowserNode` threw there, such as `locked`; `internal` if the worker's script failed; `aborted`
 *
 * @example
 * ```ts
 * import { connectBrowserNode } from "./browser/mod.ts";
 * import { KeyValueClient } from "./mod.ts";
 *
 * const worker = new Worker(new URL("./my_worker.js", import.meta.url), { type: "module" });
 * const node = await connectBrowserNode(worker);
 * const notes = new KeyValueClient(node.coordinator);
 * await notes.put("greeting", "hello");
 * ```
 */
export function connectBrowserNode(
  worker: WorkerEnd,
  options: ConnectBrowserNodeOptions = {},
): Promise<BrowserNodeHandle> {
  return BrowserNodeHandle.connect(worker, options);
}

type AnyListener = (event: { readonly type: string; readonly detail: unknown }) => void;

/** A node in a worker, as its page has it. Made by {@linkcode connectBrowserNode}. */
export class BrowserNodeHandle {
  /** For a Coordinator: its endpoints are addresses of nodes, and the worker passes its calls on. */
  readonly client: ClientTransport;
  /** Resolves once the node takes part. Rejects if it never will. */
  readonly running: Promise<void>;
  readonly #port: WorkerPort;
  readonly #opened = Promise.withResolvers<void>();
  readonly #running = Promise.withResolvers<void>();
  readonly #listeners = new Map<string, Set<AnyListener>>();
  #id = "";
  #address = "";
  #life: LifeState = { life: "starting", reason: "", error: null };
  #leads = false;
  #coordinator: Coordinator | null = null;
  #local: Coordinator | null = null;
  #unwatch: () => void = () => {};
  #closed: Promise<void> | null = null;

  private constructor(worker: WorkerEnd) {
    this.running = this.#running.promise;
    this.running.catch(() => {});
    this.#opened.promise.catch(() => {});
    this.#port = new WorkerPort(worker, {
      opened: ({ id, address }) => {
        this.#id = id;
        this.#address = address;
        this.#opened.resolve();
      },
      life: ({ life, reason, error }) => this.#lives({ life, reason, error: error && RaftError.fromJSON(error) }),
      leads: (leads) => this.#leads = leads,
      event: (event, detail) => this.#dispatch(event, detailFromClone(event, detail)),
      failed: (error) => this.#opened.reject(error),
    });
    this.client = portClient(this.#port);
  }

  /**
   * See {@linkcode connectBrowserNode}.
   *
   * @internal
   */
  static async connect(worker: WorkerEnd, options: ConnectBrowserNodeOptions): Promise<BrowserNodeHandle> {
    const handle = new BrowserNodeHandle(worker);
    const { signal, lifecycle = true } = options;
    const onAbort = (): void =>
      handle.#opened.reject(new RaftError("aborted", "the worker has not answered yet", { cause: signal?.reason }));
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort);
    try {
      await handle.#opened.promise;
    } catch (error) {
      handle.#port.close(error as RaftError);
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
    const page = lifecycle ? thisPage() : null;
    if (page !== null) handle.#unwatch = watchLifecycle(page, handle.#lifecycle());
    return handle;
  }

  /** The node's name. */
  get id(): NodeId {
    return this.#id;
  }

  /** Where others reach it; an endpoint of {@linkcode BrowserNodeHandle.client}. */
  get address(): string {
    return this.#address;
  }

  /** How far the node is, and why. */
  get life(): LifeState {
    return this.#life;
  }

  /** A client of the whole cluster, by way of this node; closed with the handle. */
  get coordinator(): Coordinator {
    return this.#coordinator ??= new Coordinator({ endpoints: [this.#address], transport: this.client });
  }

  /** A client of this node alone: for `stale` reads of what it has. It finds the leader only if that is this node. */
  get local(): Coordinator {
    const endpointOf = (address: string): string | null => address === this.#address ? address : null;
    return this.#local ??= new Coordinator({ endpoints: [this.#address], transport: this.client, endpointOf });
  }

  /** Has a command carried out once, wherever the leader is. @throws {RaftError} see {@linkcode Coordinator.propose} */
  propose(command: Uint8Array, options: ClientRequestOptions = {}): Promise<ProposeResult> {
    return this.coordinator.propose(command, options);
  }

  /** Asks the state machine: the leader's, or with `stale` this node's. @throws {RaftError} see {@linkcode Coordinator.query} */
  read(
    query: Uint8Array,
    options: ClientRequestOptions & {
      /** @default "linearizable" */
      readonly consistency?: Consistency;
    } = {},
  ): Promise<ReadResult> {
    return (options.consistency === "stale" ? this.local : this.coordinator).read(query, options);
  }

  /** The node's account of itself; also while it is paused, and after it stopped. @throws {RaftError} if it never was */
  status(options: HandleRequestOptions = {}): Promise<NodeStatus> {
    return this.#port.call("status", { endpoint: "" }, options.signal);
  }

  /** Adds a node with an empty storage: a learner, or a voter once it has caught up. Any node passes it on to the leader. */
  addMember(
    member: { readonly id: NodeId; readonly address: string; readonly learner?: boolean },
    options: HandleRequestOptions = {},
  ): Promise<Membership> {
    const { id, address, learner = false } = member;
    return this.#port.call("addMember", { id, address, learner }, options.signal);
  }

  /** Makes a learner that has caught up a voter. */
  promoteMember(id: NodeId, options: HandleRequestOptions = {}): Promise<Membership> {
    return this.#port.call("promoteMember", { id }, options.signal);
  }

  /** Takes a node out, unless the rest could not form a quorum. */
  removeMember(id: NodeId, options: HandleRequestOptions = {}): Promise<Membership> {
    return this.#port.call("removeMember", { id }, options.signal);
  }

  /** Has the leader hand leadership over; to the most up-to-date voter unless told otherwise. Resolves with who leads then. */
  transferLeadership(options: HandleRequestOptions & { readonly to?: NodeId } = {}): Promise<NodeId> {
    return this.#port.call("transferLeadership", { to: options.to ?? null }, options.signal);
  }

  /** Has this node take a snapshot. */
  takeSnapshot(options: HandleRequestOptions = {}): Promise<{ readonly index: number }> {
    return this.#port.call("takeSnapshot", null, options.signal);
  }

  /** Lets the node stand still, as if its page were frozen without a warning. */
  async pause(): Promise<void> {
    await this.#port.call("pause", { by: "user" });
  }

  /** Lets it go on. */
  async resume(): Promise<void> {
    await this.#port.call("resume", { by: "user" });
  }

  /** Calls `listener` for each event of this name. The worker sends those that somebody listens to. */
  addEventListener<K extends keyof BrowserNodeEventMap>(type: K, listener: BrowserNodeListener<K>): void {
    let listeners = this.#listeners.get(type);
    if (listeners === undefined) {
      this.#listeners.set(type, listeners = new Set());
      if (type !== "life") this.#port.observe(type as keyof RaftNodeEventMap, true);
    }
    listeners.add(listener as AnyListener);
  }

  /** Takes {@linkcode BrowserNodeHandle.addEventListener} back. */
  removeEventListener<K extends keyof BrowserNodeEventMap>(type: K, listener: BrowserNodeListener<K>): void {
    const listeners = this.#listeners.get(type);
    if (listeners?.delete(listener as AnyListener) !== true || listeners.size > 0) return;
    this.#listeners.delete(type);
    if (type !== "life") this.#port.observe(type as keyof RaftNodeEventMap, false);
  }

  /** Closes the node: a leader hands leadership over first. Its storage is free then, and the worker may be terminated. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  /**
   * Lets go of a worker that was terminated, or is about to be: what waits ends as
   * `closed`, its outcome unknown, and the page's lifecycle is no matter any more.
   * A page is not told that its worker has ended, so without this its calls would wait forever.
   */
  disconnect(): void {
    const error = new RaftError("closed", "the page has let go of the worker");
    this.#unwatch();
    this.#port.close(error);
    this.#running.reject(error);
    for (const client of [this.#coordinator, this.#local]) void client?.close().catch(() => {});
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#unwatch();
    await this.#coordinator?.close();
    await this.#local?.close();
    try {
      await this.#port.call("close", null);
    } finally {
      this.#port.close(new RaftError("closed", "the node was closed"));
    }
  }

  #lifecycle() {
    const tell = (call: Promise<unknown>): void => void call.catch(() => {});
    const tellInTime = (call: Promise<unknown>): void => {
      tell(call);
      if (this.#leads) holdUp(HAND_OVER_MS);
    };
    return {
      freeze: () => tellInTime(this.#port.call("pause", { by: "page" })),
      thaw: () => tell(this.#port.call("resume", { by: "page" })),
      leave: () => tellInTime(this.#port.call("close", null)),
    };
  }

  #lives(state: LifeState): void {
    this.#life = state;
    const { life, error } = state;
    if (life === "running") this.#running.resolve();
    if (life === "stopped" || life === "closed") {
      const why = error ?? new RaftError("closed", "the node was closed");
      this.#running.reject(why);
      this.#opened.reject(why);
    }
    this.#dispatch("life", state);
  }

  #dispatch(type: string, detail: unknown): void {
    for (const listener of [...this.#listeners.get(type) ?? []]) {
      try {
        listener({ type, detail });
      } catch (error) {
        reportError(error);
      }
    }
  }
}

/** What a leader needs to tell another to take over; most of it is for the worker to get its turn. */
const HAND_OVER_MS = 50;

/** A worker is frozen, or ended, once its page's listeners have returned. Nobody looks at the page any more. */
function holdUp(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

function portClient(port: WorkerPort): ClientTransport {
  return {
    async propose(endpoint, commands, { signal } = {}) {
      const results = await port.call("propose", { endpoint, commands }, signal);
      return results.map((result) => result.ok ? result : { ok: false, error: RaftError.fromJSON(result.error) });
    },
    read: (endpoint, query, { signal, consistency = "linearizable" } = {}) =>
      port.call("read", { endpoint, query, consistency }, signal),
    status: (endpoint, { signal } = {}) => port.call("status", { endpoint }, signal),
  };
}
