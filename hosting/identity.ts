/**
 * The answer of a node to the question of its identity.
 */

import { RaftError } from "../lib/errors.ts";
import { decodeMembership } from "../lib/raft/membership.ts";
import type { Membership } from "../lib/raft/types.ts";
import { type CallSender, callUnary } from "../transport/packet/methods.ts";
import { PeerService } from "../transport/wire/gen/raft/v1/peer_pb.ts";
import { identityFromWire } from "../transport/wire/identity.ts";
import type { PeerCaller, PeerIdentity as WireIdentity } from "../transport/wire/identity.ts";
import type { PeerIdentity } from "./bootstrap.ts";

/** Converts an answer from the wire. An unreadable membership counts as none: the leader's log will bring it. */
export function peerIdentityOf(answer: WireIdentity): PeerIdentity {
  let firstMembership: Membership | null = null;
  try {
    if (answer.membership.length > 0) firstMembership = decodeMembership(answer.membership);
  } catch {
    // From a newer version, or damaged.
  }
  const { nodeId, incarnation, address, clusterId, empty, knowsCaller } = answer;
  return { nodeId, incarnation, address, clusterId, empty, knowsCaller, firstMembership };
}

/**
 * Asks the node at `address` for its identity, over calls between tabs.
 *
 * @throws {RaftError} see {@linkcode callUnary}
 */
export async function identifyOverCall(
  transport: { readonly call: CallSender },
  address: string,
  caller: PeerCaller,
  signal: AbortSignal,
): Promise<WireIdentity> {
  const answer = await callUnary(transport, PeerService.method.identify, address, { ...caller }, { signal });
  if (answer.nodeId === "") throw new RaftError("internal", `the node at ${address} has no name`);
  return identityFromWire(answer);
}
