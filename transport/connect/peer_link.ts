/**
 * One connection to a peer, whatever carries it.
 *
 * @module
 */

import { createClient } from "@connectrpc/connect";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { PeerService, type StreamRequestSchema } from "../wire/gen/raft/v1/peer_pb.ts";
import { type Fetch, fetchTransport } from "./http_client.ts";
import type { RpcTransport } from "./rpc_types.ts";

/**
 * Some envelopes, and the acknowledgement that is asked for.
 *
 * @internal
 */
export type PeerBatch = MessageInitShape<typeof StreamRequestSchema> & { readonly ack: number };

/** One connection to a peer. Made for one use of `carry`. */
export interface PeerLink {
  /**
   * Carries batches until they end, the other side ends, or the connection
   * fails, and gives the acknowledgements that come back. Asks for the next
   * batch only when the last one is on its way.
   */
  carry(batches: AsyncIterable<PeerBatch>, signal: AbortSignal): AsyncIterable<number>;
  /** Frees everything. */
  close(): void;
}

/** Makes a link to an address; it connects in `carry`. @throws {RaftError} `invalid_argument` if it is no address */
export type PeerConnector = (address: string) => PeerLink;

/** A link over one bidirectional stream. */
export function streamLink(transport: RpcTransport, close: () => void): PeerLink {
  const client = createClient(PeerService, transport);
  return {
    async *carry(batches, signal) {
      for await (const response of client.stream(batches, { signal })) yield response.ack;
    },
    close,
  };
}

/** Links of unary calls over `fetch`, one call a batch: for a tab, or behind a proxy that knows no HTTP/2. */
export function unaryConnector(fetch?: Fetch): PeerConnector {
  return (address) => {
    const client = createClient(PeerService, fetchTransport(address, fetch));
    return {
      async *carry(batches, signal) {
        for await (const { envelopes, ack } of batches) {
          await client.send({ envelopes: envelopes ?? [] }, { signal });
          if (ack !== 0) yield ack;
        }
      },
      close() {},
    };
  };
}

/**
 * Links by `first`, and by `second` where the first can't be: after one that
 * failed before anything came back the other is tried. The second kind is left
 * every `tryAgainAfterMs` to see whether the first works by now.
 */
export function fallbackConnector(
  first: PeerConnector,
  second: PeerConnector,
  clock: { monotonicMs(): number },
  tryAgainAfterMs = 30_000,
): PeerConnector {
  const useSecond = new Set<string>();
  return (address) => {
    const isSecond = useSecond.has(address);
    const link = (isSecond ? second : first)(address);
    return {
      async *carry(batches, signal) {
        const endMs = clock.monotonicMs() + tryAgainAfterMs;
        let answered = false;
        try {
          for await (const ack of link.carry(batches, signal)) {
            answered = true;
            yield ack;
            if (isSecond && clock.monotonicMs() >= endMs) return;
          }
        } finally {
          if (isSecond) useSecond.delete(address);
          else if (!answered && !signal.aborted) useSecond.add(address);
        }
      },
      close: () => link.close(),
    };
  };
}
