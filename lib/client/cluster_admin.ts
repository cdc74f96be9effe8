/**
 * The operator's client of a cluster.
 */

import { Backoff } from "../backoff.ts";
import type { Host } from "../clock.ts";
import { abortedError, isRetryable, RaftError, retryOf } from "../errors.ts";
import { systemHost } from "../host.ts";
import type { MembershipTarget, NodeStatus } from "../node/types.ts";
import { pause } from "../pause.ts";
import type { Membership, NodeId } from "../raft/types.ts";
import type { AdminCalls, AdminMethod, NewMember } from "./admin_calls.ts";
import { attempt, mostTelling } from "./attempts.ts";
import type { AdminTransport } from "./client_transport.ts";
import type { ClientRequestOptions } from "./coordinator.ts";
import { LeaderFinder } from "./leader_finder.ts";

/** Options of {@linkcode ClusterAdmin}. Times in milliseconds. */
export interface ClusterAdminOptions {
  /** Where to begin: at least one, or a function that returns those of the moment. The other members are learned. */
  readonly endpoints: readonly string[] | (() => readonly string[]);
  /** Reaches the nodes; the caller closes it. */
  readonly transport: AdminTransport;
  /** Clock, random source and task queue. @default systemHost() */
  readonly host?: Host;
  /** How long a request may take, all attempts together; 10 s of it without a leader. A new voter has to catch up within it. @default 60000 */
  readonly timeoutMs?: number;
  /** How long to wait for one node before another is tried, if repeating the request is harmless. @default 10000 */
  readonly attemptTimeoutMs?: number;
  /** The first pause after a failure; each is twice the one before, with jitter. @default 100 */
  readonly minBackoffMs?: number;
  /** The longest pause. @default 1000 */
  readonly maxBackoffMs?: number;
  /** Returns the endpoint of a member by its address in the membership; `null` if it has none. @default the address itself */
  readonly endpointOf?: (address: string) => string | null;
}

/** Options of each request. */
export interface AdminRequestOptions extends ClientRequestOptions {
  /**
   * Waits out `not_ready`, `busy` and `membership_change_in_progress` instead of
   * failing with them. `add` waits for a new voter to catch up in any case.
   *
   * @default false
   */
  readonly waitUntilReady?: boolean;
  /** Called with the error of each attempt that another follows. */
  readonly onRetry?: (error: RaftError) => void;
}

/** The members of a cluster, as one node has them: the leader, if it can be asked. */
export type MemberList = Pick<
  NodeStatus,
  "clusterId" | "leader" | "members" | "membership" | "membershipIndex" | "membershipCommitted"
>;

/** The extra time to wait for an answer, because a node answers at its deadline. */
const GRACE_MS = 250;
/** The time limit for a node's status. */
const STATUS_TIMEOUT_MS = 2000;
/** The time after which the lack of a leader is no election: an operator has to know of it. */
const NO_LEADER_MS = 10_000;
/** The longest that a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Adds, promotes, demotes and removes members, transfers leadership and takes
 * snapshots, wherever the leader is.
 *
 * Requests follow the leader and are repeated until their deadline, as long as
 * that is safe: an attempt whose outcome is unknown is followed by another one
 * only where carrying it out twice does no harm. That is so for `add`, `promote`
 * and `demote`, which change nothing where it is done already; for `remove`,
 * which then finds no such member; and for `transferLeadership` to a given node.
 * `change`, and `transferLeadership` to any node, end with the unknown outcome.
 *
 * Every failure is a {@linkcode RaftError}: the last attempt's, with the outcome
 * of all attempts together.
 *
 * @example
 * ```ts
 * import { ClusterAdmin } from "./lib/client/cluster_admin.ts";
 * import { createConnectClientTransport } from "./transport/connect/mod.ts";
 *
 * const transport = createConnectClientTransport();
 * const admin = new ClusterAdmin({ endpoints: ["http://127.0.0.1:7001"], transport });
 * const { voters } = await admin.add({ id: "n4", address: "127.0.0.1:7004" });
 * console.log(voters);
 * ```
 */
