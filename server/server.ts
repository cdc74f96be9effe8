/**
 * A whole server: storage, node, transport, and everything that it answers on
 * one port.
 *
 * @module
 */

import { RaftError } from "../lib/errors.ts";
import { KeyValue } from "../lib/kv/key_value.ts";
import { RaftNode } from "../lib/node/mod.ts";
import type { NodeStatus } from "../lib/node/types.ts";
import type { Member } from "../lib/raft/types.ts";
import { Sessions } from "../lib/sessions/sessions.ts";
import type { StateMachine } from "../lib/state_machine.ts";
import type { Identity, Storage } from "../lib/storage.ts";
import { createFileStorage } from "../storage/file/mod.ts";
import { connectClientTransport, ConnectTransport, http2Connector, identifyPeer } from "../transport/connect/mod.ts";
import { SERVER_ADVICE } from "./advice.ts";
import { awaitBeginning } from "../hosting/beginning.ts";
import type { Beginning } from "../hosting/beginning.ts";
import { EXIT, exitCodeOf } from "./exit_codes.ts";
import type { ExitCode } from "./exit_codes.ts";
import { isLoopback } from "./guard.ts";
import { peerIdentityOf, randomIncarnation } from "../hosting/identity.ts";
import { listen } from "./listen.ts";
import type { FetchHandler, Listener } from "./listen.ts";
import { LoadedStorage } from "../hosting/loaded_storage.ts";
import { createLogger } from "./log.ts";
import type { Logger } from "./log.ts";
import { logEvents } from "./log_events.ts";
import { Metrics } from "./metrics.ts";
import { nodeHandler } from "./node_handler.ts";
import type { ListenAddress, PeerAddress } from "./options.ts";
import { problem, problemResponse } from "./problem.ts";
import { ServerRelay } from "./relay.ts";
import type { ServedNode } from "../hosting/served_node.ts";
import type { Watchable } from "./services/kv.ts";
import { WaitingNode } from "../hosting/waiting_node.ts";

/** Options of {@linkcode startServer}. Times in milliseconds. */
export interface ServerOptions {
  /** The node's name. */
  readonly id: string;
  /** The node's data folder; made if it isn't there. */
  readonly data: string;
  /**
   * What is replicated; it is wrapped in {@linkcode Sessions}, unless it is one already (with limits of its own).
   * Clients reach it by a Coordinator; `/kv` is served for the default alone.
   *
   * @default a new KeyValue
   */
  readonly stateMachine?: StateMachine;
  /** Where to listen. @default its entry in `peers` if that is a loopback address, else 127.0.0.1 and any free port */
  readonly listen?: ListenAddress;
  /** Where others reach it, as a base URL. @default its entry in `peers`, else where it listens */
  readonly advertise?: string;
  /** All nodes of a new cluster, this one too. Not looked at once there is data. */
  readonly peers?: readonly PeerAddress[];
  /** With an empty folder: wait to be added to a cluster. @default false */
  readonly join?: boolean;
  /** A follower campaigns after so long without a leader. @default 1000 */
  readonly electionTimeoutMs?: number;
  /** How often a leader sends at least. @default 100 */
  readonly heartbeatIntervalMs?: number;
  /** Take a snapshot after so many entries; 0 for never. @default 10000 */
  readonly snapshotEntries?: number;
  /** …or so many bytes of them; 0 for never. No snapshots at all: both 0. @default 64 MiB */
  readonly snapshotBytes?: number;
  /** How long a request waits for a leader and a quorum. @default 5000 */
  readonly requestTimeoutMs?: number;
  /** Serve `lease` reads from a lease. @default false */
  readonly leaseReads?: boolean;
  /** Host names to answer to, beside loopback names and its own. @default none */
  readonly allowHost?: readonly string[];
  /** Origins of web pages that may call. @default none */
  readonly allowOrigin?: readonly string[];
  /** Takes log lines. @default text on standard error */
  readonly logger?: Logger;
  /** Where the log is kept. @default files in `data` */
  readonly storage?: Storage;
  /** How long a node that stopped itself tells why before the server ends. @default 5000 */
  readonly stoppedLingerMs?: number;
}

/** How a server ended. */
export interface ServerEnd {
  /** What the process is to end with. */
  readonly exitCode: ExitCode;
  /** Why, unless it was closed. */
  readonly error?: Error;
}

/** A running server. */
export interface Server {
  /** The node's name. */
  readonly id: string;
  /** Where others reach it. */
  readonly address: string;
  /** The port that it listens on. */
  readonly port: number;
  /** Resolves with its node once that runs: after everybody was reached, if a cluster begins. Rejects if it never will. */
  readonly running: Promise<RaftNode>;
  /** Resolves when the server has ended, however that came; never rejects. */
  readonly ended: Promise<ServerEnd>;
  /** The node's account of itself. */
  status(): NodeStatus;
  /** Hands leadership over, closes the node, then the port. */
  close(): Promise<void>;
  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a server. Resolves when the port is open and the data folder is read.
 *
 * @throws {Error} If the port can't be had.
 * @throws {RaftError} `locked`, `damaged`, `unsupported_version` or `identity_mismatch` for the folder;
 * `invalid_argument` if it is empty and neither `peers` nor `join` says what to do.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const server = new RunningServer(options);
  await server.open();
  return server;
}

