/**
 * The receiving side of the transport between servers.
 */

import { RaftError } from "../../lib/errors.ts";
import type { ConnectTransport } from "./connect_transport.ts";
import { callerFromWire, type PeerCaller, type PeerIdentity } from "../wire/identity.ts";
import { malformed } from "../wire/checked.ts";
import { Interruptible } from "./interruptible.ts";
import type { RpcService } from "./rpc_types.ts";

/** A stream with this many batches in a row that are malformed or refused ends. */
const MAX_REFUSED_BATCHES = 16;

/** Returns the identity of this node, for a caller. */
export type Identify = (caller: PeerCaller) => PeerIdentity | Promise<PeerIdentity>;

/** Returns the service to mount, which hands what arrives to the transport. */
export function peerService(transport: ConnectTransport, identify: Identify): RpcService<"peer"> {
  return {
    async *stream(requests, context) {
      if (!transport.open) throw notOpen();
      const arriving = new Interruptible(requests);
      const end = (): void => arriving.end();
      transport.touch(end);
      context.signal.addEventListener("abort", end);
      let refusedInARow = 0;
      try {
        for await (const { envelopes, ack } of arriving) {
          transport.touch(end);
          // No node sends a batch without messages. Each costs no more than five bytes to send.
          if (envelopes.length === 0) throw malformed("a batch has no envelopes");
          // Malformed envelopes have been counted and reported; a few must not end the stream for later batches.
          const error = transport.deliver(envelopes);
          refusedInARow = error === undefined ? 0 : refusedInARow + 1;
          if (error !== undefined && refusedInARow >= MAX_REFUSED_BATCHES) throw error;
          if (ack !== 0) yield { ack };
        }
      } finally {
        transport.ended(end);
      }
    },
    send({ envelopes }) {
      if (!transport.open) throw notOpen();
      const error = transport.deliver(envelopes);
      if (error !== undefined) throw error;
      return {};
    },
    async identify(caller) {
      return await identify(callerFromWire(caller));
    },
  };
}

function notOpen(): RaftError {
  return new RaftError("closed", "this node takes no messages", { hint: "It is starting or stopping; try again." });
}
