/**
 * Clients that record their requests and the answers.
 *
 * @module
 */

import { Coordinator } from "../../lib/client/mod.ts";
import { RaftError } from "../../lib/errors.ts";
import { KeyValueClient } from "../../lib/kv/client.ts";
import type { KeyValueInput, KeyValueOutput, Operation } from "../../simulation/linearizability/mod.ts";
import { createConnectClientTransport } from "../../transport/connect/mod.ts";
import { SharedKeys } from "./shared_keys.ts";

/** One operation of the history. */
export type Step = Operation<KeyValueInput, KeyValueOutput>;

/** The outcome of an operation: executed, its condition did not hold, unknown, certainly not executed. */
export type StepOutcome = "done" | "conflict" | "unknown" | "rejected";

/** A write of a key that no other request writes. */
export interface UniqueWrite {
  readonly key: string;
  readonly value: string;
  readonly outcome: StepOutcome;
  /** The version, if it was executed. */
  readonly version?: number;
}

/** The outcomes by kind: the operations of {@linkcode KeyValueInput}, and writes of unique keys. */
export type Counts = Map<KeyValueInput["type"] | "put a unique key", Record<StepOutcome, number>>;

/** Options of {@linkcode Clients}. */
export interface ClientsOptions {
  readonly endpoints: readonly string[];
  endpointOf(address: string): string | null;
  readonly random: () => number;
  /** The number of clients that follow the leader. Each node also has one that asks only this node. */
  readonly clients: number;
}

/** The number of concurrent operations of a client that follows the leader. */
const WORKERS = 2;
/** The longest pause of a worker between two operations: it gives enough load, and leaves the machine some time. */
const THINK_MS = 12;
/** Shorter than the default, so that some outcomes are unknown. */
const TIMEOUTS = { timeoutMs: 4000, attemptTimeoutMs: 1000 };
/** Short, so that a request is always under way when a paused node continues, and may still consider itself the leader. */
const BOUND_TIMEOUTS = { timeoutMs: 1000, attemptTimeoutMs: 500 };

/** All clients of a run. */
export class Clients {
  /** The operations on shared keys, except for rejected ones, which did not happen. */
  readonly history: Step[] = [];
  readonly unique: UniqueWrite[] = [];
  readonly counts: Counts = new Map();
  /** Errors other than outcomes. */
  readonly failures: unknown[] = [];
  readonly #options: ClientsOptions;
  readonly #keys: SharedKeys;
  readonly #coordinators: Coordinator[] = [];
  readonly #loops: Promise<void>[] = [];
  #acknowledged = 0;
  #lastMs = performance.now();
  #longestGapMs = 0;
  #stopping = false;

