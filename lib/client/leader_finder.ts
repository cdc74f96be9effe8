/**
 * The search for the leader among known endpoints.
 */

import type { Host } from "../clock.ts";
import { RaftError } from "../errors.ts";
import type { NodeStatus } from "../node/types.ts";
import { attempt } from "./attempts.ts";
import type { ClientTransport } from "./client_transport.ts";

/** Options of {@linkcode LeaderFinder}. */
export interface LeaderFinderOptions {
  readonly transport: Pick<ClientTransport, "status">;
  readonly host: Host;
  readonly endpoints: readonly string[] | (() => readonly string[]);
  readonly attemptTimeoutMs: number;
  /** Fires when the client is closed. */
  readonly signal?: AbortSignal;
  /** Returns the endpoint of a member by its address; `null` if it has none. @default the address, unless empty */
  readonly endpointOf?: (address: string) => string | null;
}

/** A leader and its endpoint. */
export interface KnownLeader {
  /** The leader's name. */
  readonly id: string;
  /** Its address in the membership. */
  readonly address: string;
  /** The endpoint at which this client reaches it. */
  readonly endpoint: string;
  /** The term that it leads. */
  readonly term: number;
}

/** The time for other nodes to name a newer leader, once one was named. */
const GRACE_MS = 50;
/** The largest number of hints followed without a pause: two nodes may name each other for a while. */
const MAX_HOPS = 3;

/** A search for the leader, by hints and, without one, by asking every endpoint. */
export class LeaderFinder {
  readonly #options: LeaderFinderOptions;
  readonly #given: () => readonly string[];
  readonly #endpointOf: (address: string) => string | null;
  #learned: readonly string[] = [];
  #learnedIndex = -1;
  #leader: string | null = null;
  #hops = 0;
  /** A node that didn't answer as a leader, and the time until which hints to it are ignored. */
  #avoided: { readonly endpoint: string; readonly untilMs: number } | null = null;
  #turn = 0;
  #search: Promise<KnownLeader> | null = null;

  constructor(options: LeaderFinderOptions) {
    const { endpoints, endpointOf = (address) => address === "" ? null : address } = options;
    if (endpoints.length === 0 && typeof endpoints !== "function") {
      throw new RaftError("invalid_argument", "at least one endpoint is needed");
    }
    const given = typeof endpoints === "function" ? endpoints : [...endpoints];
    this.#given = typeof given === "function" ? given : () => given;
    this.#endpointOf = endpointOf;
    this.#options = options;
  }

  /** The endpoint of the presumed leader. */
  get leader(): string | null {
    return this.#leader;
  }

