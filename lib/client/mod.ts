/**
 * The client of a cluster.
 *
 * @module
 */

export type { AdminCalls, AdminMethod, MemberName, NewMember } from "./admin_calls.ts";
export type {
  AdminCallOptions,
  AdminTransport,
  CallOptions,
  ClientTransport,
  ProposeOutcome,
} from "./client_transport.ts";
export { ClusterAdmin } from "./cluster_admin.ts";
export type { AdminRequestOptions, ClusterAdminOptions, MemberList } from "./cluster_admin.ts";
export { Coordinator } from "./coordinator.ts";
export type { ClientRequestOptions, CoordinatorOptions } from "./coordinator.ts";
export type { ProposalsInFlight } from "./proposals.ts";
export { DirectClientTransport } from "./direct.ts";
export type { DirectNode } from "./direct.ts";
export type { KnownLeader } from "./leader_finder.ts";
