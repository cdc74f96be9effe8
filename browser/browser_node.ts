/**
 * A node in a worker: what the worker's own script starts.
 *
 * @module
 */

import { DirectClientTransport } from "../lib/client/direct.ts";
import type { ClientTransport } from "../lib/client/client_transport.ts";
import { RaftError } from "../lib/errors.ts";
import { systemHost } from "../lib/host.ts";
import { RaftNode } from "../lib/node/mod.ts";
import type { NodeStatus, RaftNodeEventMap } from "../lib/node/types.ts";
import type { NodeId } from "../lib/raft/types.ts";
import { Sessions } from "../lib/sessions/sessions.ts";
import type { Identity } from "../lib/storage.ts";
import { Admin } from "../hosting/admin.ts";
import { awaitBeginning } from "../hosting/beginning.ts";
import type { Beginning } from "../hosting/beginning.ts";
import { peerIdentityOf, randomIncarnation } from "../hosting/identity.ts";
import { LoadedStorage } from "../hosting/loaded_storage.ts";
import type { ServedNode } from "../hosting/served_node.ts";
import { WaitingNode } from "../hosting/waiting_node.ts";
import type { TabTransport } from "../transport/tab/mod.ts";
import { AdminCalls } from "./admin_calls.ts";
import { BROWSER_ADVICE } from "./advice.ts";
import { EarlyTransport } from "./early_transport.ts";
import { join } from "./joining.ts";
import { identifyOverCall, nodeMethods } from "./node_methods.ts";
import { checkOptions, firstMembers, joinThrough, nodePlace, workerScope } from "./options.ts";
import type { BrowserNodeOptions } from "./options.ts";
import { callTable } from "./page_calls.ts";
import { PageLink } from "./page_link.ts";
import { PausableHost } from "./pausable_host.ts";
import { asRaftError } from "./protocol.ts";
import type { Life, LifeState, Pauser } from "./protocol.ts";

