/**
 * The answer of a node to the question of its identity.
 */

import { RaftError } from "../lib/errors.ts";
import { type CallSender, callUnary } from "../transport/packet/methods.ts";
import { PeerService } from "../transport/wire/gen/raft/v1/peer_pb.ts";
import { identityFromWire } from "../transport/wire/identity.ts";
import type { PeerCaller, PeerIdentity } from "../transport/wire/identity.ts";

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
): Promise<PeerIdentity> {
  const answer = await callUnary(transport, PeerService.method.identify, address, { ...caller }, { signal });
  if (answer.nodeId === "") throw new RaftError("internal", `the node at ${address} has no name`);
  return identityFromWire(answer);
}
