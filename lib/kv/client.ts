/**
 * Typed access to a replicated {@linkcode KeyValue}.
 */

import { Backoff } from "../backoff.ts";
import { mostTelling } from "../client/attempts.ts";
import type { ClientRequestOptions, Coordinator } from "../client/coordinator.ts";
import type { Host } from "../clock.ts";
import { abortedError, isRetryable, type Outcome, RaftError } from "../errors.ts";
import { systemHost } from "../host.ts";
import type { Consistency } from "../node/types.ts";
import { pause } from "../pause.ts";
import {
  type CompareResult,
  decodeGetAnswer,
  decodeListAnswer,
  decodeWriteAnswer,
  encodeDelete,
  encodeGet,
  encodeList,
  encodePut,
  type ExpectedVersion,
  type InvalidAnswer,
  keyProblem,
  type KeyValueEntry,
  valueProblem,
} from "./commands.ts";
import type { KeyValueChange, WatchOptions } from "./watch.ts";

/** A key or a value; a string means its UTF-8. */
export type BytesOrText = string | Uint8Array;

/** A cluster that replicates a {@linkcode KeyValue}. A {@linkcode Coordinator} is one. */
export type KeyValueCluster = Pick<Coordinator, "propose" | "read">;

/** A copy of the state that reports its changes. A {@linkcode KeyValue} is one. */
export interface WatchSource {
  /**
   * Yields the changes from a revision on, in order, without gaps. Called again
   * after each failure; a source with several nodes takes another one then.
   */
  watch(prefix: Uint8Array, fromRevision: number, options: WatchOptions): AsyncIterable<KeyValueChange>;
}

/** Options of {@linkcode KeyValueClient}. */
export interface KeyValueClientOptions {
  /** Where changes are watched. @default none: `watch` is `unsupported` */
  readonly watchSource?: WatchSource;
  /** Clock and random source. @default systemHost() */
  readonly host?: Host;
}

/** Options of reads. */
export interface KeyValueReadOptions extends ClientRequestOptions {
  /** How fresh the answer must be. @default "linearizable" */
  readonly consistency?: Consistency;
}

/** Options of {@linkcode KeyValueClient.watch}. */
export interface KeyValueWatchOptions extends WatchOptions {
  /** The beginning of the keys. @default all keys */
  readonly prefix?: BytesOrText;
  /** The first revision that matters: that of a list or of the last change, plus 1. @default from now on */
  readonly fromRevision?: number;
  /** Ends the watch if it could not be resumed for this long, in milliseconds. @default 10000 */
  readonly timeoutMs?: number;
  /** Called with each error after which the watch continues. */
  readonly onRetry?: (error: RaftError) => void;
}

/** The answer to {@linkcode KeyValueClient.get}. */
export interface KeyValueReading {
  /** The value; `undefined` if the key is not there. */
  readonly value: Uint8Array | undefined;
  /** The log index of the value's last change; 0 if the key is not there. */
  readonly version: number;
  /** The state that was read; watch from the next revision. */
  readonly revision: number;
}

/** Options of {@linkcode KeyValueClient.list}. */
export interface KeyValueListOptions extends KeyValueReadOptions {
  /** The beginning of the keys. @default all keys */
  readonly prefix?: BytesOrText;
  /** Only keys after this one. */
  readonly startAfter?: BytesOrText;
  /** At most this many entries. @default 1000 */
  readonly limit?: number;
  /** Leaves the values out. @default false */
  readonly keysOnly?: boolean;
}

/** A part of the keys, in order. */
export interface KeyValueList {
  /** Keys, values and versions. */
  readonly entries: readonly KeyValueEntry[];
  /** True if there are more keys: continue with `startAfter` the last one. */
  readonly more: boolean;
  /** The state that was read; watch from the next revision. */
  readonly revision: number;
}

