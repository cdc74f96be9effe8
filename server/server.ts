/**
 * A whole server: storage, node, transport, and everything that it answers on
 * one port.
 */

import { RaftError } from "../lib/errors.ts";
import { KeyValue } from "../lib/kv/key_value.ts";
import { messageOf } from "../lib/node/errors.ts";
import type { RaftNode } from "../lib/node/mod.ts";
import type { NodeStatus, RaftNodeOptions } from "../lib/node/types.ts";
import { termTrouble } from "../lib/raft/term_limit.ts";
import type { StateMachine } from "../lib/state_machine.ts";
import type { Storage } from "../lib/storage.ts";
import { createFileStorage } from "../storage/file/mod.ts";
import {
  BodyReceiver,
  ConnectTransport,
  createConnectClientTransport,
  http2Connector,
} from "../transport/connect/mod.ts";
import { BootstrappingNode } from "../hosting/bootstrapping_node.ts";
import { openStorage, startNode } from "../hosting/node_host.ts";
import type { OpenedStorage } from "../hosting/node_host.ts";
import { ForwardBudget } from "../hosting/forward_budget.ts";
import type { ForwardLimits } from "../hosting/forward_budget.ts";
import type { ServedNode } from "../hosting/served_node.ts";
import { advertisedAddress, urlHost } from "./addresses.ts";
import type { PeerAddress } from "../hosting/bootstrap.ts";
import type { ListenAddress } from "./addresses.ts";
import { Answers } from "./answers.ts";
import type { AnswerLimits } from "./answers.ts";
import { EXIT, exitCodeOf } from "./exit_codes.ts";
import type { ExitCode } from "./exit_codes.ts";
import { isLoopback } from "./guard.ts";
import { SERVER_HINTS } from "./hints.ts";
import { listen } from "./listen.ts";
import type { FetchHandler, Listener } from "./listener.ts";
import { createLogger, guardedLogger } from "./log.ts";
import type { Logger } from "./log.ts";
import { described, logEvents } from "./log_events.ts";
import { Metrics } from "./metrics.ts";
import { nodeHandler } from "./node_handler.ts";
import { problemOf, problemResponse } from "./problem.ts";
import { ServerRelay } from "./relay.ts";
import { Standing } from "./standing.ts";
import { Watchers } from "./watchers.ts";
import type { WatchLimits } from "./watchers.ts";
import { nodeUrl } from "../transport/wire/address.ts";
import type { WatchSource } from "../lib/kv/client.ts";

/** Options of {@linkcode startServer}. Times in milliseconds. */
export interface ServerOptions extends
  Pick<
    RaftNodeOptions,
    | "expectedClusterId"
    | "electionTimeoutMs"
    | "heartbeatIntervalMs"
    | "snapshotEntries"
    | "snapshotBytes"
    | "snapshotRatio"
    | "maxLogBytes"
    | "trailingEntries"
    | "maxRetainedBytes"
    | "snapshotBytesPerSecond"
    | "leaseReads"
  >,
  WatchLimits,
  ForwardLimits,
  AnswerLimits {
  /** The node's name. */
  readonly id: string;
  /** The node's data folder, created if missing. */
  readonly data: string;
  /**
   * The state machine to replicate. It is wrapped in {@linkcode Sessions}, unless it is one already (with limits of
   * its own). Clients reach it through a Coordinator; `/kv` is served for the default alone.
   *
   * @default a new KeyValue
   */
  readonly stateMachine?: StateMachine;
  /** The address to listen on. @default its entry in `peers` if that is a loopback address, else 127.0.0.1 and any free port */
  readonly listen?: ListenAddress;
  /** The base URL at which other nodes reach it. @default its entry in `peers`, else the address it listens on */
  readonly advertise?: string;
  /** All nodes of a new cluster, including this one. Ignored once the node has data. */
  readonly peers?: readonly PeerAddress[];
  /** With an empty folder: wait to be added to a cluster. @default false */
  readonly join?: boolean;
  /** The longest wait of a request for a leader and a quorum. @default 5000 */
  readonly requestTimeoutMs?: number;
  /** The most bytes of all requests that are being received or answered; see {@linkcode BodyReceiverOptions}. @default 64 MiB */
  readonly maxReceiveBytes?: number;
  /** The longest time for a request's body to arrive, or for one message of a stream. @default 30000 */
  readonly bodyTimeoutMs?: number;
  /** Host names to answer to, beside loopback names and its own. @default none */
  readonly allowHost?: readonly string[];
  /** Origins of web pages that may call. @default none */
  readonly allowOrigin?: readonly string[];
  /** Origins of web pages that may call, and administer the cluster: add, promote and remove members. @default none */
  readonly allowAdminOrigin?: readonly string[];
  /**
   * The most connections at a time. At the limit idle ones make room for new ones, and a few more are taken for
   * peers and operators.
   *
   * @default the room that the limit of open files leaves, at most 4096
   */
  readonly maxConnections?: number;
  /** A connection without a whole request head so long after it began, or the head did, is closed. @default 10000 */
  readonly headersTimeoutMs?: number;
  /**
   * A connection without a request under way is closed after this long.
   *
   * @default 60000; under Deno `headersTimeoutMs`
   */
  readonly idleTimeoutMs?: number;
  /** Receives log lines. @default text on standard error */
  readonly logger?: Logger;
  /** The storage of the log. @default files in `data` */
  readonly storage?: Storage;
  /** Time in which a node that stopped itself still reports the reason, before the server ends. @default 5000 */
  readonly stoppedLingerMs?: number;
}

