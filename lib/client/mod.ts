/**
 * The client of a cluster.
 *
 * @module
 */

export type { CallOptions, ClientTransport, ProposeResult } from "./client_transport.ts";
export { Coordinator } from "./coordinator.ts";
export type { ClientRequestOptions, CoordinatorOptions } from "./coordinator.ts";
export { DirectClientTransport } from "./direct.ts";
export type { DirectNode } from "./direct.ts";
export type { KnownLeader } from "./leader_finder.ts";
export type { ProposedCommand } from "./proposal.ts";