/** Where `peers` says that it is reached, if that can only be here. */
function defaultListen({ id, peers }: ServerOptions): ListenAddress {
  const address = peers?.find((peer) => peer.id === id)?.address;
  const url = address === undefined ? null : new URL(address);
  if (url === null || !isLoopback(url.hostname)) return { hostname: "127.0.0.1", port: 0 };
  return { hostname: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port || 80) };
}

class RunningServer implements Server {
  readonly id: string;
  address = "";
  port = 0;
  readonly running: Promise<RaftNode>;
  readonly ended: Promise<ServerEnd>;
  readonly #options: ServerOptions;
  readonly #listen: ListenAddress;
  readonly #logger: Logger;
  readonly #transport: ConnectTransport;
  #relay: ServerRelay | null = null;
  readonly #closing = new AbortController();
  readonly #running = Promise.withResolvers<RaftNode>();
  readonly #ended = Promise.withResolvers<ServerEnd>();
  #handler: FetchHandler = () =>
    problemResponse(problem("not_ready", "The server is starting.", { hint: "Try again in a moment." }));
  #listener: Listener | null = null;
  #storage: LoadedStorage | null = null;
  #node: ServedNode | null = null;
  #began: Promise<void> = Promise.resolve();
  #closed: Promise<void> | null = null;
  #stoppedBy: Error | null = null;

  constructor(options: ServerOptions) {
    this.id = options.id;
    this.#options = options;
    this.#listen = options.listen ?? defaultListen(options);
    this.#logger = options.logger ?? createLogger("text", { node: options.id });
    this.#transport = new ConnectTransport({ connector: http2Connector() });
    this.running = this.#running.promise;
    this.running.catch(() => {});
    this.ended = this.#ended.promise;
  }