  /** The endpoints: the given ones first, then those from the membership. */
  get endpoints(): readonly string[] {
    return [...new Set([...this.#given(), ...this.#learned])];
  }

  /** Returns an endpoint, each in turn. */
  next(): string {
    const { endpoints } = this;
    const endpoint = endpoints[this.#turn++ % endpoints.length];
    if (endpoint === undefined) throw new RaftError("unreachable", "no endpoint is known yet");
    return endpoint;
  }

  /** Finds the leader's endpoint. @throws {RaftError} `no_leader`, `not_a_member` or `unreachable`, after every endpoint was asked */
  async find(): Promise<string> {
    return this.#leader ?? (await this.search()).endpoint;
  }

  /** Asks every endpoint for the leader. Concurrent searches are shared. */
  search(): Promise<KnownLeader> {
    this.#search ??= this.#ask().finally(() => this.#search = null);
    return this.#search;
  }

  /** Notes that a call to `endpoint` as the leader succeeded. */
  succeeded(): void {
    this.#hops = 0;
  }

  /** Notes that a call to `endpoint` failed; returns true if there is a new leader to try at once. */
  failed(endpoint: string, error: RaftError): boolean {
    if (error.code === "busy") return false;
    if (error.code === "timeout") {
      const untilMs = this.#options.host.clock.monotonicMs() + this.#options.attemptTimeoutMs;
      this.#avoided = { endpoint, untilMs };
    }
    // Another call may have found a new leader since.
    if (this.#leader !== endpoint && this.#leader !== null) return true;
    this.#leader = null;
    const hint = error.leader === undefined ? null : this.#endpointOf(error.leader.address);
    if (hint === null || hint === endpoint || this.#avoids(hint) || ++this.#hops > MAX_HOPS) {
      this.#hops = 0;
      return false;
    }
    this.#leader = hint;
    return true;
  }

  async #ask(): Promise<KnownLeader> {
    const answers: NodeStatus[] = [];
    const errors: RaftError[] = [];
    await this.#gather(answers, errors);
    const asked = this.endpoints;
    this.#learn(answers);
    // A node that was removed still knows members.
    if (answers.length > 0 && answers.every(({ removed }) => removed)) {
      await this.#gather(answers, errors, this.endpoints.filter((endpoint) => !asked.includes(endpoint)));
      this.#learn(answers);
    }
    let best: KnownLeader | null = null;
    let silent: string | null = null;
    for (const { leader, term, lifecycle } of answers) {
      const endpoint = leader === null ? null : this.#endpointOf(leader.address);
      if (leader === null || endpoint === null || lifecycle !== "running") continue;
      if (this.#avoids(endpoint)) {
        silent = endpoint;
        continue;
      }
      // A deposed leader may still consider itself the leader: the highest term is right.
      if (best === null || term > best.term) best = { ...leader, endpoint, term };
    }
    if (best !== null) {
      this.#leader = best.endpoint;
      return best;
    }
    if (silent !== null) throw new RaftError("unreachable", `the leader, at ${silent}, does not answer`);
    if (answers.length > 0 && answers.every(({ removed }) => removed)) {
      const names = answers.map(({ id }) => id).join(", ");
      const were = answers.length === 1 ? "was" : "were";
      throw new RaftError("not_a_member", `${names} ${were} removed from the cluster`);
    }
    if (answers.length > 0) {
      const message = answers.length === 1
        ? "the one node that answers knows no leader to ask"
        : `none of the ${answers.length} nodes that answer knows a leader to ask`;
      throw new RaftError("no_leader", message);
    }
    throw new RaftError("unreachable", `no endpoint answers: ${this.endpoints.join(", ")}`, {
      cause: errors[0],
      hint: "Check the addresses, and that the nodes run.",
    });
  }

  /** Asks all, and waits until all have answered, or for the grace time after the first answer that names a leader. */
  async #gather(answers: NodeStatus[], errors: RaftError[], endpoints = this.endpoints): Promise<void> {
    const { host, transport, attemptTimeoutMs } = this.#options;
    const enough = new AbortController();
    let cancelGrace: (() => void) | null = null;
    const asked = endpoints.map(async (endpoint) => {
      try {
        const answer = await attempt(
          host,
          attemptTimeoutMs,
          [this.#options.signal, enough.signal],
          (signal) => transport.status(endpoint, { signal }),
        );
        answers.push(answer);
        if (answer.leader === null) return;
        cancelGrace ??= host.clock.setTimer(GRACE_MS, () => enough.abort());
      } catch (error) {
        errors.push(RaftError.from(error, "unreachable"));
      }
    });
    await Promise.all(asked);
    (cancelGrace as (() => void) | null)?.();
  }

  #learn(answers: readonly NodeStatus[]): void {
    for (const { membershipIndex, members } of answers) {
      if (membershipIndex <= this.#learnedIndex) continue;
      this.#learnedIndex = membershipIndex;
      this.#learned = members.map(({ address }) => this.#endpointOf(address))
        .filter((endpoint) => endpoint !== null);
    }
  }

  #avoids(endpoint: string): boolean {
    if (this.#avoided?.endpoint !== endpoint) return false;
    return this.#options.host.clock.monotonicMs() < this.#avoided.untilMs;
  }
}
