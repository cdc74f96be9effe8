/**
 * The page's handle of the node in its worker.
 */

import type { AdminCalls, AdminMethod } from "../lib/client/admin_calls.ts";
import type { AdminTransport, ClientTransport } from "../lib/client/client_transport.ts";
import { ClusterAdmin } from "../lib/client/cluster_admin.ts";
import { Coordinator } from "../lib/client/coordinator.ts";
import type { ClientRequestOptions } from "../lib/client/coordinator.ts";
import { closedError, RaftError } from "../lib/errors.ts";
import type { Consistency, NodeStatus, ProposeResult, RaftNodeEventMap, ReadResult } from "../lib/node/types.ts";
import { Pending } from "../lib/pending.ts";
import type { NodeId } from "../lib/raft/types.ts";
import { thisPage, watchLifecycle } from "./page_lifecycle.ts";
import { detailFromClone } from "./protocol.ts";
import type { LifeState } from "./protocol.ts";
import { WorkerPort } from "./worker_port.ts";
import type { WorkerEnd } from "./worker_port.ts";

/** The events of a {@linkcode BrowserNodeHandle}: those of the node, and changes of its state. */
export interface BrowserNodeEventMap extends RaftNodeEventMap {
  /** The state of the node changed. */
  readonly life: LifeState;
}

/** Receives events of one name. Errors that it throws are reported, and have no other effect. */
export type BrowserNodeListener<K extends keyof BrowserNodeEventMap> = (
  event: { readonly type: K; readonly detail: BrowserNodeEventMap[K] },
) => void;

/** Options of {@linkcode connectBrowserNode}. */
export interface ConnectBrowserNodeOptions {
  /** Tell the node when the page is frozen, resumed or left. @default true */
  readonly lifecycle?: boolean;
  /** Ends the wait for the worker. */
  readonly signal?: AbortSignal;
}

/** Options of a request. */
export interface HandleRequestOptions {
  /** Ends the request with `aborted`; its outcome is then unknown. */
  readonly signal?: AbortSignal;
}

/**
 * Connects to the node that `startBrowserNode` starts in `worker`. Resolves once its
 * storage is open. From then on the node follows the page's lifecycle.
 *
 * @throws {RaftError} the error of `startBrowserNode`, such as `locked`; `internal` if the worker's script failed; `aborted`
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

/** A node in a worker, as its page sees it. Created by {@linkcode connectBrowserNode}. */
export class BrowserNodeHandle {
  /** A transport for a Coordinator or ClusterAdmin: endpoints are addresses of nodes, and the worker forwards the calls. */
  readonly client: ClientTransport & AdminTransport;
  /** Resolves once the node takes part. Rejects if it never will. */
  readonly running: Promise<void>;
  readonly #port: WorkerPort;
  readonly #opened: Pending<void>;
  readonly #running = Promise.withResolvers<void>();
  readonly #listeners = new Map<string, Set<AnyListener>>();
  #id = "";
  #address = "";
  #life: LifeState = { life: "starting", reason: "", error: null };
  #leads = false;
  #admin: ClusterAdmin | null = null;
  #coordinator: Coordinator | null = null;
  #local: Coordinator | null = null;
  #unwatch: () => void = () => {};
  #closed: Promise<void> | null = null;

  private constructor(worker: WorkerEnd, signal: AbortSignal | undefined) {
    this.#opened = new Pending({ signals: [signal], outcome: "rejected" });
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
    const { signal, lifecycle = true } = options;
    const handle = new BrowserNodeHandle(worker, signal);
    try {
      await handle.#opened.promise;
    } catch (error) {
      handle.#port.close(error as RaftError);
      throw error;
    }
    const page = lifecycle ? thisPage() : null;
    if (page !== null) handle.#unwatch = watchLifecycle(page, handle.#lifecycle());
    return handle;
  }

  /** The node's name. */
  get id(): NodeId {
    return this.#id;
  }

  /** The node's address for other nodes; an endpoint of {@linkcode BrowserNodeHandle.client}. */
  get address(): string {
    return this.#address;
  }

  /** The state of the node, with the reason. */
  get life(): LifeState {
    return this.#life;
  }

  /** A client of the whole cluster, by way of this node; closed with the handle. */
  get coordinator(): Coordinator {
    return this.#coordinator ??= new Coordinator({ endpoints: [this.#address], transport: this.client });
  }

  /** An operator's client of the whole cluster, by way of this node. */
  get admin(): ClusterAdmin {
    return this.#admin ??= new ClusterAdmin({ endpoints: [this.#address], transport: this.client });
  }

