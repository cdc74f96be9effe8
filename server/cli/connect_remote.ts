/**
 * A cluster over Connect.
 */

import { systemHost } from "../../lib/host.ts";
import { createClient } from "@connectrpc/connect";
import type { AdminTransport, ClientTransport } from "../../lib/client/client_transport.ts";
import { ClusterAdmin } from "../../lib/client/cluster_admin.ts";
import { Coordinator } from "../../lib/client/coordinator.ts";
import { LeaderFinder } from "../../lib/client/leader_finder.ts";
import { abortedError, RaftError } from "../../lib/errors.ts";
import { KeyValueClient } from "../../lib/kv/client.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import { safeInteger } from "../../transport/wire/checked.ts";
import { ChangeType, KeyValueService } from "../../transport/wire/gen/raft/v1/kv_pb.ts";
import type { Change } from "../../transport/wire/gen/raft/v1/kv_pb.ts";
import type { Fetch } from "../../transport/connect/rpc_types.ts";
import { called, fetchTransport } from "../../transport/connect/http_client.ts";
import type { StatusDocument } from "../status.ts";
import { noServerAnswers } from "./errors.ts";
import { readStatus } from "./read_status.ts";

/** Options of every call. */
export interface RemoteCallOptions {
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** The time limit of the whole call; a whole number, as Node requires. */
  readonly timeoutMs: number;
}

export interface ConnectRemoteOptions {
  /** The servers to ask, at least one. */
  readonly endpoints: readonly string[];
  /** Carries commands, queries and an operator's calls. */
  readonly client: ClientTransport & AdminTransport;
  /** @default the runtime's */
  readonly fetch?: Fetch;
}

/** A cluster, reached through some of its servers. Calls reject with a `RaftError`. */
export type Remote = Pick<ConnectRemote, keyof ConnectRemote>;

/** The real {@linkcode Remote}: a Coordinator and a ClusterAdmin. */
export class ConnectRemote {
  readonly #options: ConnectRemoteOptions;
  #coordinator: Coordinator | undefined;

  constructor(options: ConnectRemoteOptions) {
    this.#options = options;
  }

  /** Returns the status of one server. */
  async status(endpoint: string, options: RemoteCallOptions): Promise<StatusDocument> {
    return await readStatus(endpoint, options, this.#options.fetch);
  }

  /**
   * Returns the client for keys and values, once a server has answered. It writes exactly once, even if requests are
   * retried.
   */
  async keys(options: RemoteCallOptions): Promise<KeyValueClient> {
    if (this.#coordinator === undefined) {
      await this.#requireServer(options);
      const { endpoints, client: transport } = this.#options;
      this.#coordinator = new Coordinator({ endpoints, transport });
    }
    return new KeyValueClient(this.#coordinator);
  }

  /** Returns the operator's client, once a server has answered. */
  async admin(options: RemoteCallOptions): Promise<ClusterAdmin> {
    await this.#requireServer(options);
    const { endpoints, client: transport } = this.#options;
    return new ClusterAdmin({ endpoints, transport });
  }

  /** Yields changes from a version on, until the signal fires; throws if the connection breaks. */
  async *watch(
    endpoint: string,
    prefix: Uint8Array,
    fromVersion: number,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<KeyValueChange> {
    const client = createClient(KeyValueService, fetchTransport(endpoint, this.#options.fetch));
    const responses = client.watch({ prefix, fromVersion: BigInt(fromVersion) }, { signal })[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await called(signal, () => responses.next());
      if (done === true) return;
      yield* value.changes.map(changeOf);
    }
  }

  async close(): Promise<void> {
    // A coordinator closes its transport.
    await (this.#coordinator ?? this.#options.client).close?.();
  }

  /**
   * Fails at once if no server answers: the clients would try until the deadline.
   * Does not wait for a server that hangs once another one knows a leader.
   */
  async #requireServer({ signal, timeoutMs }: RemoteCallOptions): Promise<void> {
    const { endpoints } = this.#options;
    const failures: unknown[] = [];
    const status = async (endpoint: string, options: { readonly signal?: AbortSignal } = {}) => {
      try {
        return await this.status(endpoint, { signal: options.signal ?? signal, timeoutMs });
      } catch (error) {
        failures.push(error);
        throw error;
      }
    };
    const finder = new LeaderFinder({
      endpoints,
      transport: { status },
      host: systemHost(),
      attemptTimeoutMs: timeoutMs,
      signal,
    });
    try {
      await finder.search();
    } catch (error) {
      if (signal.aborted) throw abortedError(signal);
      if (error instanceof RaftError && error.code === "not_a_member") throw error;
      if (!(error instanceof RaftError) || error.code !== "no_leader") throw noServerAnswers(endpoints, failures);
    }
  }
}

function changeOf({ type, key, value, version }: Change): KeyValueChange {
  const isPut = type === ChangeType.PUT;
  return { type: isPut ? "put" : "delete", key, value: isPut ? value : null, version: safeInteger(version, "version") };
}
