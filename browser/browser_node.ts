/**
 * A node in a worker: what the worker's own script starts.
 */

import { DirectClientTransport } from "../lib/client/direct.ts";
import type { AdminCalls as Calls, AdminMethod } from "../lib/client/admin_calls.ts";
import type { AdminTransport, ClientTransport } from "../lib/client/client_transport.ts";
import { closedError, RaftError } from "../lib/errors.ts";
import { systemHost } from "../lib/host.ts";
import type { RaftNode } from "../lib/node/mod.ts";
import type { NodeStatus, RaftNodeEventMap } from "../lib/node/types.ts";
import type { NodeId } from "../lib/raft/types.ts";
import { Admin } from "../hosting/admin.ts";
import { AdminCalls } from "../hosting/admin_calls.ts";
import { DeferredTransport } from "../hosting/deferred_transport.ts";
import { openStorage, startNode } from "../hosting/node_host.ts";
import type { OpenedStorage } from "../hosting/node_host.ts";
import type { ServedNode } from "../hosting/served_node.ts";
import { tabCalls } from "../transport/packet/methods.ts";
import type { TabTransport } from "../transport/tab/mod.ts";
import { ANONYMOUS, askIdentity } from "../transport/wire/identity.ts";
import { BROWSER_HINTS } from "./hints.ts";
import { join } from "./joining.ts";
import { nodeMethods } from "./node_methods.ts";
import { checkOptions, firstMembers, joinThrough, nodePlace, workerScope } from "./options.ts";
import type { BrowserNodeOptions } from "./options.ts";
import { PageLink } from "./page_link.ts";
import type { CallTable } from "./page_link.ts";
import { PausableHost } from "./pausable_host.ts";
import type { Life, LifeState, Pauser } from "./protocol.ts";
import { paused, starting, watchStanding } from "./standing.ts";

/** A node in this worker. */
export interface BrowserNode {
  /** The node's name. */
  readonly id: NodeId;
  /** The address at which other nodes reach it. */
  readonly address: string;
  /** The state of the node, with the reason. */
  readonly life: LifeState;
  /** Resolves with the node once it takes part: all nodes were reached, or it was added. Rejects if it never will. */
  readonly running: Promise<RaftNode>;
  /** Returns the status of the node. */
  status(): NodeStatus;
  /**
   * Pauses it: it neither receives nor sends, and its timers wait. With
   * `handOver` a leader tries to hand leadership over first.
   */
  pause(options?: { readonly handOver?: boolean }): Promise<void>;
  /** Resumes it. */
  resume(): void;
  /** Hands leadership over, then closes the node, its transport and its storage. */
  close(): Promise<void>;
  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a node in this worker, and lets the page that created the worker reach
 * it by {@linkcode connectBrowserNode}. Resolves once its storage is open.
 *
 * @throws {RaftError} `locked` if another tab has the node open, `damaged`, `unsupported_version` or `identity_mismatch` for the storage;
 * `refused` if another node has the same address; `invalid_argument` for the options, or if the storage is empty and
 * neither `bootstrap` nor `join` says how to begin. The page receives the same error
 *
 * @example
 * ```ts
 * import { startBrowserNode } from "./browser/mod.ts";
 * import { KeyValue } from "./mod.ts";
 * import { createIndexedDbStorage } from "./storage/indexeddb/mod.ts";
 * import { BroadcastChannelTransport } from "./transport/tab/mod.ts";
 *
 * await startBrowserNode({
 *   clusterId: "notes",
 *   id: "n1",
 *   storage: createIndexedDbStorage,
 *   transport: (place) => new BroadcastChannelTransport(place),
 *   stateMachine: new KeyValue(),
 *   bootstrap: { members: ["n1", "n2", "n3"] },
 * });
 * ```
 */
export async function startBrowserNode(options: BrowserNodeOptions): Promise<BrowserNode> {
  const node = new WorkerNode(options);
  await node.open();
  return node;
}

/** The storage and the transport, once they are open. */
interface Opened extends OpenedStorage {
  readonly transport: TabTransport;
  readonly deferred: DeferredTransport;
}

/** Closes everything, and ignores failures. */
async function closeQuietly(...opened: readonly ({ close(): Promise<void> } | null)[]): Promise<void> {
  for (const one of opened) await one?.close().catch(() => {});
}

class WorkerNode implements BrowserNode {
  readonly id: NodeId;
  address = "";
  readonly running: Promise<RaftNode>;
  readonly #options: BrowserNodeOptions;
  readonly #host: PausableHost;
  readonly #page: PageLink | null;
  readonly #pausers = new Set<Pauser>();
  readonly #closing = new AbortController();
  readonly #stopped = new AbortController();
  readonly #running = Promise.withResolvers<RaftNode>();
  readonly #observers = new Set<(node: RaftNode) => void>();
  #state: LifeState = { life: "starting", reason: "", error: null };
  #opened: Opened | null = null;
  #served: { readonly node: ServedNode; readonly admin: AdminCalls } | null = null;
  #node: RaftNode | null = null;
  #standing: () => string | undefined = () => undefined;
  #started: Promise<void> = Promise.resolve();
  #closed: Promise<void> | null = null;