export class ClusterAdmin {
  readonly #host: Host;
  readonly #transport: AdminTransport;
  readonly #finder: LeaderFinder;
  readonly #timeoutMs: number;
  readonly #attemptTimeoutMs: number;
  readonly #backoffMs: readonly [number, number];

  /** Sends nothing yet. @throws {RaftError} `invalid_argument` without an endpoint */
  constructor(options: ClusterAdminOptions) {
    const { transport, host = systemHost(), timeoutMs = 60_000, attemptTimeoutMs = 10_000 } = options;
    this.#host = host;
    this.#transport = transport;
    this.#timeoutMs = timeoutMs;
    this.#attemptTimeoutMs = attemptTimeoutMs;
    this.#backoffMs = [options.minBackoffMs ?? 100, options.maxBackoffMs ?? 1000];
    this.#finder = new LeaderFinder({
      transport,
      host,
      endpoints: options.endpoints,
      attemptTimeoutMs: Math.min(attemptTimeoutMs, STATUS_TIMEOUT_MS),
      ...(options.endpointOf === undefined ? {} : { endpointOf: options.endpointOf }),
    });
  }

  /** Adds a node: as a learner at first, then as a voter unless it is to stay one (dissertation §4.2.1). */
  add(member: NewMember, options: AdminRequestOptions = {}): Promise<Membership> {
    return this.#call("addMember", member, true, { ...options, waitUntilReady: true });
  }

  /** Makes a learner a voter. @throws {RaftError} `not_ready` while it is too far behind */
  promote(id: NodeId, options: AdminRequestOptions = {}): Promise<Membership> {
    return this.#call("promoteMember", { id }, true, options);
  }

  /** Makes a voter a learner. */
  demote(id: NodeId, options: AdminRequestOptions = {}): Promise<Membership> {
    return this.#call("demoteMember", { id }, true, options);
  }

  /** Removes a member. @throws {RaftError} `refused` if the others could not form a quorum, `invalid_argument` if there is no such member */
  async remove(id: NodeId, options: AdminRequestOptions = {}): Promise<Membership> {
    try {
      return await this.#call("removeMember", { id }, true, options);
    } catch (error) {
      // It is gone, so an earlier attempt with an unknown outcome has removed it.
      const gone = error instanceof RaftError && error.code === "invalid_argument" && error.outcome === "unknown";
      if (!gone) throw error;
      return (await this.members(options)).membership;
    }
  }

  /** Sets all members at once, through a joint configuration where needed. */
  change(target: MembershipTarget, options: AdminRequestOptions = {}): Promise<Membership> {
    return this.#call("changeMembership", target, false, options);
  }

  /** Transfers leadership to a voter, or to the most up-to-date one without `to`; returns the new leader's name. */
  transferLeadership(to?: NodeId, options: AdminRequestOptions = {}): Promise<NodeId> {
    return this.#call("transferLeadership", to === undefined ? {} : { to }, to !== undefined, options);
  }

  /** Makes the node at an endpoint take a snapshot, and returns the last index it covers. Tried once. */
  async takeSnapshot(endpoint: string, options: ClientRequestOptions = {}): Promise<number> {
    const { signal, timeoutMs = this.#timeoutMs } = options;
    return await attempt(this.#host, timeoutMs + GRACE_MS, [signal], (signal) => {
      return this.#transport.admin(endpoint, "takeSnapshot", {}, { signal, timeoutMs });
    });
  }

  /** Returns the members. @throws {RaftError} `unreachable` or `timeout` if no node answers; always `rejected` */
  async members(options: AdminRequestOptions = {}): Promise<MemberList> {
    const { clusterId, leader, members, membership, membershipIndex, membershipCommitted } = await this.#retry(
      (endpoint, signal) => this.#transport.status(endpoint, { signal }),
      { ...options, harmless: true, anywhere: true },
    );
    return { clusterId, leader, members, membership, membershipIndex, membershipCommitted };
  }

  #call<Method extends AdminMethod>(
    method: Method,
    request: AdminCalls[Method]["request"],
    harmless: boolean,
    options: AdminRequestOptions,
  ): Promise<AdminCalls[Method]["answer"]> {
    const call = (endpoint: string, signal: AbortSignal, timeoutMs: number) =>
      this.#transport.admin(endpoint, method, request, { signal, timeoutMs });
    return this.#retry<AdminCalls[Method]["answer"]>(call, { ...options, harmless, anywhere: false });
  }

  /** Calls the leader until it works, fails for good, or the time is over. */
  async #retry<T>(
    call: (endpoint: string, signal: AbortSignal, timeoutMs: number) => Promise<T>,
    options: AdminRequestOptions & { readonly harmless: boolean; readonly anywhere: boolean },
  ): Promise<T> {
    const { signal, timeoutMs = this.#timeoutMs, harmless, anywhere } = options;
    const { clock } = this.#host;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    /** The time since when no attempt has found a leader. */
    let leaderlessMs = Infinity;
    const backoff = new Backoff(this.#host, ...this.#backoffMs);
    let told: RaftError | null = null;
    let inDoubt = false;
    let detour = false;
    for (;;) {
      const leftMs = Math.max(0, Math.min(deadlineMs - clock.monotonicMs(), MAX_TIMER_MS - GRACE_MS));
      let endpoint: string | null = null;
      try {
        const to = endpoint = detour ? this.#finder.next() : await this.#leader(leftMs, signal, anywhere);
        const attemptMs = harmless ? Math.min(leftMs, this.#attemptTimeoutMs) : leftMs;
        const answer = await attempt(this.#host, attemptMs + GRACE_MS, [signal], (signal) => {
          return call(to, signal, attemptMs);
        });
        this.#finder.succeeded();
        return answer;
      } catch (thrown) {
        const failure = RaftError.from(thrown, "unreachable");
        const error = byNode(failure, signal);
        // A search, and a question about the members, change nothing.
        if (endpoint !== null && !anywhere && error.outcome === "unknown") inDoubt = true;
        const outcome = inDoubt ? "unknown" : "rejected";
        if (signal?.aborted) throw abortedError(signal, outcome);
        told = mostTelling(told, error);
        const final = !this.#isWorthRepeating(error, harmless || !inDoubt, options.waitUntilReady === true, detour);
        if (final) throw error.withOutcome(outcome);
        const pauseMs = backoff.nextMs();
        if (error.code !== "no_leader") leaderlessMs = Infinity;
        else leaderlessMs = Math.min(leaderlessMs, clock.monotonicMs());
        const untilMs = Math.min(deadlineMs, leaderlessMs + NO_LEADER_MS);
        if (clock.monotonicMs() + pauseMs > untilMs) throw told.withOutcome(outcome);
        options.onRetry?.(error);
        const hinted = endpoint !== null && !detour && this.#finder.failed(endpoint, failure);
        // A leader that is unreachable from here may be reachable for another node, which forwards the request.
        detour = !detour && endpoint !== null && (error.code === "unreachable" || error.code === "timeout");
        if (!hinted) await pause(clock, pauseMs, signal);
        if (signal?.aborted) throw abortedError(signal, outcome);
      }
    }
  }

  async #leader(leftMs: number, signal: AbortSignal | undefined, anywhere: boolean): Promise<string> {
    try {
      return await attempt(this.#host, leftMs, [signal], () => this.#finder.find());
    } catch (error) {
      if (anywhere && !signal?.aborted) return this.#finder.next();
      throw error;
    }
  }

  /** Reports whether another attempt is safe and has a chance. */
  #isWorthRepeating(error: RaftError, harmless: boolean, waitUntilReady: boolean, detour: boolean): boolean {
    // That detour was not a node that forwards requests.
    if (error.code === "unsupported") return detour;
    if (!isRetryable(error, harmless)) return false;
    return retryOf(error.code) !== "later" || error.code === "timeout" || waitUntilReady;
  }
}

/** Returns the error of a node that has given a request up: at the deadline that it was told, unless the caller did. */
function byNode(error: RaftError, signal: AbortSignal | undefined): RaftError {
  if (error.code !== "aborted" || signal?.aborted) return error;
  const { message, outcome, hint, leader } = error;
  return new RaftError("timeout", message, { outcome, hint, leader, cause: error });
}
