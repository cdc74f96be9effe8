/**
 * The server of a node: it answers clients, and carries out at the leader what only that
 * can do, as hosting/ and ClientService have it.
 */

import { ForwardBudget } from "../../hosting/forward_budget.ts";
import { atLeader } from "../../hosting/forward.ts";
import type { Work } from "../../hosting/forward.ts";
import { LeaderSearch } from "../../hosting/leader_search.ts";
import type { ClientTransport } from "../../lib/client/mod.ts";
import { RaftError, retryOf } from "../../lib/errors.ts";
import type { RaftNode } from "../../lib/node/mod.ts";
import { tabCalls, unary } from "../../transport/packet/methods.ts";
import type { CallMethods } from "../../transport/packet/methods.ts";
import { clientOver } from "../../transport/wire/client_codec.ts";
import { clientService } from "../../transport/wire/client_service.ts";
import type { LeaderForwarding } from "../../transport/wire/client_service.ts";
import { wireError } from "../../transport/wire/error_detail.ts";
import { ClientService } from "../../transport/wire/gen/raft/v1/client_pb.ts";
import type { Plan } from "../plan.ts";
import type { Answers, PeerPath } from "./peer_calls.ts";
import { PeerCalls } from "./peer_calls.ts";
import type { Process } from "./process.ts";

/** The options of one request that goes to the leader. */
type RunOptions = Parameters<LeaderForwarding["run"]>[1];

export interface RequestServerOptions extends PeerPath {
  readonly plan: Plan;
  readonly node: RaftNode;
  readonly process: Process;
}

/** The server of one process. */
export class RequestServer implements Answers {
  readonly budget: ForwardBudget;
  /** Calls this server, with the bytes of the wire. The endpoint does not matter. */
  readonly client: ClientTransport;
  readonly #options: RequestServerOptions;
  readonly #methods: CallMethods;
  /** The signals of requests that another node has forwarded. */
  readonly #forwarded = new WeakSet<AbortSignal>();
  /** The requests under way that only a leader can carry out, and when each began. */
  readonly #underWay = new Map<Promise<unknown>, number>();
  /** The sizes of the requests that are with the leader. */
  readonly #onTheirWay: number[] = [];
  readonly #search: LeaderSearch;
  readonly #ending = new AbortController();

  constructor(options: RequestServerOptions) {
    const { plan, node, process } = options;
    const peers = new PeerCalls(options, process.actor, process);
    this.#options = options;
    this.budget = new ForwardBudget(plan.forwards);
    const service = clientService({
      node,
      forwarding: { client: peers.client, run: (work, call) => this.#run(work, call) },
    });
    const { propose, read, status } = ClientService.method;
    this.#methods = {
      ...unary(propose, service.propose),
      ...unary(read, service.read),
      ...unary(status, service.status),
    };
    const transport = {
      call: (_to: string, method: string, request: Uint8Array, call?: { readonly signal?: AbortSignal }) =>
        this.answer(method, request, call?.signal ?? new AbortController().signal, false),
    };
    this.client = clientOver((endpoint, call) => tabCalls(transport, endpoint, call), () => false);
    const { clock } = process;
    const { electionTimeoutMs } = plan.node;
    this.#search = new LeaderSearch({ node, client: peers.client, clock, electionTimeoutMs });
    void this.#search.run(this.#ending.signal);
  }

  /** The time since which the oldest request for the leader is under way; `null` if there is none. */
  get oldestUs(): number | null {
    for (const sinceUs of this.#underWay.values()) return sinceUs;
    return null;
  }

  /** See {@linkcode Answers}. */
  async answer(method: string, request: Uint8Array, signal: AbortSignal, forwarded: boolean): Promise<Uint8Array> {
    // A server that has stopped listening refuses connections.
    if (this.#ending.signal.aborted) throw new RaftError("unreachable", "the server has ended");
    const controller = new AbortController();
    const end = (): void => controller.abort();
    if (signal.aborted) end();
    const signals = [signal, this.#ending.signal];
    for (const each of signals) each.addEventListener("abort", end);
    if (forwarded) this.#forwarded.add(controller.signal);
    const { clock } = this.#options.process;
    const beganMs = clock.monotonicMs();
    try {
      return await this.#methods[method]!(request, { signal: controller.signal });
    } catch (error) {
      if (!forwarded && !controller.signal.aborted) this.#checkPatience(error, clock.monotonicMs() - beganMs);
      throw wireError(error);
    } finally {
      for (const each of signals) each.removeEventListener("abort", end);
    }
  }

  /** Ends everything, as a server that is closed in order does. */
  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.allSettled([...this.#underWay.keys()]);
  }

  /** Checks the limits of what is with the leader now; a single request may be larger. */
  #checkBudget(): void {
    const { maxForwardedRequests = Infinity, maxForwardedBytes = Infinity } = this.#options.plan.forwards;
    const requests = this.#onTheirWay.length;
    const bytes = this.#onTheirWay.reduce((sum, each) => sum + each, 0);
    if (requests > maxForwardedRequests) this.#unbounded(`${requests} requests, and may ${maxForwardedRequests}`);
    if (requests > 1 && bytes > maxForwardedBytes) this.#unbounded(`${bytes} bytes, and may ${maxForwardedBytes}`);
  }

  /** Checks that no client was refused for want of a leader before the time is over. (Commands that were handed over tell in their results.) */
  #checkPatience(error: unknown, waitedMs: number): void {
    const { run, traits, node, process } = this.#options;
    const { lifecycle, removed } = node.status();
    if (!(error instanceof RaftError) || retryOf(error.code) !== "leader" || error.outcome === "unknown") return;
    if (lifecycle !== "running" || removed || waitedMs > traits.timeoutMs - 1) return;
    run.report("liveness", `${process.actor.name} gives a request up as ${error.code} after ${waitedMs} ms`);
  }

  #unbounded(what: string): void {
    const { run, process } = this.#options;
    run.report("forwarding is bounded", `${process.actor.name} forwards ${what}`);
  }

  /** Carries a request out at the leader, and checks that it goes at most one hop, with few others. */
  async #run<Result>(work: Work<Result>, call: RunOptions): Promise<Result> {
    const { run, traits, node, process } = this.#options;
    const isForwarded = this.#forwarded.has(call.signal);
    const there: Work<Result>["there"] = async (leader, signal) => {
      run.trace.count("request forwarded");
      if (isForwarded) this.#unbounded(`to ${leader.id} what another node has forwarded`);
      this.#onTheirWay.push(call.bytes);
      this.#checkBudget();
      try {
        return await work.there(leader, signal);
      } finally {
        this.#onTheirWay.splice(this.#onTheirWay.indexOf(call.bytes), 1);
      }
    };
    const running = atLeader(node, { here: work.here, there }, {
      timeoutMs: traits.timeoutMs,
      budget: this.budget,
      reason: () => this.#search.reason(),
      clock: process.clock,
      ...call,
    });
    this.#underWay.set(running, run.scheduler.nowUs);
    try {
      return await running;
    } finally {
      this.#underWay.delete(running);
    }
  }
}
