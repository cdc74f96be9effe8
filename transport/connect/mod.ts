/**
 * Connect-RPC: between servers, and from clients to servers.
 *
 * This module needs node:http2, as Node, Deno and Bun have it. Code for a
 * browser imports `client_transport.ts` instead.
 *
 * @module
 */

export { baseUrl } from "../wire/address.ts";
export { createConnectClientTransport, createRaftClients } from "./client_transport.ts";
export type { ClientTransportOptions, ConnectClientTransportOptions, RaftClients } from "./client_transport.ts";
export { decodeEnvelope, encodeEnvelope, envelopeFromWire, envelopeToWire } from "../wire/codec.ts";
export { ConnectTransport } from "./connect_transport.ts";
export type { ConnectTransportCounts, ConnectTransportOptions } from "./connect_transport.ts";
export { errorFromDetail, errorToDetail } from "../wire/error_detail.ts";
export { fromConnectError, raftErrorInterceptor, toConnectError } from "../wire/connect_errors.ts";
export { connectFetchHandler, createRaftRoutes } from "./fetch_handler.ts";
export type { ConnectLimits, RaftServices } from "./fetch_handler.ts";
export { http2Connector } from "./http2_connector.ts";
export { bufferedHttpClient, fetchTransport, surelyNotSent } from "./http_client.ts";
export type { Fetch } from "./http_client.ts";
export { membershipFromWire, membershipToWire } from "../wire/membership_codec.ts";
export type { PeerBatch, PeerConnector, PeerLink } from "./peer_link.ts";
export { resultToWire } from "../wire/result_codec.ts";
export type {
  AdminServiceClient,
  AdminServiceImpl,
  ClientServiceClient,
  ClientServiceImpl,
  KeyValueServiceClient,
  KeyValueServiceImpl,
  PeerServiceImpl,
  RelayServiceImpl,
  RpcRoutes,
  RpcTransport,
} from "./rpc_types.ts";
export { identifyPeer, peerService } from "./peer_service.ts";
export type { Identify } from "./peer_service.ts";
export { serveRaft } from "./serve_raft.ts";
export type { ServeRaftOptions } from "./serve_raft.ts";
export { clientService } from "../wire/client_service.ts";
export type { ClientServiceMethods, ClientServiceOptions, LeaderForwarding } from "../wire/client_service.ts";
export type { PeerCaller, PeerIdentity } from "../wire/identity.ts";
export {
  consistencyFromWire,
  consistencyToWire,
  statusFromWire,
  statusToWire,
  suffrageFromWire,
  suffrageToWire,
} from "../wire/status_codec.ts";