/** A node in this worker. */
export interface BrowserNode {
  /** The node's name. */
  readonly id: NodeId;
  /** Where others reach it. */
  readonly address: string;
  /** How far it is, and why. */
  readonly life: LifeState;
  /** Resolves with the node once it takes part: everybody was reached, or it was added. Rejects if it never will. */
  readonly running: Promise<RaftNode>;
  /** The node's account of itself. */
  status(): NodeStatus;
  /**
   * Lets it stand still: it neither hears nor speaks, and its timers wait. With
   * `handOver` a leader tries to hand leadership over first.
   */
  pause(options?: { readonly handOver?: boolean }): Promise<void>;
  /** Lets it go on. */
  resume(): void;
  /** Hands leadership over, then closes the node, its transport and its storage. */
  close(): Promise<void>;
  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a node in this worker, and lets the page that made the worker reach it
 * by {@linkcode connectBrowserNode}. Resolves once its storage is open.
 *
 * @throws {RaftError} `locked` if another tab has the node open, `damaged`, `unsupported_version` or `identity_mismatch` for the storage;
 * `refused` if another is at the same address; `invalid_argument` for the options, or if the storage is empty and neither
 * `bootstrap` nor `join` says what to do. The page is told the same
 *
 * @example
 * ```ts ignore
 * await startBrowserNode({
 *   clusterId: "notes",
 *   id: "n1",
 *   storage: createIndexedDbStorage,
 *   transport: broadcastTransport,
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

/** What is there once the storage is open. */
interface Opened {
  readonly storage: LoadedStorage;
  readonly transport: TabTransport;
  readonly early: EarlyTransport;
}

/** Closes what was opened, and says nothing of what goes wrong. */
async function letGo(...opened: readonly ({ close(): Promise<void> } | null)[]): Promise<void> {
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
  #began: Promise<void> = Promise.resolve();
  #closed: Promise<void> | null = null;

  constructor(options: BrowserNodeOptions) {
    this.id = options.id;
    this.#options = options;
    this.#host = new PausableHost(options.host ?? systemHost());
    this.running = this.#running.promise;
    this.running.catch(() => {});
    const end = options.page === undefined ? workerScope() : options.page;
    const calls = callTable({
      clientOf: (endpoint) => this.#clientOf(endpoint),
      served: () => this.#requireServed(),
      pause: (by) => this.#pause(by, by === "page"),
      resume: (by) => this.#resume(by),
      close: () => this.close(),
    });
    const observe = this.#observe.bind(this);
    this.#page = end === null ? null : new PageLink({ end, calls, observe });
    this.#live("starting");
  }

  get life(): LifeState {
    if (!this.#host.paused || this.#state.life === "stopped" || this.#state.life === "closed") return this.#state;
    return { life: "paused", reason: "The node stands still.", error: null };
  }

  /** Takes storage and transport, then lets the node begin on its own. */
  async open(): Promise<void> {
    const { storage: givenStorage, transport: givenTransport } = this.#options;
    let storage: LoadedStorage | null = null;
    let early: EarlyTransport | null = null;
    try {
      checkOptions(this.#options);
      const place = nodePlace(this.#options, (error) => this.#lost(error));
      storage = await LoadedStorage.load(typeof givenStorage === "function" ? givenStorage(place) : givenStorage);
      const identity = await this.#identify(storage);
      const transport = typeof givenTransport === "function" ? givenTransport(place) : givenTransport;
      this.address = transport.address;
      early = new EarlyTransport(transport, () => this.#host.paused);
      this.#opened = { storage, transport, early };
      if (storage.empty) this.#serve(new WaitingNode(identity));
      else transport.serve(() => Promise.reject(isStarting()));
      await early.open();
      if (this.#state.error !== null) throw this.#state.error;
      this.#page?.opened(this.id, this.address);
      this.#began = this.#begin(this.#opened, identity);
    } catch (error) {
      await letGo(early, storage);
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

  /** The storage's identity; a new one gets one, durable before anybody hears of it. */
  async #identify(storage: LoadedStorage): Promise<Identity> {
    const { bootstrap, join } = this.#options;
    const found = storage.loaded.identity;
    if (found !== null && found.nodeId !== this.id) {
      throw new RaftError("identity_mismatch", `The storage belongs to ${found.nodeId}, not to ${this.id}.`, {
        hint: "Start the node with its own id, or with another storage.",
      });
    }
    if (storage.empty && bootstrap === undefined && join === undefined) {
      throw new RaftError("invalid_argument", "The storage is empty, and nothing says how to begin.", {
        hint: "Give bootstrap to begin a new cluster, or join to be added to a running one.",
      });
    }
    if (found !== null) return found;
    const identity = { nodeId: this.id, incarnation: randomIncarnation(), clusterId: "" };
    await storage.initialize(identity);
    return identity;
  }

  /** From an identity to a node that takes part. Never rejects: what goes wrong stops the node. */
  async #begin({ storage, early, transport }: Opened, identity: Identity): Promise<void> {
    const { empty } = storage;
    try {
      const founds = empty && this.#options.join === undefined;
      const beginning = founds ? await this.#awaitPeers(transport, identity) : null;
      this.#closing.signal.throwIfAborted();
      if (beginning?.type === "follow") await storage.initialize({ ...identity, clusterId: beginning.clusterId });
      const node = await this.#startNode(storage, early, beginning);
      const refused = await this.#join(node, transport, empty);
      if (node.lifecycle === "running") this.#live("running", refused);
      this.#running.resolve(node);
    } catch (error) {
      if (this.#node === null) await letGo(early, storage);
      else await letGo(this.#node);
      this.#stop(this.#closing.signal.aborted ? new RaftError("closed", "the node was closed") : error);
    }
  }

  async #awaitPeers(transport: TabTransport, identity: Identity): Promise<Exclude<Beginning, { type: "wait" }>> {
    const waiting = new WaitingNode(identity);
    this.#serve(waiting);
    this.#live("waiting", "The cluster has not begun.");
    const self = { id: this.id, incarnation: identity.incarnation, address: this.address };
    const caller = { ...self, nodeId: this.id };
    return await awaitBeginning({
      self,
      peers: firstMembers(this.#options).filter(({ id }) => id !== this.id),
      advice: BROWSER_ADVICE,
      ask: async (address, signal) => peerIdentityOf(await identifyOverCall(transport, address, caller, signal)),
      waiting: (missing) => {
        waiting.waitFor(missing);
        this.#live("waiting", waiting.reason());
      },
      signal: this.#closing.signal,
    });
  }

  async #startNode(
    storage: LoadedStorage,
    early: EarlyTransport,
    beginning: Exclude<Beginning, { type: "wait" }> | null,
  ): Promise<RaftNode> {
    const { bootstrap: _bootstrap, stateMachine, ...options } = this.#options;
    const node = await RaftNode.start({
      ...options,
      address: this.address,
      stateMachine: stateMachine instanceof Sessions ? stateMachine : new Sessions(stateMachine),
      storage,
      transport: early,
      host: this.#host,
      ...(beginning?.type === "found" ? { bootstrap: beginning } : {}),
    });
    this.#node = node;
    node.addEventListener("stopped", ({ detail }) => this.#stop(detail.error));
    node.addEventListener("state", ({ detail }) => this.#page?.leads(detail.role === "leader"));
    for (const attach of this.#observers) attach(node);
    this.#serve(node);
    return node;
  }

  /** Gets into the cluster, if that is asked for. Returns why it is not what it wants to be, if it is something. */
  async #join(node: RaftNode, transport: TabTransport, empty: boolean): Promise<string> {
    const wanted = this.#options.join;
    if (wanted === undefined) return "";
    if (empty) this.#live("waiting", "The node asks to be added.");
    const signal = AbortSignal.any([this.#closing.signal, this.#stopped.signal]);
    const joining = join({
      status: () => node.status(),
      through: () => joinThrough(this.#options, transport),
      address: this.address,
      transport,
      waiting: (error) => empty ? this.#live("waiting", error.message) : undefined,
      signal,
    }, wanted.as ?? "learner");
    // Who has data is a member, as far as it knows; it need not wait to be more.
    if (!empty) {
      joining.catch((error) => this.#state.life === "running" ? this.#live("running", asRaftError(error).message) : {});
      return "";
    }
    try {
      await joining;
    } catch (error) {
      if (signal.aborted || node.status().members.every(({ id }) => id !== this.id)) throw error;
      return asRaftError(error).message;
    }
    return "";
  }

  /** Answers calls with this node from now on. */
  #serve(node: ServedNode): void {
    const { transport } = this.#opened!;
    const { electionTimeoutMs = 1000 } = this.#options;
    const admin = new AdminCalls({
      node,
      transport,
      admin: new Admin({
        node,
        advice: BROWSER_ADVICE,
        presenceMs: 2 * electionTimeoutMs,
        identify: async (address, signal) => {
          const { id: nodeId, incarnation } = node.status();
          return await identifyOverCall(transport, address, { nodeId, incarnation, address: this.address }, signal);
        },
      }),
    });
    this.#served = { node, admin };
    const answer = nodeMethods({ node, admin, address: this.address });
    // deno-lint-ignore require-await -- an error is a rejection
    transport.serve(async (method, request, options) => {
      if (this.#host.paused) throw standsStill();
      return answer(method, request, options);
    });
  }

  #requireServed() {
    if (this.#served !== null) return this.#served;
    throw this.#state.error ?? isStarting();
  }

  #clientOf(endpoint: string): ClientTransport {
    const { node } = this.#requireServed();
    if (endpoint !== this.address) return this.#opened!.transport.client;
    if (this.#host.paused) throw standsStill();
    return new DirectClientTransport(new Map([[endpoint, node]]));
  }

  #observe(event: keyof RaftNodeEventMap, tell: (detail: object) => void): () => void {
    const listener = ({ detail }: { readonly detail: object }): void => tell(detail);
    const attach = (node: RaftNode): void => node.addEventListener(event, listener);
    this.#observers.add(attach);
    if (this.#node !== null) attach(this.#node);
    return () => {
      this.#observers.delete(attach);
      this.#node?.removeEventListener(event, listener);
    };
  }

  /** A page is frozen within moments, so all of this is as much as there is time for. */
  async #pause(by: Pauser, handOver: boolean): Promise<void> {
    this.#pausers.add(by);
    if (handOver && this.#node?.isLeader === true) await this.#node.transferLeadership().catch(() => {});
    if (!this.#pausers.has(by) || this.#closing.signal.aborted) return;
    this.#host.pause();
    this.#tellLife();
  }

  #resume(by: Pauser): void {
    if (!this.#pausers.delete(by) || this.#pausers.size > 0) return;
    this.#host.resume();
    this.#tellLife();
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    // What stands still can't close.
    this.#host.resume();
    await this.#began;
    if (this.#node !== null) await this.#node.close();
    else if (this.#opened !== null) await letGo(this.#opened.early, this.#opened.storage);
    this.#running.reject(new RaftError("closed", "the node was closed"));
    this.#live("closed");
  }

  /** The storage is gone under the node. It can keep no promise any more, and gives way to the others. */
  #lost(error: RaftError): void {
    if (this.#closed !== null) return;
    this.#stop(error);
    // Before it runs it only waits: nobody is to count on it any more.
    this.#closing.abort();
    // What stands still can't close.
    this.#host.resume();
    void this.#node?.close();
  }

  #stop(thrown: unknown): void {
    const error = asRaftError(thrown);
    this.#running.reject(error);
    this.#live("stopped", error.message, error);
    this.#stopped.abort();
  }

  /** What has ended does not begin again, whatever was under way. */
  #live(life: Life, reason = "", error: RaftError | null = null): void {
    const before = this.#state.life;
    if (before === "closed" || (before === "stopped" && life !== "closed")) return;
    this.#state = { life, reason, error };
    this.#tellLife();
  }

  #tellLife(): void {
    this.#page?.life(this.life);
  }
}

/** What a node with data answers until it runs: it must not pass for an empty one, with which a cluster may begin. */
function isStarting(): RaftError {
  return new RaftError("not_ready", "The node is starting.", { hint: "Try again in a moment." });
}

function standsStill(): RaftError {
  return new RaftError("not_ready", "The node stands still.", { hint: "Ask another, or wait until it goes on." });
}
