/**
 * The calls that a node in a tab answers, from other nodes and from the clients of other tabs.
 */

import { adminService } from "../hosting/admin_calls.ts";
import type { AdminCalls } from "../hosting/admin_calls.ts";
import type { ServedNode } from "../hosting/served_node.ts";
import { AdminService } from "../transport/wire/gen/raft/v1/admin_pb.ts";
import { PeerService } from "../transport/wire/gen/raft/v1/peer_pb.ts";
import { callerFromWire, identityOf } from "../transport/wire/identity.ts";
import { unary } from "../transport/packet/methods.ts";
import { serveNode } from "../transport/tab/mod.ts";
import type { CallHandler, CallMethods } from "../transport/tab/mod.ts";

export interface NodeMethodsOptions {
  readonly node: ServedNode;
  readonly admin: AdminCalls;
  /** The node's address for other nodes. */
  readonly address: string;
}

/** Returns a handler of ClientService, AdminService and PeerService.Identify. */
export function nodeMethods(options: NodeMethodsOptions): CallHandler {
  return serveNode(options.node, { ...identify(options), ...adminMethods(options) });
}

function identify({ node, address }: NodeMethodsOptions): CallMethods {
  return unary(PeerService.method.identify, (caller) => ({
    ...identityOf(node.status(), address, callerFromWire(caller)),
  }));
}

function adminMethods({ node, admin }: NodeMethodsOptions): CallMethods {
  const { method } = AdminService;
  const service = adminService(node, admin);
  return {
    ...unary(method.addMember, service.addMember),
    ...unary(method.promoteMember, service.promoteMember),
    ...unary(method.demoteMember, service.demoteMember),
    ...unary(method.removeMember, service.removeMember),
    ...unary(method.changeMembership, service.changeMembership),
    ...unary(method.transferLeadership, service.transferLeadership),
    ...unary(method.takeSnapshot, service.takeSnapshot),
  };
}