/**
 * Reads, writes and watches keys through a {@linkcode Coordinator}.
 *
 * All methods throw the RaftErrors of the cluster, `invalid_argument` for an empty
 * key, `too_large` for a key or a value over its limit, and `unsupported` if the
 * cluster replicates another state machine (the outcome of a write is then
 * `unknown`: that state machine may have taken it for a command of its own).
 *
 * @example
 * ```ts
 * import { Coordinator } from "./lib/client/coordinator.ts";
 * import { DirectClientTransport } from "./lib/client/direct.ts";
 * import { KeyValueClient } from "./lib/kv/client.ts";
 *
 * await using coordinator = new Coordinator({ endpoints: ["n1"], transport: new DirectClientTransport(new Map()) });
 * const kv = new KeyValueClient(coordinator);
 * await kv.put("", "x").catch((error) => console.log(error.code)); // timeout: there is no node at n1
 * ```
 */
export class KeyValueClient {
  readonly #cluster: KeyValueCluster;
  readonly #source: WatchSource | undefined;
  readonly #host: Host | undefined;

  /** Creates a client. @param cluster such as a Coordinator; the caller closes it */
  constructor(cluster: KeyValueCluster, options: KeyValueClientOptions = {}) {
    this.#cluster = cluster;
    this.#source = options.watchSource;
    this.#host = options.host;
  }

  /** Sets a value, whatever was there. */
  async put(
    key: BytesOrText,
    value: BytesOrText,
    options: ClientRequestOptions = {},
  ): Promise<{ readonly version: number; readonly previousVersion: number }> {
    return unconditional(await this.compareAndSet(key, undefined, value, options));
  }

  /** Removes a key; `previousVersion` is 0 if it was not there. */
  async delete(
    key: BytesOrText,
    options: ClientRequestOptions = {},
  ): Promise<{ readonly version: number; readonly previousVersion: number }> {
    return unconditional(await this.compareAndSet(key, undefined, null, options));
  }

  /**
   * Sets a value, or removes the key (`null`), if the key has the expected
   * version: 0 if it must not be there, `undefined` for any.
   */
  async compareAndSet(
    key: BytesOrText,
    expectedVersion: ExpectedVersion | undefined,
    value: BytesOrText | null,
    options: ClientRequestOptions = {},
  ): Promise<CompareResult> {
    const command = value === null
      ? encodeDelete(validKey(key), expectedVersion)
      : encodePut(validKey(key), checked(bytes(value), valueProblem), expectedVersion);
    const { result } = await this.#cluster.propose(command, options);
    const answer = decoded(decodeWriteAnswer, result, "unknown");
    if (!answer.ok && answer.reason !== "conflict") throw invalid(answer);
    return answer;
  }

  /** Returns the value of a key. */
  async get(key: BytesOrText, options: KeyValueReadOptions = {}): Promise<KeyValueReading> {
    const { result } = await this.#cluster.read(encodeGet(validKey(key)), options);
    const answer = decoded(decodeGetAnswer, result, "rejected");
    if (!answer.ok) throw invalid(answer);
    return { value: undefined, version: 0, ...answer.entry, revision: answer.revision };
  }

  /** Returns the keys that begin with a prefix, in the order of their bytes. */
  async list(options: KeyValueListOptions = {}): Promise<KeyValueList> {
    const { prefix = "", startAfter, limit, keysOnly } = options;
    const after = startAfter === undefined ? undefined : bytes(startAfter);
    const query = encodeList({ prefix: bytes(prefix), startAfter: after, limit, keysOnly });
    const { result } = await this.#cluster.read(query, options);
    const answer = decoded(decodeListAnswer, result, "rejected");
    if (!answer.ok) throw invalid(answer);
    return { entries: answer.entries, more: answer.more, revision: answer.revision };
  }

