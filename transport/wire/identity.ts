/**
 * The identity of a node, as it answers PeerService.Identify: before the first
 * start of a cluster nodes find out by it who their peers are.
 */

import type { NodeStatus } from "../../lib/node/types.ts";
import { encodeMembership } from "../../lib/raft/membership.ts";
import { nodeAddress } from "./address.ts";
import type { SendUnary } from "./admin_codec.ts";
import { idString, MAX_ADDRESS_LENGTH, MAX_ID_LENGTH, readable, shortString } from "./checked.ts";
import { PeerService } from "./gen/raft/v1/peer_pb.ts";

/** The node that asks for an identity. */
export interface PeerCaller {
  /** Its name. */
  readonly nodeId: string;
  /** The random identity of its data folder. */
  readonly incarnation: string;
  /** Where it is reached. */
  readonly address: string;
}

/**
 * A caller that does not say who it is: nothing is known yet of what answers at the address, so it learns nothing
 * either, least of all the identity of a data folder.
 */
export const ANONYMOUS: PeerCaller = { nodeId: "", incarnation: "", address: "" };

/** The largest answer with an identity that is read, in bytes: room for a first membership of some hundred nodes. */
export const MAX_IDENTITY_BYTES = 64 * 1024;

/** The node that answers at an address. */
export interface PeerIdentity extends PeerCaller {
  /** Empty until the node is part of a cluster. */
  readonly clusterId: string;
  /** True if its data folder holds only its own identity so far. */
  readonly empty: boolean;
  /** True if it has recorded the caller's id with the caller's incarnation. */
  readonly knowsCaller: boolean;
  /** The first membership of its cluster, encoded as in the log; empty if there is none. */
  readonly membership: Uint8Array;
}

/** Returns the identity of the node that has this status. */
export function identityOf(status: NodeStatus, address: string, caller: PeerCaller): PeerIdentity {
  const { id, incarnation, clusterId, members, membership, membershipIndex } = status;
  return {
    nodeId: id,
    incarnation,
    clusterId,
    address,
    empty: status.lastIndex === 0 && status.term === 0,
    knowsCaller: members.some((member) => member.id === caller.nodeId && member.incarnation === caller.incarnation),
    membership: membershipIndex === 1 ? encodeMembership(membership) : new Uint8Array(0),
  };
}

/** Reads the caller from a request. @throws {RaftError} `invalid_argument` if a string is too long */
export function callerFromWire({ nodeId, incarnation, address }: PeerCaller): PeerCaller {
  return {
    nodeId: shortString(nodeId, MAX_ID_LENGTH, "nodeId"),
    incarnation: shortString(incarnation, MAX_ID_LENGTH, "incarnation"),
    address: shortString(address, MAX_ADDRESS_LENGTH, "address"),
  };
}

/**
 * Asks a node for its identity.
 *
 * @throws {RaftError} `internal` if the answer can't be read, or an error of `send`
 */
export async function askIdentity(send: SendUnary, caller: PeerCaller): Promise<PeerIdentity> {
  const answer = await send(PeerService.method.identify, { ...caller });
  const { nodeId, clusterId, empty, knowsCaller, membership } = answer;
  return readable(() => ({
    ...callerFromWire(answer),
    nodeId: idString(nodeId, "nodeId"),
    // It goes into the first membership of a cluster.
    address: nodeAddress(answer.address),
    clusterId: shortString(clusterId, MAX_ID_LENGTH, "clusterId"),
    empty,
    knowsCaller,
    membership,
  }));
}
