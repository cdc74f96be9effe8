/**
 * Makes nodes in browser tabs members of a cluster of servers: one
 * stream from each server to the page, calls from the page to the servers.
 *
 * A page makes one {@linkcode RelayClient} for all of its nodes; servers are
 * told to allow the page's origin. A node in a worker of its own has a port to
 * it, and makes its transport by {@linkcode relayPortTransport}.
 * `ClusterAdmin` adds the node to the cluster.
 *
 * Nothing here needs more of the runtime than browsers have.
 *
 * @module
 */

export type { Fetch } from "../connect/rpc_types.ts";
export { RelayClient } from "./relay_client.ts";
export type { RelayClientCounts, RelayClientOptions, RelayLinkState, RelayServer } from "./options.ts";
export type { RelayCounts, RelayHubOptions } from "./options.ts";
export { RelayHub } from "./relay_hub.ts";
export { relayPortTransport } from "./relay_port.ts";
export type { RelayPortTransportOptions } from "./relay_port.ts";
export { relayService } from "./relay_service.ts";
export type { Locks } from "../packet/locks.ts";
