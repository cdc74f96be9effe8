/**
 * The key-value store as a service: the one implementation behind the REST
 * routes and KeyValueService.
 *
 * @module
 */

import type { ClientTransport } from "../../lib/client/client_transport.ts";
import { RaftError } from "../../lib/errors.ts";
import type { Consistency } from "../../lib/node/types.ts";
import {
  decodeGetAnswer,
  decodeListAnswer,
  decodeWriteAnswer,
  encodeCommand,
  encodeQuery,
  KEY_MAX_BYTES,
  VALUE_MAX_BYTES,
} from "../../lib/kv/commands.ts";
import type { ExpectedVersion, GetAnswer, InvalidAnswer, ListAnswer, WriteAnswer } from "../../lib/kv/commands.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import { decodeReply, encodePlain } from "../../lib/sessions/session_codec.ts";
import { atLeader } from "../../hosting/forward.ts";
import type { ServedNode } from "../../hosting/served_node.ts";

/** Options of every call. */
export interface KeyValueCallOptions {
  /** The caller's; when it aborts, a write that has left has an unknown outcome. */
  readonly signal?: AbortSignal;
  /** @default "linearizable" */
  readonly consistency?: Consistency;
}

/** Where changes are watched: the node's own state machine. */
export interface Watchable {
  /** Changes of keys that begin with `prefix`, from a version on. */
  watch(
    prefix: Uint8Array,
    fromVersion: number,
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterableIterator<KeyValueChange>;
}

/** Options of {@linkcode KeyValueCalls}. */
export interface KeyValueCallsOptions {
  readonly node: ServedNode;
  /** Reaches the leader. */
  readonly client: ClientTransport;
  /** What the node applies to. */
  readonly store: Watchable;
  /** How long a call waits for a leader and a quorum, and a watch without a leader. */
  readonly timeoutMs: number;
}

/** A write that was carried out, or found another version. */
export type Written = Exclude<WriteAnswer, InvalidAnswer>;

/** Puts, gets, deletes, lists and watches, at the leader wherever it is. */
export class KeyValueCalls {
  readonly #node: ServedNode;
  readonly #client: ClientTransport;
  readonly #store: Watchable;
  readonly #timeoutMs: number;

  constructor(options: KeyValueCallsOptions) {
    this.#node = options.node;
    this.#client = options.client;
    this.#store = options.store;
    this.#timeoutMs = options.timeoutMs;
  }

