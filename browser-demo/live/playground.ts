/**
 * Reads and writes keys as any client would, and says which node answered.
 *
 * @module
 */

import { Coordinator, decodeGetAnswer, encodeGet, KeyValueClient, RaftError } from "../../mod.ts";
import type { ClientTransport, NodeId } from "../../mod.ts";
import type { KeyValueAnswer } from "../source.ts";

/** What a {@linkcode Playground} needs. */
export interface PlaygroundOptions {
  readonly client: ClientTransport;
  /** Whom to ask now: the cluster may outlive all those with whom it began. */
  endpoints(): readonly string[];
  /** The name of the node at an address. */
  nameOf(address: string): NodeId;
  addressOf(id: NodeId): string;
}

/** A leader may have to be elected first. */
const TIMEOUT_MS = 15_000;
const ATTEMPT_TIMEOUT_MS = 1000;
/** Writes whose server is remembered. */
const MAX_REMEMBERED = 64;

/** A client that remembers whom it asked. */
class Witness implements ClientTransport {
  readonly #inner: ClientTransport;
  readonly #queries = new WeakMap<Uint8Array, string>();
  readonly #writes = new Map<number, string>();
  #lastWrite = "";

  constructor(inner: ClientTransport) {
    this.#inner = inner;
  }

  /** Who answered this query. */
  answerer(query: Uint8Array): string {
    return this.#queries.get(query) ?? "";
  }

  /** Who made the write of this version. */
  writer(version: number): string {
    return this.#writes.get(version) ?? this.#lastWrite;
  }

  propose: ClientTransport["propose"] = async (endpoint, commands, options) => {
    const results = await this.#inner.propose(endpoint, commands, options);
    for (const result of results) {
      if (!result.ok) continue;
      this.#lastWrite = endpoint;
      this.#writes.set(result.index, endpoint);
    }
    for (const version of this.#writes.keys()) {
      if (this.#writes.size <= MAX_REMEMBERED) break;
      this.#writes.delete(version);
    }
    return results;
  };

  read: ClientTransport["read"] = async (endpoint, query, options) => {
    const answer = await this.#inner.read(endpoint, query, options);
    this.#queries.set(query, endpoint);
    return answer;
  };

  status: ClientTransport["status"] = (endpoint, options) => this.#inner.status(endpoint, options);
}

/** The client of one page. */
export class Playground {
  readonly #options: PlaygroundOptions;
  readonly #witness: Witness;
  readonly #coordinator: Coordinator;
  readonly #store: KeyValueClient;

  constructor(options: PlaygroundOptions) {
    this.#options = options;
    this.#witness = new Witness(options.client);
    this.#coordinator = new Coordinator({
      endpoints: () => options.endpoints(),
      transport: this.#witness,
      timeoutMs: TIMEOUT_MS,
      attemptTimeoutMs: ATTEMPT_TIMEOUT_MS,
      maxBackoffMs: 250,
    });
    this.#store = new KeyValueClient(this.#coordinator);
  }

  async put(key: string, value: string): Promise<KeyValueAnswer> {
    const began = performance.now();
    const { version } = await this.#store.put(key, value);
    return this.#written(value, version, began);
  }

  async remove(key: string): Promise<KeyValueAnswer> {
    const began = performance.now();
    const { version } = await this.#store.delete(key);
    return this.#written(null, version, began);
  }

  /** Asks the leader, or, for a stale answer, one node in particular. */
  async get(key: string, consistency: "linearizable" | "stale", from?: NodeId): Promise<KeyValueAnswer> {
    const began = performance.now();
    const query = encodeGet(new TextEncoder().encode(key));
    const { result } = from === undefined || consistency !== "stale"
      ? await this.#coordinator.read(query, { consistency })
      : await this.#witness.read(this.#options.addressOf(from), query, {
        consistency,
        signal: AbortSignal.timeout(2 * ATTEMPT_TIMEOUT_MS),
      });
    const tookMs = performance.now() - began;
    const answer = decodeGetAnswer(result);
    if (!answer.ok) throw new RaftError("invalid_argument", answer.message);
    const servedBy = this.#options.nameOf(this.#witness.answerer(query));
    if (answer.entry === null) return { value: null, version: answer.revision, servedBy, tookMs };
    return { value: new TextDecoder().decode(answer.entry.value), version: answer.entry.version, servedBy, tookMs };
  }

  #written(value: string | null, version: number, began: number): KeyValueAnswer {
    const servedBy = this.#options.nameOf(this.#witness.writer(version));
    return { value, version, servedBy, tookMs: performance.now() - began };
  }
}
