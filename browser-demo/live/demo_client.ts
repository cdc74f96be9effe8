/**
 * The page's key-value client, which also says which node answered.
 */

import { decodeGetAnswer, encodeGet } from "../../lib/kv/commands.ts";
import { Coordinator, KeyValueClient, RaftError } from "../../mod.ts";
import type { ClientTransport, NodeId } from "../../mod.ts";
import type { KeyValueAnswer } from "../source.ts";

export interface DemoClientOptions {
  readonly client: ClientTransport;
  /** Returns the addresses to ask now: the cluster may outlive all of its founders. */
  endpoints(): readonly string[];
  /** Returns the name of the node at an address. */
  nameOf(address: string): NodeId;
  addressOf(id: NodeId): string;
}

/** Time for the election of a leader, too. */
const TIMEOUT_MS = 15_000;
const ATTEMPT_TIMEOUT_MS = 1000;
/** Writes whose node is remembered. */
const MAX_REMEMBERED = 64;

/** A client transport that remembers which node answered. */
class TracingTransport implements ClientTransport {
  readonly #inner: ClientTransport;
  readonly #queries = new WeakMap<Uint8Array, string>();
  readonly #writes = new Map<number, string>();
  #lastWrite = "";

  constructor(inner: ClientTransport) {
    this.#inner = inner;
  }

  /** Returns the endpoint that answered a query. */
  answererOf(query: Uint8Array): string {
    return this.#queries.get(query) ?? "";
  }

  /** Returns the endpoint that made the write of a version. */
  writerOf(version: number): string {
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
export class DemoClient {
  readonly #options: DemoClientOptions;
  readonly #transport: TracingTransport;
  readonly #coordinator: Coordinator;
  readonly #store: KeyValueClient;

  constructor(options: DemoClientOptions) {
    this.#options = options;
    this.#transport = new TracingTransport(options.client);
    this.#coordinator = new Coordinator({
      endpoints: () => options.endpoints(),
      transport: this.#transport,
      timeoutMs: TIMEOUT_MS,
      attemptTimeoutMs: ATTEMPT_TIMEOUT_MS,
      maxBackoffMs: 250,
    });
    this.#store = new KeyValueClient(this.#coordinator);
  }

  put(key: string, value: string): Promise<KeyValueAnswer> {
    return this.#written(value, this.#store.put(key, value));
  }

  remove(key: string): Promise<KeyValueAnswer> {
    return this.#written(null, this.#store.delete(key));
  }

  /** Reads from the leader or, for a stale read, from one node in particular. */
  async get(key: string, consistency: "linearizable" | "stale", from?: NodeId): Promise<KeyValueAnswer> {
    const startMs = performance.now();
    const query = encodeGet(new TextEncoder().encode(key));
    const { result } = from === undefined || consistency !== "stale"
      ? await this.#coordinator.read(query, { consistency })
      : await this.#transport.read(this.#options.addressOf(from), query, {
        consistency,
        signal: AbortSignal.timeout(2 * ATTEMPT_TIMEOUT_MS),
      });
    const tookMs = performance.now() - startMs;
    const answer = decodeGetAnswer(result);
    if (!answer.ok) throw new RaftError("invalid_argument", answer.message);
    const servedBy = this.#options.nameOf(this.#transport.answererOf(query));
    if (answer.entry === null) return { value: null, version: answer.revision, servedBy, tookMs };
    return { value: new TextDecoder().decode(answer.entry.value), version: answer.entry.version, servedBy, tookMs };
  }

  async #written(value: string | null, write: Promise<{ readonly version: number }>): Promise<KeyValueAnswer> {
    const startMs = performance.now();
    const { version } = await write;
    const servedBy = this.#options.nameOf(this.#transport.writerOf(version));
    return { value, version, servedBy, tookMs: performance.now() - startMs };
  }
}