  /**
   * Yields the changes of keys that begin with a prefix, in order, none left out
   * and none twice: a watch that breaks is resumed after the last change.
   *
   * @throws {RaftError} `compacted` if changes from there on have been discarded;
   * `aborted` by the signal; the last telling error if it could not be resumed in time
   */
  async *watch(options: KeyValueWatchOptions = {}): AsyncGenerator<KeyValueChange> {
    const { prefix = "", signal, timeoutMs = 10_000 } = options;
    if (this.#source === undefined) throw new RaftError("unsupported", "this client has no source of changes");
    const request = signal === undefined ? {} : { signal };
    const fromRevision = options.fromRevision ??
      (await this.list({ prefix, limit: 1, keysOnly: true, timeoutMs, ...request })).revision + 1;
    yield* resumedWatch(this.#source, bytes(prefix), { ...options, timeoutMs, fromRevision }, this.#host);
  }
}

/** Yields the changes of a source as {@linkcode KeyValueClient.watch} does, and resumes after each failure. */
export async function* resumedWatch(
  source: WatchSource,
  prefix: Uint8Array,
  options: KeyValueWatchOptions & { readonly fromRevision: number; readonly timeoutMs: number },
  host: Host = systemHost(),
): AsyncGenerator<KeyValueChange> {
  const { signal, timeoutMs, onRetry } = options;
  let next = options.fromRevision;
  const backoff = new Backoff(host, MIN_RESUME_MS, MAX_RESUME_MS);
  let brokenSinceMs = host.clock.monotonicMs();
  let told: RaftError | null = null;
  for (;;) {
    const beganMs = host.clock.monotonicMs();
    let error = new RaftError("unreachable", "the watch ended");
    try {
      for await (const change of source.watch(prefix, next, { signal })) {
        if (change.version < next) continue;
        next = change.version + 1;
        brokenSinceMs = Infinity;
        yield change;
      }
    } catch (thrown) {
      error = RaftError.from(thrown, "unreachable").withOutcome("rejected");
    }
    if (signal?.aborted) throw abortedError(signal);
    if (!isRetryable(error)) throw error;
    const nowMs = host.clock.monotonicMs();
    if (brokenSinceMs === Infinity || nowMs - beganMs > GOOD_MS) {
      brokenSinceMs = nowMs;
      backoff.reset();
      told = null;
    }
    told = mostTelling(told, error);
    if (nowMs - brokenSinceMs > timeoutMs) throw told;
    onRetry?.(error);
    await pause(host.clock, backoff.nextMs(), signal);
    if (signal?.aborted) throw abortedError(signal);
  }
}

/** Pauses before a watch is resumed. */
const MIN_RESUME_MS = 50;
const MAX_RESUME_MS = 500;
/** A watch that lasted this long had a good source. */
const GOOD_MS = 1000;

const utf8 = new TextEncoder();

function bytes(text: BytesOrText): Uint8Array {
  return typeof text === "string" ? utf8.encode(text) : text;
}

function validKey(key: BytesOrText): Uint8Array {
  return checked(bytes(key), keyProblem);
}

function checked(bytes: Uint8Array, problemOf: (bytes: Uint8Array) => InvalidAnswer | null): Uint8Array {
  const problem = problemOf(bytes);
  if (problem !== null) throw invalid(problem);
  return bytes;
}

/** Reads an answer. One that can't be read comes from another state machine. */
function decoded<Answer>(decode: (result: Uint8Array) => Answer, result: Uint8Array, outcome: Outcome): Answer {
  try {
    return decode(result);
  } catch (cause) {
    throw new RaftError("unsupported", "the cluster's state machine is not the key-value store", {
      outcome,
      hint: "Ask it through a client of its own.",
      cause,
    });
  }
}

function unconditional(result: CompareResult): { readonly version: number; readonly previousVersion: number } {
  if (!result.ok) throw new RaftError("internal", "a write without a condition had a conflict");
  return { version: result.version, previousVersion: result.previousVersion };
}

function invalid({ reason, message }: InvalidAnswer): RaftError {
  return new RaftError(reason === "invalid" ? "invalid_argument" : "too_large", message);
}