  /** A client of this node alone, for `stale` reads. It finds the leader only if that is this node. */
  get local(): Coordinator {
    const endpointOf = (address: string): string | null => address === this.#address ? address : null;
    return this.#local ??= new Coordinator({ endpoints: [this.#address], transport: this.client, endpointOf });
  }

  /** Carries out a command exactly once, wherever the leader is. @throws {RaftError} see {@linkcode Coordinator.propose} */
  propose(command: Uint8Array, options: ClientRequestOptions = {}): Promise<ProposeResult> {
    return this.coordinator.propose(command, options);
  }

  /** Reads from the state machine: the leader's, or with `stale` this node's. @throws {RaftError} see {@linkcode Coordinator.query} */
  read(
    query: Uint8Array,
    options: ClientRequestOptions & {
      /** @default "linearizable" */
      readonly consistency?: Consistency;
    } = {},
  ): Promise<ReadResult> {
    return (options.consistency === "stale" ? this.local : this.coordinator).read(query, options);
  }

  /** Returns the status of the node; also while it is paused, and after it stopped. @throws {RaftError} if it never started */
  status(options: HandleRequestOptions = {}): Promise<NodeStatus> {
    return this.#port.call("status", { endpoint: "" }, options.signal);
  }

  /** Pauses the node, as if its page were frozen without a warning. */
  async pause(): Promise<void> {
    await this.#port.call("pause", { by: "user" });
  }

  /** Resumes the node. */
  async resume(): Promise<void> {
    await this.#port.call("resume", { by: "user" });
  }

  /** Calls `listener` for each event of this name. The worker sends only events that have a listener. */
  addEventListener<K extends keyof BrowserNodeEventMap>(type: K, listener: BrowserNodeListener<K>): void {
    let listeners = this.#listeners.get(type);
    if (listeners === undefined) {
      this.#listeners.set(type, listeners = new Set());
      if (type !== "life") this.#port.observe(type as keyof RaftNodeEventMap, true);
    }
    listeners.add(listener as AnyListener);
  }

  /** Removes a listener. */
  removeEventListener<K extends keyof BrowserNodeEventMap>(type: K, listener: BrowserNodeListener<K>): void {
    const listeners = this.#listeners.get(type);
    if (listeners?.delete(listener as AnyListener) !== true || listeners.size > 0) return;
    this.#listeners.delete(type);
    if (type !== "life") this.#port.observe(type as keyof RaftNodeEventMap, false);
  }

  /** Closes the node: a leader hands leadership over first. Then its storage is free, and the worker may be terminated. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  /**
   * Releases a worker that was terminated, or is about to be: pending calls end as
   * `closed`, outcome unknown, and the page's lifecycle is no longer watched. A page
   * is not notified of the end of its worker, so without this its calls would wait forever.
   */
  disconnect(): void {
    const error = new RaftError("closed", "the page has released the worker");
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
      this.#port.close(closedError("the node"));
    }
  }

  #lifecycle() {
    const send = (call: Promise<unknown>): void => void call.catch(() => {});
    const sendInTime = (call: Promise<unknown>): void => {
      send(call);
      if (this.#leads) holdUp(HAND_OVER_MS);
    };
    return {
      freeze: () => sendInTime(this.#port.call("pause", { by: "page" })),
      thaw: () => send(this.#port.call("resume", { by: "page" })),
      leave: () => sendInTime(this.#port.call("close", null)),
    };
  }

  #lives(state: LifeState): void {
    this.#life = state;
    const { life, error } = state;
    if (life === "running") this.#running.resolve();
    if (life === "stopped" || life === "closed") {
      const why = error ?? closedError("the node");
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

/** Time for a leader to hand leadership over; most of it passes until the worker is scheduled. */
const HAND_OVER_MS = 50;

/** Blocks: a worker is frozen, or ended, once its page's listeners have returned. The page is no longer visible. */
function holdUp(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

function portClient(port: WorkerPort): ClientTransport & AdminTransport {
  return {
    async propose(endpoint, commands, { signal } = {}) {
      const results = await port.call("propose", { endpoint, commands }, signal);
      return results.map((result) => result.ok ? result : { ok: false, error: RaftError.fromJSON(result.error) });
    },
    read: (endpoint, query, { signal, consistency = "linearizable" } = {}) =>
      port.call("read", { endpoint, query, consistency }, signal),
    status: (endpoint, { signal } = {}) => port.call("status", { endpoint }, signal),
    admin: <Method extends AdminMethod>(
      endpoint: string,
      method: Method,
      request: AdminCalls[Method]["request"],
      { signal }: HandleRequestOptions = {},
    ) => port.call("admin", { endpoint, method, request }, signal) as Promise<AdminCalls[Method]["answer"]>,
  };
}
