/**
 * Calls of clients to nodes: Connect over `fetch`, in every runtime, browsers included.
 */

import { ConnectError, type Transport } from "@connectrpc/connect";
import type { AdminTransport, ClientTransport } from "../../lib/client/client_transport.ts";
import { RaftError } from "../../lib/errors.ts";
import { isTabAddress } from "../wire/address.ts";
import { clientOver } from "../wire/client_codec.ts";
import { RaftErrorDetailSchema } from "../wire/gen/raft/v1/error_pb.ts";
import { called, fetchTransport } from "./http_client.ts";
import type { Fetch } from "./rpc_types.ts";

/** Options of {@linkcode createConnectClientTransport}. */
export interface ConnectClientTransportOptions {
  /** Carries the calls. @default globalThis.fetch */
  readonly fetch?: Fetch;
  /**
   * Lets a node that doesn't lead forward a call to the leader, for clients that
   * reach one node only. Without it the node answers with the leader's
   * address, and the Coordinator follows.
   *
   * @default false
   */
  readonly forward?: boolean;
}

/** The most endpoints that are remembered. */
const MAX_ENDPOINTS = 256;

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
  const transports = new Map<string, Transport>();
  const servers = new AnsweringServers();
  const transportOf = (server: string): Transport => {
    let transport = transports.get(server);
    if (transport === undefined) {
      if (transports.size >= MAX_ENDPOINTS) transports.clear();
      transports.set(server, transport = fetchTransport(server, options.fetch));
    }
    return transport;
  };
  const client = clientOver((endpoint, { signal, timeoutMs }) => async (method, request) => {
    const server = isTabAddress(endpoint) ? servers.any(endpoint) : endpoint;
    // Told by a header: as an option, the deadline would end the call here before the node's answer is back.
    const headers = timeoutMs === undefined ? {} : { "Connect-Timeout-Ms": String(Math.ceil(timeoutMs)) };
    const call = () => transportOf(server).unary(method, signal, undefined, headers, request);
    return (await servers.track(server, () => called(signal, call))).message;
  }, (endpoint) => !isTabAddress(endpoint) && options.forward !== true);
  return {
    ...client,
    async status(endpoint, options) {
      if (isTabAddress(endpoint)) throw new RaftError("unreachable", `only servers reach ${endpoint}`);
      return await client.status(endpoint, options);
    },
    close() {
      transports.clear();
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
    const others = this.#servers.filter((other) => other !== server).slice(1 - MAX_ENDPOINTS);
    this.#servers = as === "silent" ? others : as === "best" ? [...others, server] : [server, ...others];
  }
}

/** Reports whether a node answered with the error, perhaps about others that it did not reach. */
function isFromNode({ cause }: RaftError): boolean {
  return cause instanceof ConnectError && cause.findDetails(RaftErrorDetailSchema).length > 0;
}