/** The end of a server. */
export interface ServerEnd {
  /** The exit code for the process. */
  readonly exitCode: ExitCode;
  /** The reason, unless the server was closed. */
  readonly error?: Error;
}

/** A running server. */
export interface Server {
  /** The node's name. */
  readonly id: string;
  /** The base URL at which other nodes reach it. */
  readonly address: string;
  /** The port that it listens on. */
  readonly port: number;
  /** Resolves with the node once it runs: in a new cluster, after all nodes were reached. Rejects if it never will. */
  readonly running: Promise<RaftNode>;
  /** Resolves when the server has ended, for whatever reason; never rejects. */
  readonly ended: Promise<ServerEnd>;
  /** Returns the status of the node. */
  status(): NodeStatus;
  /** Hands leadership over, closes the node, then the port. */
  close(): Promise<void>;
  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a server. Resolves when the port is open and the data folder is read.
 *
 * @throws {Error} If the port can't be opened.
 * @throws {RaftError} `locked`, `damaged`, `unsupported_version` or `identity_mismatch` for the folder;
 * `invalid_argument` if it is empty and neither `peers` nor `join` says how to begin.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const server = new RunningServer(options);
  await server.open();
  return server;
}

/** Returns this node's entry in `peers`, if it can only mean this machine. */
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
  readonly #running = Promise.withResolvers<RaftNode>();
  readonly running: Promise<RaftNode> = this.#running.promise;
  readonly #ended = Promise.withResolvers<ServerEnd>();
  readonly ended: Promise<ServerEnd> = this.#ended.promise;
  readonly #options: ServerOptions;
  readonly #listen: ListenAddress;
  readonly #logger: Logger;
  readonly #transport: ConnectTransport = new ConnectTransport({
    connector: http2Connector(),
    isKnown: (address) =>
      [...this.#options.peers ?? [], ...this.#node?.status().members ?? []].some((peer) => peer.address === address),
  });
  readonly #watchers: Watchers;
  readonly #forwards: ForwardBudget;
  readonly #receiver: BodyReceiver;
  readonly #answers: Answers;
  #relay: ServerRelay | null = null;
  readonly #closing = new AbortController();
  #handler: FetchHandler = () => problemResponse(problemOf(starting()));
  #listener: Listener | null = null;
  #storage: Storage | null = null;
  #node: ServedNode | null = null;
  #started: Promise<void> = Promise.resolve();
  #closed: Promise<void> | null = null;
  #stoppedBy: Error | null = null;

  constructor(options: ServerOptions) {
    this.id = options.id;
    this.#options = options;
    this.#receiver = new BodyReceiver(options);
    // They go into the first membership, and other nodes call them.
    const { advertise, peers = [] } = options;
    for (const address of [...(advertise === undefined ? [] : [advertise]), ...peers.map(({ address }) => address)]) {
      nodeUrl(address);
    }
    this.#listen = options.listen ?? defaultListen(options);
    this.#watchers = new Watchers(options);
    this.#forwards = new ForwardBudget(options);
    this.#answers = new Answers(options);
    this.#logger = guardedLogger(options.logger ?? createLogger("text", { node: options.id }));
    this.running.catch(() => {});
  }

  /** Opens the port and the folder, then lets the node start in the background. */
  async open(): Promise<void> {
    const { id, data, storage, peers, join } = this.#options;
    const { hostname, port } = this.#listen;
    this.#listener = await listen({
      hostname,
      port,
      handler: (request) => this.#handler(request),
      limits: this.#options,
      logger: this.#logger,
    });
    this.port = this.#listener.port;
    this.address = advertisedAddress({ ...this.#options, listen: this.#listen }, this.port);
    const relay = this.#relay = new ServerRelay({
      address: this.address,
      members: () => this.#node?.status().members.map(({ address }) => address) ?? [],
      transport: this.#transport,
      client: createConnectClientTransport(),
    });
    try {
      const opened = await openStorage(storage ?? createFileStorage(data), {
        id,
        place: `the folder ${data}`,
        mayBeEmpty: peers !== undefined || join === true,
        hints: SERVER_HINTS,
      });
      this.#storage = opened.storage;
      const here = advertisedAddress({ id, listen: this.#listen }, this.port);
      this.#logger.info(`Listening on ${here}`, { advertise: this.address });
      if (!isLoopback(hostname)) {
        this.#logger.warn("Anyone who can reach this port can read and change everything: there is no protection yet");
      }
      this.#started = this.#start(opened, relay);
    } catch (error) {
      await this.#listener.close(0);
      throw error;
    }
  }

  status(): NodeStatus {
    if (this.#node === null) throw starting();
    return this.#node.status();
  }

  close(): Promise<void> {
    return this.#closed ??= this.#shutDown({ exitCode: EXIT.done });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Starts the node. Never rejects: a failure ends the server. */
  async #start(opened: OpenedStorage, relay: ServerRelay): Promise<void> {
    try {
      this.#running.resolve(await this.#startNode(opened, relay));
    } catch (error) {
      this.#running.reject(error);
      if (this.#closing.signal.aborted) return;
      await opened.storage.close().catch(() => {});
      const cause = error instanceof Error ? error : new Error(String(error));
      this.#closed ??= this.#shutDown({ exitCode: exitCodeOf(error), error: cause });
    }
  }

  async #startNode(opened: OpenedStorage, relay: ServerRelay): Promise<RaftNode> {
    const { stateMachine, peers, join } = this.#options;
    const store = stateMachine === undefined ? new KeyValue() : null;
    const { waiting } = opened;
    const node = await startNode({
      opened,
      node: {
        // Those of them that are a node's.
        ...this.#options,
        address: this.address,
        stateMachine: stateMachine ?? store!,
        transport: relay.transport,
      },
      peers: join === true ? null : peers ?? [],
      hints: SERVER_HINTS,
      identify: (address, caller, signal) => relay.identify(address, caller, signal),
      waiting: (missing) => {
        if (missing === null) {
          return this.#serve(relay, waiting, store === null ? null : waiting, () => waiting.reason());
        }
        this.#logger.info(`The cluster starts once all its nodes are up; waiting for ${missing.join(", ")}`);
      },
      signal: this.#closing.signal,
    });
    logEvents(node, this.#logger, opened.loaded.lastIndex, (address) => this.#transport.link(address));
    node.addEventListener("stopped", ({ detail }) => this.#stopped(detail.error));
    const standing = new Standing({
      node,
      relay,
      listens: advertisedAddress({ id: this.id, listen: this.#listen }, this.port),
      advertise: this.#options.advertise,
      termTrouble: termTrouble(opened.loaded),
      electionTimeoutMs: this.#options.electionTimeoutMs,
      logger: this.#logger,
      signal: this.#closing.signal,
    });
    this.#serve(relay, node, store, () => this.#stoppedBy?.message ?? standing.reason());
    standing.start();
    const { clusterId, lastIndex, membership } = node.status();
    const cluster = clusterId || "none yet; waits to be added";
    this.#logger.info("The node runs", { cluster, lastIndex, ...described(membership) });
    return node;
  }

  #serve(relay: ServerRelay, node: ServedNode, store: WatchSource | null, reason: () => string | undefined): void {
    const { allowHost = [], allowOrigin = [], allowAdminOrigin = [] } = this.#options;
    const { requestTimeoutMs = 5000, electionTimeoutMs = 1000 } = this.#options;
    this.#node = node;
    const metrics = new Metrics(() => node.status());
    metrics.observe(node);
    metrics.observeRelay(() => relay.hub.counts);
    metrics.observeWatchers(() => this.#watchers.counts);
    metrics.observeAnswers(() => this.#answers.counts);
    metrics.observeForwards(() => this.#forwards.counts);
    metrics.observeReceiver(this.#receiver.budget);
    metrics.observeConnections(() => this.#listener!.counts);
    this.#handler = nodeHandler({
      node,
      store,
      transport: this.#transport,
      relay,
      receiver: this.#receiver,
      metrics,
      watchers: this.#watchers,
      forwards: this.#forwards,
      answers: this.#answers,
      logger: this.#logger,
      address: this.address,
      hosts: [new URL(this.address).hostname, urlHost(this.#listen.hostname), ...allowHost],
      origins: allowOrigin,
      adminOrigins: allowAdminOrigin,
      requestTimeoutMs,
      electionTimeoutMs,
      reason,
    });
  }

  /** Ends the server after its node stopped itself, once clients had time to learn the reason. */
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
    if (end.error === undefined) await this.#started;
    try {
      await this.#node?.close();
      await (this.#relay?.transport ?? this.#transport).close();
      if (this.#node === null || this.#node instanceof BootstrappingNode) await this.#storage?.close();
    } catch (error) {
      this.#logger.warn(`While closing: ${messageOf(error)}`);
    }
    await this.#listener?.close(300);
    const stopped = this.#stoppedBy;
    this.#ended.resolve(
      end.error === undefined && stopped !== null ? { exitCode: EXIT.unhealthy, error: stopped } : end,
    );
  }
}

function starting(): RaftError {
  return new RaftError("not_ready", "the server is starting", { hint: "Try again in a moment." });
}
