/**
 * Typed access to a replicated {@linkcode KeyValue}.
 *
 * @module
 */

import type { ClientRequestOptions, Coordinator } from "../client/coordinator.ts";
import { type Outcome, RaftError } from "../errors.ts";
import type { Consistency } from "../node/types.ts";
import {
  decodeGetAnswer,
  decodeListAnswer,
  decodeWriteAnswer,
  encodeDelete,
  encodeGet,
  encodeList,
  encodePut,
  type ExpectedVersion,
  type InvalidAnswer,
  type KeyValueEntry,
  type ListQuery,
  type VersionedValue,
  type WriteAnswer,
} from "./commands.ts";

/** A key or a value; a string means its UTF-8. */
export type BytesOrText = string | Uint8Array;

/** Options of reads. */
export interface KeyValueReadOptions extends ClientRequestOptions {
  /** How fresh it must be. @default "linearizable" */
  readonly consistency?: Consistency;
}

/** What {@linkcode KeyValueClient.list} takes. */
export interface KeyValueListOptions extends KeyValueReadOptions {
  /** What the keys begin with. @default all keys */
  readonly prefix?: BytesOrText;
  /** Only keys after this one. */
  readonly startAfter?: BytesOrText;
  /** Entries, at most. @default 1000 */
  readonly limit?: number;
  /** Leaves the values out. @default false */
  readonly keysOnly?: boolean;
}

/** A part of the keys, in order. */
export interface KeyValueList {
  /** Keys, values and versions. */
  readonly entries: readonly KeyValueEntry[];
  /** Whether there are more: ask on with `startAfter` the last key. */
  readonly more: boolean;
  /** The state that was read; watch from the next version. */
  readonly revision: number;
}

/** What became of a conditional write. */
export type CompareResult = Exclude<WriteAnswer, InvalidAnswer>;

/**
 * Reads and writes keys through a {@linkcode Coordinator}.
 *
 * All methods throw the RaftErrors of {@linkcode Coordinator}, `invalid_argument`
 * for an empty key, `too_large` for a key or a value over its limit, and
 * `unsupported` if the cluster replicates another state machine (a write is then
 * `unknown`: that one made of it what it could).
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
  readonly #coordinator: Pick<Coordinator, "propose" | "read">;

  /** Wraps a coordinator. @param coordinator stays the caller's to close */
  constructor(coordinator: Pick<Coordinator, "propose" | "read">) {
    this.#coordinator = coordinator;
  }

  /** Sets a value, whatever was there. */
  async put(
    key: BytesOrText,
    value: BytesOrText,
    options: ClientRequestOptions = {},
  ): Promise<{ readonly version: number; readonly previousVersion: number }> {
    const { version, previousVersion } = unconditional(await this.#write(encodePut(bytes(key), bytes(value)), options));
    return { version, previousVersion };
  }

  /** Removes a key; `previousVersion` is 0 if it was not there. */
  async delete(
    key: BytesOrText,
    options: ClientRequestOptions = {},
  ): Promise<{ readonly version: number; readonly previousVersion: number }> {
    const { version, previousVersion } = unconditional(await this.#write(encodeDelete(bytes(key)), options));
    return { version, previousVersion };
  }

  /** Sets a value, or removes the key (`null`), if the key has the expected version; 0: if it is not there. */
  compareAndSet(
    key: BytesOrText,
    expectedVersion: ExpectedVersion,
    value: BytesOrText | null,
    options: ClientRequestOptions = {},
  ): Promise<CompareResult> {
    const command = value === null
      ? encodeDelete(bytes(key), expectedVersion)
      : encodePut(bytes(key), bytes(value), expectedVersion);
    return this.#write(command, options);
  }

  /** The value of a key; `null` if it is not there. */
  async get(key: BytesOrText, options: KeyValueReadOptions = {}): Promise<VersionedValue | null> {
    const { result } = await this.#coordinator.read(encodeGet(bytes(key)), options);
    const answer = decoded(decodeGetAnswer, result, "rejected");
    if (!answer.ok) throw invalid(answer);
    return answer.entry;
  }

  /** The keys that begin with a prefix, in the order of their bytes. */
  async list(options: KeyValueListOptions = {}): Promise<KeyValueList> {
    const { prefix = "", startAfter, limit, keysOnly } = options;
    const query: Omit<ListQuery, "type"> = {
      prefix: bytes(prefix),
      ...(startAfter === undefined ? {} : { startAfter: bytes(startAfter) }),
      ...(limit === undefined ? {} : { limit }),
      ...(keysOnly === undefined ? {} : { keysOnly }),
    };
    const { result } = await this.#coordinator.read(encodeList(query), options);
    const answer = decoded(decodeListAnswer, result, "rejected");
    if (!answer.ok) throw invalid(answer);
    return { entries: answer.entries, more: answer.more, revision: answer.revision };
  }

  async #write(command: Uint8Array, options: ClientRequestOptions): Promise<CompareResult> {
    const { result } = await this.#coordinator.propose(command, options);
    const answer = decoded(decodeWriteAnswer, result, "unknown");
    if (!answer.ok && answer.reason !== "conflict") throw invalid(answer);
    return answer;
  }
}

const utf8 = new TextEncoder();

function bytes(text: BytesOrText): Uint8Array {
  return typeof text === "string" ? utf8.encode(text) : text;
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

function unconditional(result: CompareResult): CompareResult & { readonly ok: true } {
  if (result.ok) return result;
  throw new RaftError("internal", "a write without a condition had a conflict", { outcome: "rejected" });
}

function invalid({ reason, message }: InvalidAnswer): RaftError {
  return new RaftError(reason === "invalid" ? "invalid_argument" : "too_large", message);
}
