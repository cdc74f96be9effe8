/**
 * The transport between all nodes of a cluster that are in tabs and workers of
 * one origin.
 */

import { systemHost } from "../../lib/host.ts";
import { PacketTransport, type PacketTransportCounts } from "../packet/packet_transport.ts";
import { type BroadcastChannelTransportOptions, BroadcastPacketChannel } from "./broadcast_packet_channel.ts";

/**
 * Reaches every tab and worker of the origin that is on the same cluster's
 * channel, without a list of their addresses, and knows which are there.
 *
 * A tab that is closed says goodbye, or its Web Lock shows that it is gone.
 *
 * @example
 * ```ts
 * import { BroadcastChannelTransport, tabAddress } from "./transport/tab/mod.ts";
 *
 * export const transport = new BroadcastChannelTransport({ clusterId: "demo", address: tabAddress("n1") });
 * ```
 */
export class BroadcastChannelTransport extends PacketTransport {
  readonly #channel: BroadcastPacketChannel;

  /** Opens nothing yet. @throws {RaftError} `invalid_argument` for an address that is empty or too long */
  constructor(options: BroadcastChannelTransportOptions) {
    const { host = systemHost() } = options;
    const channel = new BroadcastPacketChannel({ ...options, host });
    super({ ...options, host, channel });
    this.#channel = channel;
  }

  /** See {@linkcode PacketTransport.counts}. */
  override get counts(): PacketTransportCounts {
    const counts = super.counts;
    return { ...counts, malformed: counts.malformed + this.#channel.malformed };
  }
}
