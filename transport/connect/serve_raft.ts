/**
 * A node that was put together in parts, behind one function for any HTTP server.
 */

import { RaftError } from "../../lib/errors.ts";
import { toConnectError } from "../wire/connect_errors.ts";
import { clientService, type ClientServiceOptions } from "../wire/client_service.ts";
import { identityOf } from "../wire/identity.ts";
import type { ConnectTransport } from "./connect_transport.ts";
import {
  connectFetchHandler,
  type ConnectLimits,
  createRaftRoutes,
  type RaftServices,
  refusal,
} from "./fetch_handler.ts";
import { peerService } from "./peer_service.ts";
import { BodyReceiver, type BodyReceiverOptions } from "./receive.ts";

/** Options of {@linkcode serveRaft}. */
export interface ServeRaftOptions extends ClientServiceOptions {
  /** The node's transport: receives what other nodes send. */
  readonly transport: ConnectTransport;
  /** The node's address, as in its own options. */
  readonly address: string;
  /** Further services, such as one for operators. @default none */
  readonly services?: Omit<RaftServices, "client" | "peer">;
  /** The largest messages that are read, and the bytes and the time for all of them. */
  readonly limits?: ConnectLimits & BodyReceiverOptions;
}

/**
 * Returns a function that answers what other nodes and clients ask of `node`:
 * PeerService and ClientService, by Connect and gRPC-Web. Nodes stream to each
 * other over HTTP/2, so the server must speak that; `listen` of the server
 * module does in every runtime, and so does `Deno.serve`.
 *
 * A node that doesn't lead answers `not_leader`, and a Coordinator then goes to
 * the leader by itself. Any other path is answered with status 404.
 *
 * @example
 * ```ts
 * import { KeyValue, RaftNode, Sessions } from "./mod.ts";
 * import { createFileStorage } from "./storage/file/mod.ts";
 * import { ConnectTransport, http2Connector, serveRaft } from "./transport/connect/mod.ts";
 *
 * const [id, address] = ["n1", "127.0.0.1:7001"];
 * const transport = new ConnectTransport({ connector: http2Connector() });
 * const stateMachine = new Sessions(new KeyValue());
 * const node = await RaftNode.start({ id, address, transport, stateMachine, storage: createFileStorage("data/n1") });
 * Deno.serve({ port: 7001 }, serveRaft({ node, transport, address }));
 * ```
 */
export function serveRaft(options: ServeRaftOptions): (request: Request) => Promise<Response> {
  const { node, transport, address, services, limits } = options;
  const handler = connectFetchHandler(
    createRaftRoutes({
      ...services,
      peer: peerService(transport, (caller) => identityOf(node.status(), address, caller)),
      client: clientService(options),
    }, limits),
    { ...(limits === undefined ? {} : { limits }), receiver: new BodyReceiver(limits) },
  );
  return async (request) =>
    await handler(request) ?? refusal(404, toConnectError(new RaftError("unsupported", "no such service or method")));
}
