/**
 * What a node in a tab answers to other nodes, and to the clients of other tabs.
 *
 * @module
 */

import { RaftError } from "../lib/errors.ts";
import type { ServedNode } from "../hosting/served_node.ts";
import { AdminService } from "../transport/wire/gen/raft/v1/admin_pb.ts";
import { PeerService } from "../transport/wire/gen/raft/v1/peer_pb.ts";
import { memberFromWire, membershipToWire } from "../transport/wire/membership_codec.ts";
import {
  callerFromWire,
  identityFromWire,
  identityOf,
  type PeerCaller,
  type PeerIdentity,
} from "../transport/wire/identity.ts";
import { callUnary } from "../transport/packet/packet_client.ts";
import { unary } from "../transport/packet/methods.ts";
import { serveNode } from "../transport/tab/mod.ts";
import type { CallSender } from "../transport/packet/packet_client.ts";
import type { CallHandler, CallMethods } from "../transport/tab/mod.ts";
import type { AdminCalls } from "./admin_calls.ts";

/** What is served. */
export interface NodeMethodsOptions {
  readonly node: ServedNode;
  readonly admin: AdminCalls;
  /** Where others reach the node. */
  readonly address: string;
}

/** Answers ClientService, AdminService and the question who is there. */
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
  return {
    ...unary(method.addMember, async ({ id, address, incarnation, learner, forwarded }, { signal }) => {
      const membership = await admin.addMember({ id, address, incarnation, learner }, { signal, forwarded });
      return { membership: membershipToWire(membership) };
    }),
    ...unary(method.promoteMember, async ({ id, forwarded }, { signal }) => {
      return { membership: membershipToWire(await admin.promoteMember(id, { signal, forwarded })) };
    }),
    ...unary(method.demoteMember, async ({ id, forwarded }, { signal }) => {
      return { membership: membershipToWire(await admin.demoteMember(id, { signal, forwarded })) };
    }),
    ...unary(method.removeMember, async ({ id, forwarded }, { signal }) => {
      return { membership: membershipToWire(await admin.removeMember(id, { signal, forwarded })) };
    }),
    ...unary(method.changeMembership, async ({ voters, learners, forwarded }, { signal }) => {
      const change = { voters: voters.map(memberFromWire), learners: learners.map(memberFromWire) };
      return { membership: membershipToWire(await admin.changeMembership(change, { signal, forwarded })) };
    }),
    ...unary(method.transferLeadership, async ({ to, forwarded }, { signal }) => {
      return { leaderId: await admin.transferLeadership(to, { signal, forwarded }) };
    }),
    ...unary(method.takeSnapshot, async () => ({ index: BigInt((await node.takeSnapshot()).index) })),
  };
}

/**
 * Asks the node at `address` who it is.
 *
 * @throws {RaftError} see {@linkcode callUnary}
 */
export async function identifyOverCall(
  transport: { readonly call: CallSender },
  address: string,
  caller: PeerCaller,
  signal: AbortSignal,
): Promise<PeerIdentity> {
  const answer = await callUnary(transport, PeerService.method.identify, address, { ...caller }, { signal });
  if (answer.nodeId === "") throw new RaftError("internal", `the node at ${address} has no name`);
  return identityFromWire(answer);
}
