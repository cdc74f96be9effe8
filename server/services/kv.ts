/**
 * The key-value store as a service: the one implementation behind the REST
 * routes and KeyValueService.
 */

import type { ClientTransport } from "../../lib/client/client_transport.ts";
import { RaftError } from "../../lib/errors.ts";
import { KeyValueClient } from "../../lib/kv/client.ts";
import type { KeyValueList, KeyValueListOptions, KeyValueReadOptions, WatchSource } from "../../lib/kv/client.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import { notAMember } from "../../lib/node/errors.ts";
import type { ProposeResult, ReadResult } from "../../lib/node/types.ts";
import { decodeReply, encodePlain } from "../../lib/sessions/session_codec.ts";
import { atLeader } from "../../hosting/forward.ts";
import type { ForwardBudget } from "../../hosting/forward_budget.ts";
import type { ServedNode } from "../../hosting/served_node.ts";
import { readAt } from "../../transport/wire/client_service.ts";
import type { Answers } from "../answers.ts";
import type { ChangeFormat, Watchers, WatchStream } from "../watchers.ts";

export interface KeyValueCallsOptions {
  readonly node: ServedNode;
  /** Reaches the leader. */
  readonly client: ClientTransport;
  /** The node's own state machine. */
  readonly store: WatchSource;
  /** How long a call waits for a leader and a quorum, and a watch without a leader. */
  readonly timeoutMs: number;
  /** Counts and bounds the watchers. */
  readonly watchers: Watchers;
  /** Bounds the requests that are forwarded. */
  readonly forwards: ForwardBudget;
  /** Bounds the answers. */
  readonly answers: Answers;
  /** Returns the reason why the node has no leader, if it is more than an election. */
  reason?(): string | undefined;
}

/** A watch whose changes are sent to a client. */
export interface EncodedWatch {
  /** The beginning of the keys. */
  readonly prefix: Uint8Array;
  /** The first version that matters; `null` for changes from now on. */
  readonly fromVersion: number | null;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Carries the changes to the client. */
  readonly stream: WatchStream;
  readonly format: ChangeFormat;
  /** Encodes a change: once for all watchers of the format. */
  encode(change: KeyValueChange): Uint8Array;
}

/** Reads and writes at the leader wherever it is, and watches this node's copy. */
export class KeyValueCalls {
  /** Puts, gets and deletes. */
  readonly keys: KeyValueClient;
  readonly #options: KeyValueCallsOptions;
  /** The watches under way, each with what ends it. */
  readonly #following = new Set<AbortController>();
  #followTimer: ReturnType<typeof setInterval> | undefined;

  constructor(options: KeyValueCallsOptions) {
    this.#options = options;
    this.keys = new KeyValueClient({
      propose: (command, { signal } = {}) => this.#propose(command, signal),
      read: (query, options = {}) => this.#read(query, options),
    });
  }

  /** Lists keys as {@linkcode KeyValueClient.list}. @throws {RaftError} also `busy`, if answers take too much memory */
  async list(options: KeyValueListOptions): Promise<KeyValueList> {
    this.#options.answers.admitList();
    return await this.keys.list(options);
  }

  /**
   * Yields changes of keys that begin with `prefix`, as this node applies them, in order.
   * Ends with `not_a_member` when the node was removed, and with `no_leader` when it has
   * had no leader for the timeout: a watcher would wait in vain for changes that it does not receive.
   *
   * @param fromVersion The first that matters; `null` for those from now on.
   */
  watch(
    prefix: Uint8Array,
    fromVersion: number | null,
    signal?: AbortSignal,
  ): AsyncIterableIterator<KeyValueChange> {
    const { node, store } = this.#options;
    const from = fromVersion ?? node.status().appliedIndex + 1;
    const ended = new AbortController();
    return this.#whileFollowing(store.watch(prefix, from, { signal: ended.signal }), ended, signal);
  }

  /**
   * Yields the same changes, encoded, to a client that reads them.
   *
   * @throws {RaftError} `busy` if there are too many watchers, at once; later, if its client is too slow
   */
  watchEncoded(watch: EncodedWatch): AsyncGenerator<Uint8Array> {
    const { prefix, fromVersion, signal, stream, format, encode } = watch;
    const watcher = this.#options.watchers.open(stream);
    signal.addEventListener("abort", () => watcher.close());
    return watcher.encoded(this.watch(prefix, fromVersion, signal), format, encode);
  }

  async *#whileFollowing(
    changes: AsyncIterable<KeyValueChange>,
    ended: AbortController,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<KeyValueChange> {
    const onAbort = (): void => ended.abort(signal?.reason);
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener("abort", onAbort);
    this.#follow(ended);
    try {
      yield* changes;
    } catch (error) {
      throw ended.signal.reason instanceof RaftError ? ended.signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#following.delete(ended);
      if (this.#following.size === 0) clearInterval(this.#followTimer);
    }
  }

  /** Ends a watch once the node was removed, or has had no leader for the timeout. One timer looks for all of them. */
  #follow(watch: AbortController): void {
    const { node, timeoutMs } = this.#options;
    if (this.#following.add(watch).size > 1) return;
    let followedMs = performance.now();
    this.#followTimer = setInterval(() => {
      const { id, leader, removed } = node.status();
      if (leader !== null) followedMs = performance.now();
      if (!removed && performance.now() - followedMs <= timeoutMs) return;
      const error = removed
        ? notAMember(id)
        : new RaftError("no_leader", `this node has known no leader for ${timeoutMs} ms, and may miss changes`, {
          hint: "Continue at another node, from the version after the last one.",
        });
      for (const ended of this.#following) ended.abort(error);
    }, timeoutMs / 5);
  }

  async #propose(plain: Uint8Array, signal: AbortSignal | undefined): Promise<ProposeResult> {
    const { node, client, timeoutMs, forwards: budget } = this.#options;
    const reason = () => this.#options.reason?.();
    const command = encodePlain(plain);
    const { index, result } = await atLeader<ProposeResult>(node, {
      here: (signal) => node.propose(command, { signal }),
      there: async (leader, signal) => {
        const [answer] = await client.propose(leader.address, [command], { signal });
        if (answer === undefined) throw noResult();
        if (!answer.ok) throw answer.error;
        return answer;
      },
    }, { timeoutMs, signal, budget, bytes: command.length, reason });
    const applied = decodeReply(result);
    if (applied.type !== "applied") throw noResult();
    return { index, result: applied.result };
  }

  async #read(query: Uint8Array, options: KeyValueReadOptions): Promise<ReadResult> {
    const found = await this.#find(query, options);
    this.#options.answers.admit(found.result.length);
    return found;
  }

  async #find(
    query: Uint8Array,
    { consistency = "linearizable", signal }: KeyValueReadOptions,
  ): Promise<ReadResult> {
    const { node, client, timeoutMs, forwards: budget } = this.#options;
    const reason = () => this.#options.reason?.();
    if (consistency === "stale") {
      return await node.read(query, { consistency, ...(signal === undefined ? {} : { signal }) });
    }
    return await atLeader(node, {
      here: (signal) => node.read(query, { consistency, signal }),
      there: (leader, signal) => readAt(client, leader, query, { consistency, signal }),
    }, { timeoutMs, signal, budget, bytes: query.length, reason });
  }
}

function noResult(): RaftError {
  return new RaftError("internal", "the leader's answer holds no result", { outcome: "unknown" });
}
