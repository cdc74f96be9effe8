/**
 * Calls of clients to nodes: Connect over `fetch`, in every runtime, browsers included.
 */

import { ConnectError, createClient } from "@connectrpc/connect";
import type { AdminTransport, ClientTransport } from "../../lib/client/client_transport.ts";
import { RaftError } from "../../lib/errors.ts";
import { isTabAddress } from "../wire/addresses.ts";
import { callAdmin, type SendUnary } from "../wire/admin_codec.ts";
import { present, safeInteger } from "../wire/checked.ts";
import { AdminService } from "../wire/gen/raft/v1/admin_pb.ts";
import { ClientService } from "../wire/gen/raft/v1/client_pb.ts";
import { RaftErrorDetailSchema } from "../wire/gen/raft/v1/error_pb.ts";
import { KeyValueService } from "../wire/gen/raft/v1/kv_pb.ts";
import { called, type Fetch, fetchTransport } from "./http_client.ts";
import { resultsFromWire } from "../wire/result_codec.ts";
import type { AdminServiceClient, ClientServiceClient, KeyValueServiceClient } from "./rpc_types.ts";
import { consistencyToWire, statusFromWire } from "../wire/status_codec.ts";

/** Options of {@linkcode createConnectClientTransport} and {@linkcode createRaftClients}. */
export interface ClientTransportOptions {
  /** Carries the calls. @default globalThis.fetch */
  readonly fetch?: Fetch;
}

/** Options of {@linkcode createConnectClientTransport}. */
export interface ConnectClientTransportOptions extends ClientTransportOptions {
  /**
   * Whether a node that doesn't lead may forward a call to the leader, for clients
   * that reach one node only. Without it the node answers with the leader's
   * address, and the Coordinator follows.
   *
   * @default false
   */
  readonly forward?: boolean;
}

/** Typed clients of one node. Their errors become RaftErrors by `fromConnectError`. */
export interface RaftClients {
  /** Proposals, queries, status. */
  readonly client: ClientServiceClient;
  /** Membership, leadership, snapshots. */
  readonly admin: AdminServiceClient;
  /** The key-value store. */
  readonly kv: KeyValueServiceClient;
}

/** Returns clients of the node at `endpoint`. @throws {RaftError} `invalid_argument` if that is not an address */
export function createRaftClients(endpoint: string, options: ClientTransportOptions = {}): RaftClients {
  const transport = fetchTransport(endpoint, options.fetch);
  return {
    client: createClient(ClientService, transport),
    admin: createClient(AdminService, transport),
    kv: createClient(KeyValueService, transport),
  };
}

/** The most endpoints whose clients are kept. */
const MAX_CLIENTS = 256;

/**
 * A {@linkcode ClientTransport} over Connect. A node in a browser tab can't be connected to:
 * if one leads, requests go to a server, which forwards them.
 *
 * @example
 * ```ts
 * import { Coordinator } from "./mod.ts";
 * import { createConnectClientTransport } from "./transport/connect/mod.ts";
 *
 * await using client = new Coordinator({ transport: createConnectClientTransport(), endpoints: ["127.0.0.1:7001"] });
 * console.log((await client.status()).leader);
 * ```
 */
export function createConnectClientTransport(
  options: ConnectClientTransportOptions = {},
): ClientTransport & AdminTransport {
  const clients = new Map<string, RaftClients["client"]>();
  const servers = new AnsweringServers();
  const clientOf = (endpoint: string): RaftClients["client"] => {
    let client = clients.get(endpoint);
    if (client === undefined) {
      if (clients.size >= MAX_CLIENTS) clients.clear();
      clients.set(endpoint, client = createClient(ClientService, fetchTransport(endpoint, options.fetch)));
    }
    return client;
  };
  const wayTo = (endpoint: string): { readonly server: string; readonly forwarded: boolean } => {
    if (!isTabAddress(endpoint)) return { server: endpoint, forwarded: options.forward !== true };
    return { server: servers.any(endpoint), forwarded: false };
  };
  return {
    async propose(endpoint, commands, { signal } = {}) {
      const { server, forwarded } = wayTo(endpoint);
      const call = () => clientOf(server).propose({ commands: [...commands], forwarded }, signalOf(signal));
      const { results } = await servers.track(server, () => called(signal, call));
      return resultsFromWire(results, commands.length);
    },
    async read(endpoint, query, { signal, consistency = "linearizable" } = {}) {
      const { server, forwarded } = wayTo(endpoint);
      const request = { query, consistency: consistencyToWire(consistency), forwarded };
      const call = () => clientOf(server).read(request, signalOf(signal));
      const answer = await servers.track(server, () => called(signal, call));
      return { result: answer.result, appliedIndex: safeInteger(answer.appliedIndex, "appliedIndex") };
    },
    async status(endpoint, { signal } = {}) {
      if (isTabAddress(endpoint)) throw new RaftError("unreachable", `only servers reach ${endpoint}`);
      const call = () => clientOf(endpoint).status({}, signalOf(signal));
      const { status } = await servers.track(endpoint, () => called(signal, call));
      return statusFromWire(present(status, "status"));
    },
    admin(endpoint, name, request, { signal, timeoutMs } = {}) {
      const server = isTabAddress(endpoint) ? servers.any(endpoint) : endpoint;
      // Told by a header: as an option, the deadline would end the call here before the node's answer is back.
      const headers = timeoutMs === undefined ? {} : { "Connect-Timeout-Ms": String(Math.ceil(timeoutMs)) };
      const send: SendUnary = async (method, message) => {
        const transport = fetchTransport(server, options.fetch);
        return (await transport.unary(method, signal, undefined, headers, message)).message;
      };
      return servers.track(server, () => called(signal, () => callAdmin(send, name, request)));
    },
    close() {
      clients.clear();
      return Promise.resolve();
    },
  };
}

/** The servers that answered their last call. */
class AnsweringServers {
  /** The best one last. */
  #servers: readonly string[] = [];

  /** Returns the server that answered last; one that reached no leader only if there is no other. @throws {RaftError} `unreachable` if there is none */
  any(endpoint: string): string {
    const server = this.#servers.at(-1);
    if (server !== undefined) return server;
    throw new RaftError("unreachable", `no server is known that would reach ${endpoint}`, {
      hint: "Ask the status of a server first.",
    });
  }

  /** Remembers whether a server answers; an error that it answers with counts. */
  async track<T>(server: string, ask: () => Promise<T>): Promise<T> {
    try {
      const answer = await ask();
      this.#remember(server, "best");
      return answer;
    } catch (error) {
      const reached = !(error instanceof RaftError) || (error.code !== "unreachable" && error.code !== "timeout");
      this.#remember(server, reached ? "best" : isFromNode(error) ? "last resort" : "silent");
      throw error;
    }
  }

  #remember(server: string, as: "best" | "last resort" | "silent"): void {
    if (as === "best" && this.#servers.at(-1) === server) return;
    const others = this.#servers.filter((other) => other !== server).slice(1 - MAX_CLIENTS);
    this.#servers = as === "silent" ? others : as === "best" ? [...others, server] : [server, ...others];
  }
}

/** Reports whether a node answered with the error, perhaps about others that it did not reach. */
function isFromNode({ cause }: RaftError): boolean {
  return cause instanceof ConnectError && cause.findDetails(RaftErrorDetailSchema).length > 0;
}

function signalOf(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
