/**
 * The receiving side of the transport between servers, and how a new node asks who is there.
 *
 * @module
 */

import { createClient } from "@connectrpc/connect";
import { RaftError } from "../../lib/errors.ts";
import { MAX_ADDRESS_LENGTH, MAX_ID_LENGTH, shortString } from "../wire/checked.ts";
import type { ConnectTransport } from "./connect_transport.ts";
import { PeerService } from "../wire/gen/raft/v1/peer_pb.ts";
import { called, type Fetch, fetchTransport } from "./http_client.ts";
import { Interruptible } from "./interruptible.ts";
import type { PeerServiceImpl } from "./rpc_types.ts";

/** Who asks for an identity. */
export interface PeerCaller {
  /** Its name. */
  readonly nodeId: string;
  /** The random identity of its data folder. */
  readonly incarnation: string;
  /** Where it is reached. */
  readonly address: string;
}

/** Who answers at an address, for the first start of a cluster. */
export interface PeerIdentity {
  /** Its name. */
  readonly nodeId: string;
  /** The random identity of its data folder. */
  readonly incarnation: string;
  /** Empty until the node is part of a cluster. */
  readonly clusterId: string;
  /** Where it says that it is reached. */
  readonly address: string;
  /** Whether its data folder holds nothing yet but its own identity. */
  readonly empty: boolean;
  /** Whether it has recorded the caller's id with the caller's incarnation. */
  readonly knowsCaller: boolean;
  /** The first membership of its cluster, encoded as in the log; empty if there is none. */
  readonly membership: Uint8Array;
}

/** Answers who this node is. */
export type Identify = (caller: PeerCaller) => PeerIdentity | Promise<PeerIdentity>;

/** The service to mount: hands what arrives to the transport. */
export function peerService(transport: ConnectTransport, identify: Identify): PeerServiceImpl {
  return {
    async *stream(requests, context) {
      if (!transport.open) throw notOpen();
      const arriving = new Interruptible(requests);
      const stream = transport.opened(() => arriving.end());
      context.signal.addEventListener("abort", stream.end);
      try {
        for await (const { envelopes, ack } of arriving) {
          stream.touch();
          // What is malformed was counted and told; it must not end the stream for the rest.
          transport.deliver(envelopes);
          if (ack !== 0) yield { ack };
        }
      } finally {
        stream.ended();
      }
    },
    send({ envelopes }) {
      if (!transport.open) throw notOpen();
      const error = transport.deliver(envelopes);
      if (error !== undefined) throw error;
      return {};
    },
    async identify(caller) {
      return await identify({
        nodeId: shortString(caller.nodeId, MAX_ID_LENGTH, "nodeId"),
        incarnation: shortString(caller.incarnation, MAX_ID_LENGTH, "incarnation"),
        address: shortString(caller.address, MAX_ADDRESS_LENGTH, "address"),
      });
    },
  };
}

function notOpen(): RaftError {
  return new RaftError("closed", "this node takes no messages", { hint: "It is starting or stopping; try again." });
}

/**
 * Asks the node at `address` who it is.
 *
 * @throws {RaftError} `unreachable`, `timeout`, `aborted`, or what the node answers
 */
export async function identifyPeer(
  address: string,
  caller: PeerCaller,
  options: { readonly signal?: AbortSignal; readonly fetch?: Fetch } = {},
): Promise<PeerIdentity> {
  const { signal } = options;
  const client = createClient(PeerService, fetchTransport(address, options.fetch));
  const answer = await called(
    signal,
    () => client.identify({ ...caller }, signal === undefined ? {} : { signal }),
  );
  const { nodeId, incarnation, clusterId, address: ownAddress, empty, knowsCaller, membership } = answer;
  return {
    nodeId: shortString(nodeId, MAX_ID_LENGTH, "nodeId"),
    incarnation: shortString(incarnation, MAX_ID_LENGTH, "incarnation"),
    clusterId: shortString(clusterId, MAX_ID_LENGTH, "clusterId"),
    address: shortString(ownAddress, MAX_ADDRESS_LENGTH, "address"),
    empty,
    knowsCaller,
    membership,
  };
}
