/**
 * The client of a cluster.
 */

import type { Host } from "../clock.ts";
import { abortedError, closedError, isRetryable, RaftError } from "../errors.ts";
import { systemHost } from "../host.ts";
import type { Consistency, NodeStatus, ProposeResult, ReadResult } from "../node/types.ts";
import { Backoff } from "../backoff.ts";
import { pause } from "../pause.ts";
import { attempt, mostTelling, retriedTooLong } from "./attempts.ts";
import type { ClientTransport } from "./client_transport.ts";
import { type KnownLeader, LeaderFinder } from "./leader_finder.ts";
import { Proposals } from "./proposals.ts";
import type { ProposalsInFlight } from "./proposals.ts";
import type { CommandMode } from "./session_user.ts";

/** Options of {@linkcode Coordinator}. Sizes in bytes, times in milliseconds. */
export interface CoordinatorOptions {
  /** Where to begin: at least one, or a function that returns those of the moment. The other members are learned. */
  readonly endpoints: readonly string[] | (() => readonly string[]);
  /** Closed by the coordinator. */
  readonly transport: ClientTransport;
  /** Clock, random source and task queue. @default systemHost() */
  readonly host?: Host;
  /** How long a request may take, all attempts together. @default 10000 */
  readonly timeoutMs?: number;
  /** How long to wait for a node before another is tried. @default 2000 */
  readonly attemptTimeoutMs?: number;
  /**
   * Use a session, so that each command is carried out once however often it has
   * to be sent. Without one a command is never sent again once it may have
   * reached a leader. @default true
   */
  readonly session?: boolean;
  /** The state machine is not wrapped in Sessions: send commands as they are, without a session. @default false */
  readonly raw?: boolean;
  /** The largest number of commands in one call. @default 1024 */
  readonly maxBatchCommands?: number;
  /** The largest size of the commands in one call; a single command may be larger. @default 1 MiB */
  readonly maxBatchBytes?: number;
  /** The number of concurrent calls; further commands wait for the next call and share it. @default 2 */
  readonly maxInflightCalls?: number;
  /** The largest size of commands without an outcome; more are refused as `busy`. @default 64 MiB */
  readonly maxQueuedBytes?: number;
  /** The first pause after a failure; each is twice the one before, with jitter. @default 20 */
  readonly minBackoffMs?: number;
  /** The longest pause. @default 1000 */
  readonly maxBackoffMs?: number;
  /**
   * The endpoint of a member, by its address in the membership.
   *
   * @default the address itself
   */
  readonly endpointOf?: (address: string) => string | null;
}

/** Options of each request. */
export interface ClientRequestOptions {
  /** Ends the request with `aborted`. */
  readonly signal?: AbortSignal;
  /** How long it may take, in milliseconds. @default the coordinator's */
  readonly timeoutMs?: number;
}

/**
 * A client that proposes commands and reads, on whichever node leads.
 *
 * It finds the leader, follows hints, and tries again with pauses that grow until
 * the request's deadline. Commands proposed at the same time share a call. Those
 * under way together may be executed in any order; one that is proposed after
 * another's outcome is executed after it.
 *
 * Every failure is a {@linkcode RaftError} with an `outcome`: `rejected`, the command
 * was not executed and never will be by this request; `unknown`, it may have been, or
 * may yet be. The `cause` of a `timeout` is the most telling error of its attempts.
 *
 * @example
 * ```ts
 * import { Coordinator } from "./lib/client/coordinator.ts";
 * import { DirectClientTransport } from "./lib/client/direct.ts";
 *
 * await using client = new Coordinator({
 *   endpoints: ["n1", "n2", "n3"],
 *   transport: new DirectClientTransport(new Map()),
 *   timeoutMs: 100,
 * });
 * await client.propose(new Uint8Array([1])).catch((error) => console.log(error.code, error.outcome)); // timeout rejected
 * ```
 */
export class Coordinator {
  readonly #host: Host;
  readonly #transport: ClientTransport;
  readonly #finder: LeaderFinder;
  readonly #proposals: Proposals;
  readonly #timeoutMs: number;
  readonly #attemptTimeoutMs: number;
  readonly #backoff: { readonly firstMs: number; readonly maxMs: number };
  readonly #closing = new AbortController();
  #closed: Promise<void> | null = null;

