/**
 * A cluster over Connect.
 *
 * @module
 */

import { systemHost } from "../../lib/host.ts";
import { createClient } from "@connectrpc/connect";
import type { NewMember } from "../../lib/client/admin_calls.ts";
import type { AdminTransport, ClientTransport } from "../../lib/client/client_transport.ts";
import { ClusterAdmin } from "../../lib/client/cluster_admin.ts";
import { Coordinator } from "../../lib/client/coordinator.ts";
import { LeaderFinder } from "../../lib/client/leader_finder.ts";
import { abortedError, RaftError } from "../../lib/errors.ts";
import { KeyValueClient } from "../../lib/kv/client.ts";
import type { CompareResult, KeyValueList } from "../../lib/kv/client.ts";
import type { ExpectedVersion, VersionedValue } from "../../lib/kv/commands.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import { safeInteger } from "../../transport/wire/checked.ts";
import { ChangeType, KeyValueService } from "../../transport/wire/gen/raft/v1/kv_pb.ts";
import type { Change } from "../../transport/wire/gen/raft/v1/kv_pb.ts";
import type { Fetch } from "../../transport/connect/http_client.ts";
import { called, fetchTransport } from "../../transport/connect/http_client.ts";
import type { StatusDocument } from "../status.ts";
import { noServerAnswers } from "./errors.ts";
import { readStatus } from "./read_status.ts";
import type { ListOptions, MemberList, ReadOptions, Remote, RemoteCallOptions } from "./remote.ts";

/** Options of {@linkcode ConnectRemote}. */
export interface ConnectRemoteOptions {
  /** The servers to ask, at least one. */
  readonly endpoints: readonly string[];
  /** Carries commands, queries and an operator's calls. */
  readonly client: ClientTransport & AdminTransport;
  /** @default the runtime's */
  readonly fetch?: Fetch;
}

/** The real {@linkcode Remote}: a Coordinator and a ClusterAdmin. */
export class ConnectRemote implements Remote {
  readonly #endpoints: readonly string[];
  readonly #client: ClientTransport & AdminTransport;
  readonly #fetch: Fetch | undefined;
  #coordinator: Coordinator | undefined;

  constructor(options: ConnectRemoteOptions) {
    this.#endpoints = options.endpoints;
    this.#client = options.client;
    this.#fetch = options.fetch;
  }

  async status(endpoint: string, options: RemoteCallOptions): Promise<StatusDocument> {
    return await readStatus(endpoint, options, this.#fetch);
  }

  async put(
    key: Uint8Array,
    value: Uint8Array,
    expected: ExpectedVersion | undefined,
    options: RemoteCallOptions,
  ): Promise<CompareResult> {
    const kv = await this.#reach(options);
    if (expected !== undefined) return await kv.compareAndSet(key, expected, value, options);
    return { ok: true, ...await kv.put(key, value, options) };
  }

  async delete(
    key: Uint8Array,
    expected: ExpectedVersion | undefined,
    options: RemoteCallOptions,
  ): Promise<CompareResult> {
    const kv = await this.#reach(options);
    if (expected !== undefined) return await kv.compareAndSet(key, expected, null, options);
    return { ok: true, ...await kv.delete(key, options) };
  }

  async get(key: Uint8Array, options: ReadOptions): Promise<VersionedValue | null> {
    const { value, version } = await (await this.#reach(options)).get(key, options);
    return value === undefined ? null : { value, version };
  }

  async list(options: ListOptions): Promise<KeyValueList> {
    return await (await this.#reach(options)).list(options);
  }

  async *watch(
    endpoint: string,
    prefix: Uint8Array,
    fromVersion: number,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<KeyValueChange> {
    const client = createClient(KeyValueService, fetchTransport(endpoint, this.#fetch));
    const responses = client.watch({ prefix, fromVersion: BigInt(fromVersion) }, { signal })[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await called(signal, () => responses.next());
      if (done === true) return;
      yield* value.changes.map(changeOf);
    }
  }

  async listMembers(options: RemoteCallOptions): Promise<MemberList> {
    const { leader, membership: _membership, ...list } = await (await this.#admin(options)).members(options);
    return { ...list, leader: leader?.id ?? null };
  }

  async addMember(member: NewMember, options: RemoteCallOptions): Promise<void> {
    await (await this.#admin(options)).add(member, options);
  }

  async promoteMember(id: string, options: RemoteCallOptions): Promise<void> {
    await (await this.#admin(options)).promote(id, options);
  }

  async demoteMember(id: string, options: RemoteCallOptions): Promise<void> {
    await (await this.#admin(options)).demote(id, options);
  }

  async removeMember(id: string, options: RemoteCallOptions): Promise<void> {
    await (await this.#admin(options)).remove(id, options);
  }

  async transferLeadership(to: string | null, options: RemoteCallOptions): Promise<string> {
    return await (await this.#admin(options)).transferLeadership(to ?? undefined, options);
  }

  async takeSnapshot(endpoint: string, options: RemoteCallOptions): Promise<number> {
    return await (await this.#admin(options)).takeSnapshot(endpoint, options);
  }

  async close(): Promise<void> {
    // A coordinator closes its transport.
    await (this.#coordinator ?? this.#client).close?.();
  }

  /** Returns the key-value client, once a server has answered. */
  async #reach(options: RemoteCallOptions): Promise<KeyValueClient> {
    if (this.#coordinator === undefined) {
      await this.#requireServer(options);
      this.#coordinator = new Coordinator({ endpoints: this.#endpoints, transport: this.#client });
    }
    return new KeyValueClient(this.#coordinator);
  }

  /** Returns the operator's client, once a server has answered. */
  async #admin(options: RemoteCallOptions): Promise<ClusterAdmin> {
    await this.#requireServer(options);
    return new ClusterAdmin({ endpoints: this.#endpoints, transport: this.#client });
  }

  /**
   * Fails at once if no server answers: the clients would try until the deadline.
   * Does not wait for a server that hangs once another one knows a leader.
   */
  async #requireServer({ signal, timeoutMs }: RemoteCallOptions): Promise<void> {
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
      endpoints: this.#endpoints,
      transport: { status },
      host: systemHost(),
      attemptTimeoutMs: timeoutMs,
      signal,
    });
    try {
      await finder.search();
    } catch (error) {
      if (signal.aborted) throw abortedError(signal);
      if (!(error instanceof RaftError) || error.code !== "no_leader") throw noServerAnswers(this.#endpoints, failures);
    }
  }
}

function changeOf({ type, key, value, version }: Change): KeyValueChange {
  const isPut = type === ChangeType.PUT;
  return { type: isPut ? "put" : "delete", key, value: isPut ? value : null, version: safeInteger(version, "version") };
}
