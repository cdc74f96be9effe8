/**
 * Connect-RPC: between servers, and from clients to servers.
 *
 * {@linkcode serveRaft} answers for a node, {@linkcode ConnectTransport} sends to
 * the others, {@linkcode createConnectClientTransport} is for clients.
 *
 * This module needs node:http2, as Node, Deno and Bun have it. Code for a
 * browser imports `client_transport.ts` instead.
 *
 * @module
 */

export { chunksOf } from "./bodies.ts";
export { createConnectClientTransport } from "./client_transport.ts";
export type { ConnectClientTransportOptions } from "./client_transport.ts";
export { ConnectTransport } from "./connect_transport.ts";
export type { ConnectTransportCounts, ConnectTransportOptions } from "./connect_transport.ts";
export { connectFetchHandler, createRaftRoutes } from "./fetch_handler.ts";
export type { ConnectHandlerOptions, ConnectLimits, RaftServices } from "./fetch_handler.ts";
export { http2Connector } from "./http2_connector.ts";
export type { PeerLinkStatus } from "./peer_connection.ts";
export type { PeerBatch, PeerConnector, PeerLink } from "./peer_link.ts";
export { peerService } from "./peer_service.ts";
export type { Identify } from "./peer_service.ts";
export { BodyReceiver } from "./receive.ts";
export type { Body, BodyKind, BodyReceiverOptions, ReceivedFrames } from "./receive.ts";
export type { Fetch, RpcRoutes, RpcService } from "./rpc_types.ts";
export { breakers, SlicedBody } from "./sliced_body.ts";
export type { SlicedBodyOptions } from "./sliced_body.ts";
export { serveRaft } from "./serve_raft.ts";
export type { ServeRaftOptions } from "./serve_raft.ts";
export { ByteBudget } from "../../lib/byte_budget.ts";
export type { ByteShare, ByteShareOptions } from "../../lib/byte_budget.ts";
export { clientService } from "../wire/client_service.ts";
export type { ClientServiceMethods, ClientServiceOptions, LeaderForwarding } from "../wire/client_service.ts";
export type { PeerCaller, PeerIdentity } from "../wire/identity.ts";
