/**
 * How a client calls nodes: Connect over `fetch`, in every runtime, the browser included.
 *
 * @module
 */

import { createClient } from "@connectrpc/connect";
import type { ClientTransport } from "../../lib/client/client_transport.ts";
import { present, safeInteger } from "./checked.ts";
import { AdminService } from "./gen/raft/v1/admin_pb.ts";
import { ClientService } from "./gen/raft/v1/client_pb.ts";
import { KeyValueService } from "./gen/raft/v1/kv_pb.ts";
import { called, type Fetch, fetchTransport } from "./http_client.ts";
import { resultsFromWire } from "./result_codec.ts";
import type { AdminServiceClient, ClientServiceClient, KeyValueServiceClient } from "./rpc_types.ts";
import { consistencyToWire, statusFromWire } from "./status_codec.ts";

/** Options of {@linkcode connectClientTransport} and {@linkcode createRaftClients}. */
export interface ClientTransportOptions {
  /** What carries the calls. @default globalThis.fetch */
  readonly fetch?: Fetch;
}

/** Options of {@linkcode connectClientTransport}. */
export interface ConnectClientTransportOptions extends ClientTransportOptions {
  /**
   * Whether a node that doesn't lead may pass a call on to the leader. Without
   * it the node says who leads, which is what the Coordinator and a node that
   * passes on itself want.
   *
   * @default false
   */
  readonly passOn?: boolean;
}

/** Typed clients of one node. What they throw becomes a RaftError by `fromConnectError`. */
export interface RaftClients {
  /** Proposals, queries, status. */
  readonly client: ClientServiceClient;
  /** Membership, leadership, snapshots. */
  readonly admin: AdminServiceClient;
  /** The key-value store. */
  readonly kv: KeyValueServiceClient;
}

/** Clients of the node at `endpoint`. @throws {RaftError} `invalid_argument` if that is no address */
export function createRaftClients(endpoint: string, options: ClientTransportOptions = {}): RaftClients {
  const transport = fetchTransport(endpoint, options.fetch);
  return {
    client: createClient(ClientService, transport),
    admin: createClient(AdminService, transport),
    kv: createClient(KeyValueService, transport),
  };
}

/** Endpoints whose clients are kept. */
const MAX_CLIENTS = 256;

/**
 * A {@linkcode ClientTransport} over Connect.
 *
 * @example
 * ```ts ignore
 * const coordinator = new Coordinator({ transport: connectClientTransport(), endpoints: ["127.0.0.1:7001"] });
 * ```
 */
export function connectClientTransport(options: ConnectClientTransportOptions = {}): ClientTransport {
  const forwarded = options.passOn !== true;
  const clients = new Map<string, RaftClients["client"]>();
  const clientOf = (endpoint: string): RaftClients["client"] => {
    let client = clients.get(endpoint);
    if (client === undefined) {
      if (clients.size >= MAX_CLIENTS) clients.clear();
      clients.set(endpoint, client = createClient(ClientService, fetchTransport(endpoint, options.fetch)));
    }
    return client;
  };
  return {
    async propose(endpoint, commands, { signal } = {}) {
      const call = () => clientOf(endpoint).propose({ commands: [...commands], forwarded }, signalOf(signal));
      const { results } = await called(signal, call);
      return resultsFromWire(results, commands.length);
    },
    async query(endpoint, query, { signal, consistency = "linearizable" } = {}) {
      const request = { query, consistency: consistencyToWire(consistency), forwarded };
      const answer = await called(signal, () => clientOf(endpoint).query(request, signalOf(signal)));
      return { result: answer.result, appliedIndex: safeInteger(answer.appliedIndex, "appliedIndex") };
    },
    async status(endpoint, { signal } = {}) {
      const { status } = await called(signal, () => clientOf(endpoint).status({}, signalOf(signal)));
      return statusFromWire(present(status, "status"));
    },
    close() {
      clients.clear();
      return Promise.resolve();
    },
  };
}

function signalOf(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