  /** Takes port and folder, then lets the node begin on its own. */
  async open(): Promise<void> {
    const { hostname, port } = this.#listen;
    this.#listener = await listen({ hostname, port, handler: (request) => this.#handler(request) });
    this.port = this.#listener.port;
    this.address = this.#advertised(hostname);
    this.#relay = new ServerRelay({
      address: this.address,
      members: () => this.#node?.status().members.map(({ address }) => address) ?? [],
      transport: this.#transport,
      client: connectClientTransport(),
    });
    try {
      this.#storage = await LoadedStorage.load(this.#options.storage ?? createFileStorage(this.#options.data));
      const identity = await this.#identify(this.#storage);
      this.#logger.info(`Listening on http://${hostname}:${this.port}`, { advertise: this.address });
      if (!isLoopback(hostname)) {
        this.#logger.warn("Anyone who reaches this port can read and change everything: there is no protection yet");
      }
      this.#began = this.#begin(this.#storage, identity, this.#relay);
    } catch (error) {
      await this.#storage?.close().catch(() => {});
      await this.#listener.close(0);
      throw error;
    }
  }

  status(): NodeStatus {
    if (this.#node === null) throw new RaftError("not_ready", "The server is starting.");
    return this.#node.status();
  }

  close(): Promise<void> {
    return this.#closed ??= this.#shutDown({ exitCode: EXIT.done });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #advertised(hostname: string): string {
    const { advertise, peers, id } = this.#options;
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    return advertise ?? peers?.find((peer) => peer.id === id)?.address ?? `http://${host}:${this.port}`;
  }

  /** The folder's identity; a new folder gets one, durable before anybody hears of it. */
  async #identify(storage: LoadedStorage): Promise<Identity> {
    const { id, data, peers, join } = this.#options;
    const found = storage.loaded.identity;
    if (found !== null && found.nodeId !== id) {
      throw new RaftError("identity_mismatch", `The folder ${data} belongs to ${found.nodeId}, not to ${id}.`, {
        hint: `Start it with --id ${found.nodeId}, or with another folder.`,
      });
    }
    if (storage.empty && peers === undefined && join !== true) {
      throw new RaftError("invalid_argument", `The folder ${data} is empty, and nothing says how to begin.`, {
        hint: "Use --peers to start a new cluster, or --join to be added to a running one.",
      });
    }
    if (found !== null) return found;
    const identity = { nodeId: id, incarnation: randomIncarnation(), clusterId: "" };
    await storage.initialize(identity);
    return identity;
  }

  /** From an identity to a running node. Never rejects: what goes wrong ends the server. */
  async #begin(storage: LoadedStorage, identity: Identity, relay: ServerRelay): Promise<void> {
    try {
      const beginning = storage.empty && this.#options.join !== true ? await this.#awaitPeers(identity, relay) : null;
      this.#closing.signal.throwIfAborted();
      if (beginning?.type === "follow") await storage.initialize({ ...identity, clusterId: beginning.clusterId });
      this.#running.resolve(await this.#startNode(storage, beginning, relay));
    } catch (error) {
      this.#running.reject(error);
      if (this.#closing.signal.aborted) return;
      await this.#storage?.close().catch(() => {});
      const cause = error instanceof Error ? error : new Error(String(error));
      this.#closed ??= this.#shutDown({ exitCode: exitCodeOf(error), error: cause });
    }
  }

  async #awaitPeers(identity: Identity, relay: ServerRelay): Promise<Exclude<Beginning, { type: "wait" }>> {
    const { nodeId: id, incarnation } = identity;
    const waiting = new WaitingNode(identity);
    this.#serve(relay, waiting, this.#options.stateMachine === undefined ? waiting : null, () => waiting.reason());
    const self: Member = { id, incarnation, address: this.address };
    const caller = { nodeId: id, incarnation, address: this.address };
    return await awaitBeginning({
      self,
      peers: (this.#options.peers ?? []).filter((peer) => peer.id !== id),
      advice: SERVER_ADVICE,
      ask: async (address, signal) => peerIdentityOf(await identifyPeer(address, caller, { signal })),
      waiting: (missing) => {
        waiting.waitFor(missing);
        this.#logger.info(`The cluster begins once all its nodes are up; waiting for ${missing.join(", ")}`);
      },
      signal: this.#closing.signal,
    });
  }

  async #startNode(
    storage: LoadedStorage,
    beginning: Exclude<Beginning, { type: "wait" }> | null,
    relay: ServerRelay,
  ): Promise<RaftNode> {
    const { id, stateMachine, electionTimeoutMs, heartbeatIntervalMs, snapshotEntries, snapshotBytes, leaseReads } =
      this.#options;
    const store = new KeyValue();
    const machine = stateMachine ?? store;
    const node = await RaftNode.start({
      id,
      address: this.address,
      stateMachine: machine instanceof Sessions ? machine : new Sessions(machine),
      storage,
      transport: relay.transport,
      ...(beginning?.type === "found" ? { bootstrap: beginning } : {}),
      ...(electionTimeoutMs === undefined ? {} : { electionTimeoutMs }),
      ...(heartbeatIntervalMs === undefined ? {} : { heartbeatIntervalMs }),
      ...(snapshotEntries === undefined ? {} : { snapshotEntries }),
      ...(snapshotBytes === undefined ? {} : { snapshotBytes }),
      ...(leaseReads === undefined ? {} : { leaseReads }),
    });
    logEvents(node, this.#logger);
    node.addEventListener("stopped", ({ detail }) => this.#stopped(detail.error));
    this.#serve(relay, node, machine === store ? store : null, () => this.#stoppedBy?.message);
    const { clusterId, lastIndex } = node.status();
    this.#logger.info("The node runs", { cluster: clusterId || "none yet; waits to be added", lastIndex });
    return node;
  }

  #serve(relay: ServerRelay, node: ServedNode, store: Watchable | null, reason: () => string | undefined): void {
    const { allowHost = [], allowOrigin = [], requestTimeoutMs = 5000, electionTimeoutMs = 1000 } = this.#options;
    this.#node = node;
    const metrics = new Metrics(() => node.status());
    metrics.observe(node);
    metrics.observeRelay(() => relay.hub.counts);
    const bracketed = (host: string): string => host.includes(":") ? `[${host}]` : host;
    this.#handler = nodeHandler({
      node,
      store,
      transport: this.#transport,
      relay,
      metrics,
      logger: this.#logger,
      address: this.address,
      hosts: [new URL(this.address).hostname, bracketed(this.#listen.hostname), ...allowHost],
      origins: allowOrigin,
      requestTimeoutMs,
      electionTimeoutMs,
      reason,
    });
  }

  /** The node stopped itself: say why to whoever asks, then end. */
  #stopped(error: Error): void {
    this.#stoppedBy = error;
    const timer = setTimeout(() => {
      this.#closed ??= this.#shutDown({ exitCode: EXIT.unhealthy, error });
    }, this.#options.stoppedLingerMs ?? 5000);
    this.#closing.signal.addEventListener("abort", () => clearTimeout(timer));
  }

  async #shutDown(end: ServerEnd): Promise<void> {
    this.#closing.abort();
    // A node that is just starting is closed once it has started.
    await Promise.race([this.#began, end.error === undefined ? this.#began : Promise.resolve()]);
    try {
      await this.#node?.close();
      await (this.#relay?.transport ?? this.#transport).close();
      if (this.#node === null || this.#node instanceof WaitingNode) await this.#storage?.close();
    } catch (error) {
      this.#logger.warn(`While closing: ${error instanceof Error ? error.message : String(error)}`);
    }
    await this.#listener?.close(300);
    const stopped = this.#stoppedBy;
    this.#ended.resolve(
      end.error === undefined && stopped !== null ? { exitCode: EXIT.unhealthy, error: stopped } : end,
    );
  }
}