  /** Starts all clients. */
  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#keys = new SharedKeys(options.random);
    for (let n = 1; n <= options.clients; n++) this.#begin(`c${n}`, connect(options), WORKERS);
    for (const [at, endpoint] of options.endpoints.entries()) this.#begin(`at-n${at + 1}`, connectTo(endpoint), 1);
  }

  #begin(client: string, coordinator: Coordinator, workers: number): void {
    this.#coordinators.push(coordinator);
    const kv = new KeyValueClient(coordinator);
    for (let worker = 1; worker <= workers; worker++) {
      this.#loops.push(this.#work(`${client}.${worker}`, kv).catch((error) => void this.failures.push(error)));
    }
  }

  /** The number of operations with an answer from the cluster. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The longest time without any answer, of all clients together. */
  get longestGapMs(): number {
    return Math.max(this.#longestGapMs, this.currentGapMs);
  }

  /** The time since the last answer, of all clients together; 0 once they were stopped. */
  get currentGapMs(): number {
    return this.#stopping ? 0 : performance.now() - this.#lastMs;
  }

  /** Stops all clients; operations under way get their outcomes first. */
  async stop(): Promise<void> {
    this.#longestGapMs = this.longestGapMs;
    this.#stopping = true;
    await Promise.all(this.#loops);
    await Promise.all(this.#coordinators.map((coordinator) => coordinator.close()));
  }

  async #work(client: string, kv: KeyValueClient): Promise<void> {
    const { random } = this.#options;
    for (let n = 1; !this.#stopping; n++) {
      if (random() < 0.25) await this.#putUnique(client, n, kv);
      else await this.#onShared(client, this.#keys.input(`${client} ${n}`), kv);
      await new Promise((resolve) => setTimeout(resolve, random() * THINK_MS));
    }
  }

  async #putUnique(client: string, n: number, kv: KeyValueClient): Promise<void> {
    const [key, value] = [`unique/${client}/${n}`, `of ${client} ${n}`];
    try {
      const { version } = await kv.put(key, value);
      this.unique.push({ key, value, outcome: "done", version });
      this.#count("put a unique key", "done");
    } catch (error) {
      const outcome = outcomeOf(error);
      this.unique.push({ key, value, outcome });
      this.#count("put a unique key", outcome);
    }
  }

  async #onShared(client: string, input: KeyValueInput, kv: KeyValueClient): Promise<void> {
    const asked = { client, input, call: performance.now() };
    try {
      const output = await ask(kv, input);
      this.history.push({ ...asked, output, return: performance.now() });
      const conflict = output !== null && "currentVersion" in output;
      this.#count(input.type, conflict ? "conflict" : "done");
      this.#keys.saw(input.key, output);
    } catch (error) {
      // A read without an answer proves nothing.
      const outcome = outcomeOf(error);
      if (outcome === "unknown") this.history.push({ ...asked, return: Number.POSITIVE_INFINITY });
      this.#count(input.type, outcome);
      this.#keys.failed(input.key);
    }
  }

  #count(kind: Parameters<Counts["get"]>[0], outcome: StepOutcome): void {
    const counts = this.counts.get(kind) ?? { done: 0, conflict: 0, unknown: 0, rejected: 0 };
    counts[outcome]++;
    this.counts.set(kind, counts);
    if (outcome === "unknown" || outcome === "rejected") return;
    this.#acknowledged++;
    const now = performance.now();
    if (!this.#stopping) this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastMs);
    this.#lastMs = now;
  }
}

/** Connects to one node, which forwards requests to the leader: it may be a leader that was deposed. */
function connectTo(endpoint: string): Coordinator {
  const transport = createConnectClientTransport({ forward: true });
  return new Coordinator({ endpoints: [endpoint], endpointOf: () => endpoint, transport, ...BOUND_TIMEOUTS });
}

/** Connects to the cluster; the client follows the leader. */
export function connect(options: Pick<ClientsOptions, "endpoints" | "endpointOf">, timeouts = TIMEOUTS): Coordinator {
  const { endpoints } = options;
  const endpointOf = (address: string): string | null => options.endpointOf(address);
  return new Coordinator({ endpoints, endpointOf, transport: createConnectClientTransport(), ...timeouts });
}

/** Reads all keys, after all clients have stopped, so that no page is older than another. */
export async function readAll(coordinator: Coordinator): Promise<Map<string, { value: string; version: number }>> {
  const kv = new KeyValueClient(coordinator);
  const held = new Map<string, { value: string; version: number }>();
  const decoder = new TextDecoder();
  let startAfter: Uint8Array | undefined;
  for (;;) {
    const { entries, more } = await kv.list({ limit: 1000, ...(startAfter === undefined ? {} : { startAfter }) });
    for (const { key, value, version } of entries) {
      held.set(decoder.decode(key), { value: decoder.decode(value), version });
    }
    if (!more) return held;
    startAfter = entries.at(-1)!.key;
  }
}

/** Returns the outcome of a RaftError; any other error ends the worker. */
function outcomeOf(error: unknown): "unknown" | "rejected" {
  if (!(error instanceof RaftError)) throw error;
  return error.outcome;
}

async function ask(kv: KeyValueClient, input: KeyValueInput): Promise<KeyValueOutput> {
  switch (input.type) {
    case "get": {
      const found = await kv.get(input.key);
      return found.value === undefined
        ? null
        : { value: new TextDecoder().decode(found.value), version: found.version };
    }
    case "put":
      return await kv.put(input.key, input.value);
    case "delete":
      return await kv.delete(input.key);
    case "compareAndSet":
      return await kv.compareAndSet(input.key, input.expectedVersion, input.value);
  }
}