  /** Writes a value, if the key's version is as expected. */
  async put(
    key: Uint8Array,
    value: Uint8Array,
    expectedVersion?: ExpectedVersion,
    options: KeyValueCallOptions = {},
  ): Promise<Written> {
    checkKey(key);
    if (value.length > VALUE_MAX_BYTES) {
      throw new RaftError("too_large", `A value has at most ${VALUE_MAX_BYTES} bytes, this one has ${value.length}.`);
    }
    const command = encodeCommand({ type: "put", key, value, ...expecting(expectedVersion) });
    return valid(decodeWriteAnswer(await this.#propose(command, options)));
  }

  /** Removes a key, if its version is as expected. */
  async delete(
    key: Uint8Array,
    expectedVersion?: ExpectedVersion,
    options: KeyValueCallOptions = {},
  ): Promise<Written> {
    checkKey(key);
    const command = encodeCommand({ type: "delete", key, ...expecting(expectedVersion) });
    return valid(decodeWriteAnswer(await this.#propose(command, options)));
  }

  /** Reads a value. */
  async get(key: Uint8Array, options: KeyValueCallOptions = {}): Promise<Exclude<GetAnswer, InvalidAnswer>> {
    checkKey(key);
    return valid(decodeGetAnswer(await this.#query(encodeQuery({ type: "get", key }), options)));
  }

  /** Lists keys that begin with `prefix`, in the order of their bytes. */
  async list(
    list: {
      readonly prefix: Uint8Array;
      readonly startAfter?: Uint8Array;
      readonly limit?: number;
      readonly keysOnly?: boolean;
    },
    options: KeyValueCallOptions = {},
  ): Promise<Exclude<ListAnswer, InvalidAnswer>> {
    return valid(decodeListAnswer(await this.#query(encodeQuery({ type: "list", ...list }), options)));
  }

  /**
   * Changes of keys that begin with `prefix`, as this node applies them, in order.
   * Ends with `no_leader` when the node has followed nobody for the timeout (it is
   * cut off, or was removed): what it doesn't hear of, a watcher would wait for in vain.
   *
   * @param fromVersion The first that matters; `null` for those from now on.
   */
  watch(
    prefix: Uint8Array,
    fromVersion: number | null,
    signal?: AbortSignal,
  ): AsyncIterableIterator<KeyValueChange> {
    const from = fromVersion ?? this.#node.status().appliedIndex + 1;
    const lost = new AbortController();
    const either = signal === undefined ? lost.signal : AbortSignal.any([signal, lost.signal]);
    return this.#whileFollowing(this.#store.watch(prefix, from, { signal: either }), lost);
  }

  async *#whileFollowing(
    changes: AsyncIterableIterator<KeyValueChange>,
    lost: AbortController,
  ): AsyncGenerator<KeyValueChange> {
    let followedMs = performance.now();
    const timer = setInterval(() => {
      if (this.#node.status().leader !== null) followedMs = performance.now();
      else if (performance.now() - followedMs > this.#timeoutMs) lost.abort();
    }, this.#timeoutMs / 5);
    try {
      yield* changes;
    } catch (error) {
      if (!lost.signal.aborted) throw error;
      throw new RaftError(
        "no_leader",
        `This node has known no leader for ${this.#timeoutMs} ms, and may miss changes.`,
        {
          hint: "Go on at another node, from the version after the last one.",
          cause: error,
        },
      );
    } finally {
      clearInterval(timer);
    }
  }

  async #propose(plain: Uint8Array, { signal }: KeyValueCallOptions): Promise<Uint8Array> {
    const command = encodePlain(plain);
    const reply = await atLeader<Uint8Array>(this.#node, {
      here: async (signal) => (await this.#node.propose(command, { signal })).result,
      there: async (leader, signal) => {
        const [answer] = await this.#client.propose(leader.address, [command], { signal });
        if (answer === undefined) throw broken();
        if (!answer.ok) throw answer.error;
        return answer.result;
      },
    }, { timeoutMs: this.#timeoutMs, signal });
    const applied = decodeReply(reply);
    if (applied.type !== "applied") throw broken();
    return applied.result;
  }

  async #query(query: Uint8Array, { consistency = "linearizable", signal }: KeyValueCallOptions): Promise<Uint8Array> {
    if (consistency === "stale") {
      return (await this.#node.read(query, { consistency, ...(signal === undefined ? {} : { signal }) })).result;
    }
    return await atLeader(this.#node, {
      here: async (signal) => (await this.#node.read(query, { consistency, signal })).result,
      there: async (leader, signal) => {
        try {
          return (await this.#client.read(leader.address, query, { consistency, signal })).result;
        } catch (error) {
          // A read changes nothing, so what became of it is never in doubt.
          throw error instanceof RaftError && error.outcome === "unknown" ? withoutEffect(error) : error;
        }
      },
    }, { timeoutMs: this.#timeoutMs, signal });
  }
}

function withoutEffect(error: RaftError): RaftError {
  return new RaftError(error.code, error.message, {
    hint: error.hint,
    cause: error,
    ...(error.leader === undefined ? {} : { leader: error.leader }),
  });
}

function expecting(expectedVersion: ExpectedVersion | undefined): { readonly expectedVersion?: ExpectedVersion } {
  return expectedVersion === undefined ? {} : { expectedVersion };
}

function checkKey(key: Uint8Array): void {
  if (key.length === 0) throw new RaftError("invalid_argument", "A key has at least one byte.");
  if (key.length > KEY_MAX_BYTES) {
    throw new RaftError("too_large", `A key has at most ${KEY_MAX_BYTES} bytes, this one has ${key.length}.`);
  }
}

function broken(): RaftError {
  return new RaftError("internal", "The leader's answer holds no result.", { outcome: "unknown" });
}

/** Turns the state machine's complaint about a command or query into an error; nothing was changed then. */
function valid<Answer extends { readonly ok: boolean }>(
  answer: Answer | InvalidAnswer,
): Exclude<Answer, InvalidAnswer> {
  if (!answer.ok && "message" in answer) {
    throw new RaftError(answer.reason === "too_large" ? "too_large" : "invalid_argument", answer.message);
  }
  return answer as Exclude<Answer, InvalidAnswer>;
}
