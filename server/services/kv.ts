/**
 * The key-value store as a service: the one implementation behind the REST
 * routes and KeyValueService.
 */

import type { ClientTransport } from "../../lib/client/client_transport.ts";
import { RaftError } from "../../lib/errors.ts";
import { KeyValueClient } from "../../lib/kv/client.ts";
import type { KeyValueReadOptions, WatchSource } from "../../lib/kv/client.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import { notAMember } from "../../lib/node/errors.ts";
import type { ProposeResult, ReadResult } from "../../lib/node/types.ts";
import { decodeReply, encodePlain } from "../../lib/sessions/session_codec.ts";
import { atLeader } from "../../hosting/forward.ts";
import type { ServedNode } from "../../hosting/served_node.ts";

export interface KeyValueCallsOptions {
  readonly node: ServedNode;
  /** Reaches the leader. */
  readonly client: ClientTransport;
  /** The node's own state machine. */
  readonly store: WatchSource;
  /** How long a call waits for a leader and a quorum, and a watch without a leader. */
  readonly timeoutMs: number;
}

/** Reads and writes at the leader wherever it is, and watches this node's copy. */
export class KeyValueCalls {
  /** Puts, gets, deletes and lists. */
  readonly keys: KeyValueClient;
  readonly #options: KeyValueCallsOptions;

  constructor(options: KeyValueCallsOptions) {
    this.#options = options;
    this.keys = new KeyValueClient({
      propose: (command, { signal } = {}) => this.#propose(command, signal),
      read: (query, options = {}) => this.#read(query, options),
    });
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
    const lost = new AbortController();
    const either = signal === undefined ? lost.signal : AbortSignal.any([signal, lost.signal]);
    return this.#whileFollowing(store.watch(prefix, from, { signal: either }), lost);
  }

  async *#whileFollowing(
    changes: AsyncIterable<KeyValueChange>,
    lost: AbortController,
  ): AsyncGenerator<KeyValueChange> {
    const { node, timeoutMs } = this.#options;
    let followedMs = performance.now();
    const timer = setInterval(() => {
      const { leader, removed } = node.status();
      if (removed) lost.abort();
      else if (leader !== null) followedMs = performance.now();
      else if (performance.now() - followedMs > timeoutMs) lost.abort();
    }, timeoutMs / 5);
    try {
      yield* changes;
    } catch (error) {
      if (!lost.signal.aborted) throw error;
      const { id, removed } = node.status();
      if (removed) throw notAMember(id);
      throw new RaftError("no_leader", `this node has known no leader for ${timeoutMs} ms, and may miss changes`, {
        hint: "Continue at another node, from the version after the last one.",
        cause: error,
      });
    } finally {
      clearInterval(timer);
    }
  }

  async #propose(plain: Uint8Array, signal: AbortSignal | undefined): Promise<ProposeResult> {
    const { node, client, timeoutMs } = this.#options;
    const command = encodePlain(plain);
    const { index, result } = await atLeader<ProposeResult>(node, {
      here: (signal) => node.propose(command, { signal }),
      there: async (leader, signal) => {
        const [answer] = await client.propose(leader.address, [command], { signal });
        if (answer === undefined) throw noResult();
        if (!answer.ok) throw answer.error;
        return answer;
      },
    }, { timeoutMs, signal });
    const applied = decodeReply(result);
    if (applied.type !== "applied") throw noResult();
    return { index, result: applied.result };
  }

  async #read(
    query: Uint8Array,
    { consistency = "linearizable", signal }: KeyValueReadOptions,
  ): Promise<ReadResult> {
    const { node, client, timeoutMs } = this.#options;
    if (consistency === "stale") {
      return await node.read(query, { consistency, ...(signal === undefined ? {} : { signal }) });
    }
    return await atLeader(node, {
      here: (signal) => node.read(query, { consistency, signal }),
      there: async (leader, signal) => {
        try {
          return await client.read(leader.address, query, { consistency, signal });
        } catch (error) {
          // A read changes nothing, so its outcome is never in doubt.
          throw RaftError.from(error).withOutcome("rejected");
        }
      },
    }, { timeoutMs, signal });
  }
}

function noResult(): RaftError {
  return new RaftError("internal", "the leader's answer holds no result", { outcome: "unknown" });
}