  constructor(options: BrowserNodeOptions) {
    this.id = options.id;
    this.#options = options;
    this.#host = new PausableHost(options.host ?? systemHost());
    this.running = this.#running.promise;
    this.running.catch(() => {});
    const end = options.page === undefined ? workerScope() : options.page;
    const observe = this.#observe.bind(this);
    this.#page = end === null ? null : new PageLink({ end, calls: this.#calls(), observe });
    this.#live("starting");
  }

  get life(): LifeState {
    if (!this.#host.paused || this.#state.life === "stopped" || this.#state.life === "closed") return this.#state;
    return { life: "paused", reason: "the node is paused", error: null };
  }

  /** Opens storage and transport, then lets the node start in the background. */
  async open(): Promise<void> {
    const { storage, transport: givenTransport, bootstrap, join } = this.#options;
    let opened: OpenedStorage | null = null;
    let deferred: DeferredTransport | null = null;
    try {
      checkOptions(this.#options);
      const place = nodePlace(this.#options, (error) => this.#lost(error));
      opened = await openStorage(typeof storage === "function" ? storage(place) : storage, {
        id: this.id,
        place: "the storage",
        mayBeEmpty: bootstrap !== undefined || join !== undefined,
        hints: BROWSER_HINTS,
      });
      const transport = typeof givenTransport === "function" ? givenTransport(place) : givenTransport;
      this.address = transport.address;
      deferred = new DeferredTransport(transport, () => this.#host.paused);
      this.#opened = { ...opened, transport, deferred };
      if (opened.empty) this.#serve(opened.waiting);
      else transport.serve(() => Promise.reject(starting()));
      await deferred.open();
      if (this.#state.error !== null) throw this.#state.error;
      this.#page?.opened(this.id, this.address);
      this.#started = this.#start(this.#opened);
    } catch (error) {
      await closeQuietly(deferred, opened?.storage ?? null);
      this.#stop(error);
      throw error;
    }
  }

  status(): NodeStatus {
    return this.#requireServed().node.status();
  }

  pause(options: { readonly handOver?: boolean } = {}): Promise<void> {
    return this.#pause("user", options.handOver === true);
  }

  resume(): void {
    this.#resume("user");
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Starts a node that takes part. Never rejects: a failure stops the node. */
  async #start(opened: Opened): Promise<void> {
    const { storage, empty, deferred, transport } = opened;
    try {
      const node = await this.#startNode(opened);
      const refused = await this.#join(node, transport, empty);
      if (node.lifecycle === "running") this.#runs(node, opened, refused);
      this.#running.resolve(node);
    } catch (error) {
      if (this.#node === null) await closeQuietly(deferred, storage);
      else await closeQuietly(this.#node);
      this.#stop(this.#closing.signal.aborted ? closedError("the node") : error);
    }
  }

  async #startNode(opened: Opened): Promise<RaftNode> {
    const { bootstrap: _bootstrap, join, ...options } = this.#options;
    const { waiting, deferred, transport } = opened;
    const node = await startNode({
      opened,
      node: { ...options, address: this.address, transport: deferred, host: this.#host },
      peers: join === undefined && opened.empty ? firstMembers(this.#options) : null,
      hints: BROWSER_HINTS,
      identify: (address, caller, signal) => askIdentity(tabCalls(transport, address, { signal }), caller),
      waiting: (missing) => this.#live("waiting", missing === null ? "the cluster has not started" : waiting.reason()),
      signal: this.#closing.signal,
    });
    this.#node = node;
    node.addEventListener("stopped", ({ detail }) => this.#stop(detail.error));
    node.addEventListener("state", ({ detail }) => this.#page?.leads(detail.role === "leader"));
    for (const attach of this.#observers) attach(node);
    this.#serve(node);
    return node;
  }

  /** Tells that the node runs, and from then on the reason why it takes no part, if there is one; else `refused`. */
  #runs(node: RaftNode, { transport: { client }, loaded }: Opened, refused: string): void {
    this.#live("running", refused);
    this.#standing = watchStanding({
      node,
      client,
      loaded,
      address: this.address,
      clock: this.#host.clock,
      electionTimeoutMs: this.#options.electionTimeoutMs ?? 1000,
      signal: AbortSignal.any([this.#closing.signal, this.#stopped.signal]),
      tell: (reason) => this.#live("running", reason || refused),
    });
  }

  /** Joins the cluster, if configured. Returns the reason if the node is a member, but not the kind that it wants to be. */
  async #join(node: RaftNode, transport: TabTransport, empty: boolean): Promise<string> {
    const wanted = this.#options.join;
    if (wanted === undefined) return "";
    if (empty) this.#live("waiting", "the node asks to be added");
    const signal = AbortSignal.any([this.#closing.signal, this.#stopped.signal]);
    const joining = join({
      status: () => node.status(),
      through: () => joinThrough(this.#options, transport),
      address: this.address,
      client: transport.client,
      waiting: (error) => empty ? this.#live("waiting", error.message) : undefined,
      signal,
    }, wanted.as ?? "learner");
    // A node with data is a member, as far as it knows; it need not wait for a promotion.
    if (!empty) {
      joining.catch((error) =>
        this.#state.life === "running" ? this.#live("running", RaftError.from(error).message) : {}
      );
      return "";
    }
    try {
      await joining;
    } catch (error) {
      if (signal.aborted || node.status().members.every(({ id }) => id !== this.id)) throw error;
      return RaftError.from(error).message;
    }
    return "";
  }

  /** Answers calls with this node from now on. */
  #serve(node: ServedNode): void {
    const { transport } = this.#opened!;
    const { electionTimeoutMs = 1000 } = this.#options;
    const admin = new AdminCalls({
      node,
      reason: () => this.#standing(),
      callLeader: (address, signal) => tabCalls(transport, address, { signal }),
      admin: new Admin({
        node,
        hints: BROWSER_HINTS,
        electionTimeoutMs,
        identify: (address, signal) => askIdentity(tabCalls(transport, address, { signal }), ANONYMOUS),
      }),
    });
    this.#served = { node, admin };
    const answer = nodeMethods({ node, admin, address: this.address });
    // deno-lint-ignore require-await -- an error is a rejection
    transport.serve(async (method, request, options) => {
      if (this.#host.paused) throw paused();
      return answer(method, request, options);
    });
  }

  #requireServed() {
    if (this.#served !== null) return this.#served;
    throw this.#state.error ?? starting();
  }

  /** Returns the calls of pages by name. */
  #calls(): CallTable {
    return {
      propose: async ({ endpoint, commands }, signal) => {
        const results = await this.#clientOf(endpoint).propose(endpoint, commands, { signal });
        return results.map((result) => result.ok ? result : { ok: false, error: result.error.toJSON() });
      },
      read: ({ endpoint, query, consistency }, signal) =>
        this.#clientOf(endpoint).read(endpoint, query, { consistency, signal }),
      status: ({ endpoint }, signal) =>
        endpoint === "" ? this.status() : this.#clientOf(endpoint).status(endpoint, { signal }),
      admin: ({ endpoint, method, request }, signal) =>
        this.#clientOf(endpoint).admin(endpoint, method, request, { signal }),
      pause: ({ by }) => this.#pause(by, by === "page"),
      resume: ({ by }) => this.#resume(by),
      close: () => this.close(),
    };
  }

  /** Returns a client of the node at an endpoint. @throws {RaftError} if it can't be reached now */
  #clientOf(endpoint: string): ClientTransport & AdminTransport {
    const { node, admin } = this.#requireServed();
    if (endpoint !== this.address) return this.#opened!.transport.client;
    if (this.#host.paused) throw paused();
    return Object.assign(new DirectClientTransport(new Map([[endpoint, node]])), {
      admin: <Method extends AdminMethod>(
        _endpoint: string,
        method: Method,
        request: Calls[Method]["request"],
        { signal = this.#closing.signal }: { readonly signal?: AbortSignal } = {},
      ) => admin.call(method, request, { signal }),
    });
  }

  #observe(event: keyof RaftNodeEventMap, report: (detail: object) => void): () => void {
    const listener = ({ detail }: { readonly detail: object }): void => report(detail);
    const attach = (node: RaftNode): void => node.addEventListener(event, listener);
    this.#observers.add(attach);
    if (this.#node !== null) attach(this.#node);
    return () => {
      this.#observers.delete(attach);
      this.#node?.removeEventListener(event, listener);
    };
  }

  /** Pauses quickly: a page is frozen within moments, so there is no time for more. */
  async #pause(by: Pauser, handOver: boolean): Promise<void> {
    this.#pausers.add(by);
    if (handOver && this.#node?.isLeader === true) await this.#node.transferLeadership().catch(() => {});
    if (!this.#pausers.has(by) || this.#closing.signal.aborted) return;
    this.#host.pause();
    this.#postLife();
  }

  #resume(by: Pauser): void {
    if (!this.#pausers.delete(by) || this.#pausers.size > 0) return;
    this.#host.resume();
    this.#postLife();
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    // A paused node can't close.
    this.#host.resume();
    await this.#started;
    if (this.#node !== null) await this.#node.close();
    else if (this.#opened !== null) await closeQuietly(this.#opened.deferred, this.#opened.storage);
    this.#running.reject(closedError("the node"));
    this.#live("closed");
  }

  /** Handles the loss of the storage: the node can no longer keep its promises, and makes way for the others. */
  #lost(error: RaftError): void {
    if (this.#closed !== null) return;
    this.#stop(error);
    // Before it runs it only waits: no node must count on it any longer.
    this.#closing.abort();
    // A paused node can't close.
    this.#host.resume();
    void this.#node?.close();
  }

  #stop(thrown: unknown): void {
    const error = RaftError.from(thrown);
    this.#running.reject(error);
    this.#live("stopped", error.message, error);
    this.#stopped.abort();
  }

  /** Sets the state. A node that has ended does not start again, whatever was under way. */
  #live(life: Life, reason = "", error: RaftError | null = null): void {
    const before = this.#state.life;
    if (before === "closed" || (before === "stopped" && life !== "closed")) return;
    this.#state = { life, reason, error };
    this.#postLife();
  }

  #postLife(): void {
    this.#page?.life(this.life);
  }
}
