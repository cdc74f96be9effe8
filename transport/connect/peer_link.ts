/**
 * One connection to a peer, by any protocol.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { StreamRequestSchema } from "../wire/gen/raft/v1/peer_pb.ts";

/**
 * Some envelopes, and the number of the requested acknowledgement (0 for none).
 *
 * @internal
 */
export type PeerBatch = MessageInitShape<typeof StreamRequestSchema> & { readonly ack: number };

/** One connection to a peer. Made for one use of `carry`. */
export interface PeerLink {
  /**
   * Carries batches until they end, the other side ends, or the connection
   * fails, and yields the acknowledgements that come back. Takes the next
   * batch only when the last one is on its way.
   */
  carry(batches: AsyncIterable<PeerBatch>, signal: AbortSignal): AsyncIterable<number>;
  /** Frees everything. */
  close(): void;
}

/** Makes a link to an address; it connects in `carry`. @throws {RaftError} `invalid_argument` if it is not an address */
export type PeerConnector = (address: string) => PeerLink;