  /** Sends nothing yet. @throws {RaftError} `invalid_argument` without an endpoint */
  constructor(options: CoordinatorOptions) {
    const { transport, host = systemHost(), raw = false, session = true } = options;
    const { timeoutMs = 10_000, attemptTimeoutMs = 2000, minBackoffMs = 20, maxBackoffMs = 1000 } = options;
    const mode: CommandMode = raw ? "raw" : session ? "session" : "plain";
    this.#host = host;
    this.#transport = transport;
    this.#timeoutMs = timeoutMs;
    this.#attemptTimeoutMs = attemptTimeoutMs;
    this.#backoff = { firstMs: minBackoffMs, maxMs: maxBackoffMs };
    const { signal } = this.#closing;
    this.#finder = new LeaderFinder({
      transport,
      host,
      endpoints: options.endpoints,
      attemptTimeoutMs,
      signal,
      ...(options.endpointOf === undefined ? {} : { endpointOf: options.endpointOf }),
    });
    this.#proposals = new Proposals({
      transport,
      host,
      finder: this.#finder,
      mode,
      attemptTimeoutMs,
      signal,
      maxBatchCommands: options.maxBatchCommands ?? 1024,
      maxBatchBytes: options.maxBatchBytes ?? 1024 * 1024,
      maxInflightCalls: options.maxInflightCalls ?? 2,
      maxQueuedBytes: options.maxQueuedBytes ?? 64 * 1024 * 1024,
      minBackoffMs,
      maxBackoffMs,
    });
  }

  /** The endpoints given, and those learned from the membership. */
  get endpoints(): readonly string[] {
    return this.#finder.endpoints;
  }

  /** The commands that are under way. */
  get inFlight(): ProposalsInFlight {
    return this.#proposals.inFlight;
  }

  /**
   * Proposes a command. The bytes must not change before the outcome.
   *
   * @throws {RaftError} `timeout`, `aborted` or `closed`, with their outcome;
   * `session_expired`, outcome unknown; `busy` if too much waits here; and what
   * the cluster refuses for good, like `too_large`
   */
  propose(command: Uint8Array, options: ClientRequestOptions = {}): Promise<ProposeResult> {
    if (this.#closing.signal.aborted) return Promise.reject(abortedError(this.#closing.signal));
    return this.#proposals.propose(command, options.timeoutMs ?? this.#timeoutMs, options.signal);
  }

  /**
   * Asks the state machine. A `stale` question goes to any node, the others to the leader.
   *
   * @throws {RaftError} `timeout`, `aborted`, `closed`, or what the cluster refuses for good; always `rejected`
   */
  read(
    query: Uint8Array,
    options: ClientRequestOptions & {
      /** @default "linearizable" */
      readonly consistency?: Consistency;
    } = {},
  ): Promise<ReadResult> {
    const { consistency = "linearizable" } = options;
    return this.#retry(options, consistency !== "stale", (endpoint, signal) => {
      return this.#transport.read(endpoint, query, { consistency, signal });
    });
  }

  /**
   * Returns the status of a node: the one at `endpoint`, or the first to answer.
   *
   * @throws {RaftError} `unreachable`, `timeout`, `aborted` or `closed`
   */
  async status(options: ClientRequestOptions & { readonly endpoint?: string } = {}): Promise<NodeStatus> {
    const { endpoint, signal, timeoutMs = this.#timeoutMs } = options;
    const ask = (at: string) => (signal: AbortSignal): Promise<NodeStatus> => this.#transport.status(at, { signal });
    const signals = [signal, this.#closing.signal];
    if (endpoint === undefined) {
      return await this.#retry(options, false, (any, signal) => this.#transport.status(any, { signal }));
    }
    try {
      return await attempt(this.#host, timeoutMs, signals, ask(endpoint));
    } catch (error) {
      throw RaftError.from(error, "unreachable").withOutcome("rejected");
    }
  }

  /**
   * Finds the present leader by asking every endpoint.
   *
   * @throws {RaftError} `timeout` if no leader is found before the deadline; `aborted` or `closed`
   */
  leader(options: ClientRequestOptions = {}): Promise<KnownLeader> {
    return this.#retry(options, false, () => this.#finder.search());
  }

  /** Ends requests under way with `closed`, and closes the transport. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#closing.abort(closedError("the client"));
      await this.#transport.close?.();
    })();
    return this.#closed;
  }

  /** See {@linkcode Coordinator.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Repeats a request without an effect until it succeeds or the time is over. */
  async #retry<T>(
    { signal, timeoutMs = this.#timeoutMs }: ClientRequestOptions,
    atLeader: boolean,
    call: (endpoint: string, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#host;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    const signals = [signal, this.#closing.signal];
    const backoff = new Backoff(this.#host, this.#backoff.firstMs, this.#backoff.maxMs);
    let last: RaftError | null = null;
    for (;;) {
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) throw retriedTooLong(`no answer within ${timeoutMs} ms`, last);
      let endpoint: string | null = null;
      try {
        endpoint = atLeader
          ? await attempt(this.#host, leftMs, signals, () => this.#finder.find())
          : this.#finder.next();
        const to = endpoint;
        // The search for the leader has taken a part of the time.
        const attemptMs = Math.min(this.#attemptTimeoutMs, deadlineMs - clock.monotonicMs());
        const result = await attempt(this.#host, attemptMs, signals, (signal) => call(to, signal));
        if (atLeader) this.#finder.succeeded();
        return result;
      } catch (thrown) {
        const error = RaftError.from(thrown, "unreachable").withOutcome("rejected");
        last = mostTelling(last, error);
        if (!isRetryable(error) || signals.some((signal) => signal?.aborted)) throw error;
        if (atLeader && endpoint !== null && this.#finder.failed(endpoint, error)) continue;
        await pause(clock, Math.max(0, Math.min(backoff.nextMs(), deadlineMs - clock.monotonicMs())), ...signals);
        const fired = signals.find((signal) => signal?.aborted);
        if (fired !== undefined) throw abortedError(fired);
      }
    }
  }
}
