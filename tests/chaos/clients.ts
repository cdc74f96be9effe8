/**
 * Clients that write down what they asked and what came back.
 *
 * @module
 */

import { Coordinator } from "../../lib/client/mod.ts";
import { RaftError } from "../../lib/errors.ts";
import { KeyValueClient } from "../../lib/kv/mod.ts";
import type { KeyValueInput, KeyValueOutput, Operation } from "../../simulation/linearizability/mod.ts";
import { connectClientTransport } from "../../transport/connect/mod.ts";
import { SharedKeys } from "./shared_keys.ts";

/** One operation of the history. */
export type Step = Operation<KeyValueInput, KeyValueOutput>;

/** How operations end: carried out, its condition did not hold, nobody knows, certainly not carried out. */
export type StepOutcome = "done" | "conflict" | "unknown" | "rejected";

/** A write of a key that nobody else ever writes. */
export interface UniqueWrite {
  readonly key: string;
  readonly value: string;
  readonly outcome: StepOutcome;
  /** If it is done. */
  readonly version?: number;
}

/** What clients did, by kind: the operations of {@linkcode KeyValueInput}, and writes of unique keys. */
export type Counts = Map<KeyValueInput["type"] | "put a unique key", Record<StepOutcome, number>>;

/** Options of {@linkcode Clients}. */
export interface ClientsOptions {
  readonly endpoints: readonly string[];
  endpointOf(address: string): string | null;
  readonly random: () => number;
  /** Clients that follow the leader. Besides, each node has one that asks nobody else. */
  readonly clients: number;
}

/** Operations that a client which follows the leader has under way at a time. */
const WORKERS = 2;
/** What a worker waits between two operations, at most: enough load, and a machine that is not busy with load alone. */
const THINK_MS = 12;
/** Short beside the default, so that some outcomes are unknown. */
const TIMEOUTS = { timeoutMs: 4000, attemptTimeoutMs: 1000 };
/** So that a question is under way whenever a node that stood still wakes up, and may still think that it leads. */
const BOUND_TIMEOUTS = { timeoutMs: 1000, attemptTimeoutMs: 500 };

/** All clients of a run. */
export class Clients {
  /** Operations on shared keys. Rejected ones are left out: they did not happen. */
  readonly history: Step[] = [];
  readonly unique: UniqueWrite[] = [];
  readonly counts: Counts = new Map();
  /** Errors that are no outcome. */
  readonly failures: unknown[] = [];
  readonly #options: ClientsOptions;
  readonly #keys: SharedKeys;
  readonly #coordinators: Coordinator[] = [];
  readonly #loops: Promise<void>[] = [];
  #acknowledged = 0;
  #lastMs = performance.now();
  #longestGapMs = 0;
  #stopping = false;

  /** Begins at once. */
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

  /** Operations with an answer from the cluster. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The longest time without any answer, of all clients together. */
  get longestGapMs(): number {
    return Math.max(this.#longestGapMs, this.#stopping ? 0 : performance.now() - this.#lastMs);
  }

  /** Ends them; what is under way gets its outcome first. */
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
      // A read without an answer says nothing.
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

/** A client that asks one node only, which passes on what is for the leader: so it may meet a leader that is none any more. */
function connectTo(endpoint: string): Coordinator {
  const transport = connectClientTransport({ forward: true });
  return new Coordinator({ endpoints: [endpoint], endpointOf: () => endpoint, transport, ...BOUND_TIMEOUTS });
}

/** A client of the cluster, which follows the leader. */
export function connect(options: Pick<ClientsOptions, "endpoints" | "endpointOf">, timeouts = TIMEOUTS): Coordinator {
  const { endpoints } = options;
  const endpointOf = (address: string): string | null => options.endpointOf(address);
  return new Coordinator({ endpoints, endpointOf, transport: connectClientTransport(), ...timeouts });
}

/** Everything that the cluster holds: read after all clients have stopped, so that no page is older than another. */
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

/** Anything but a RaftError is no outcome, and ends the worker. */
function outcomeOf(error: unknown): "unknown" | "rejected" {
  if (!(error instanceof RaftError)) throw error;
  return error.outcome;
}

async function ask(kv: KeyValueClient, input: KeyValueInput): Promise<KeyValueOutput> {
  switch (input.type) {
    case "get": {
      const found = await kv.get(input.key);
      return found === null ? null : { value: new TextDecoder().decode(found.value), version: found.version };
    }
    case "put":
      return await kv.put(input.key, input.value);
    case "delete":
      return await kv.delete(input.key);
    case "compareAndSet":
      return await kv.compareAndSet(input.key, input.expectedVersion, input.value);
  }
}
