/**
 * The transport between all nodes of a cluster that are in tabs and workers of
 * one origin.
 */

import { systemHost } from "../../lib/host.ts";
import { type Locks, originLocks } from "../packet/locks.ts";
import { PacketTransport, type PacketTransportCounts, type TabTransportOptions } from "../packet/packet_transport.ts";
import { BroadcastPacketChannel } from "./broadcast_packet_channel.ts";

/** Options of a {@linkcode BroadcastChannelTransport}. Sizes in bytes, times in milliseconds. */
export interface BroadcastChannelTransportOptions extends TabTransportOptions {
  /** Nodes of the same cluster reach each other. */
  readonly clusterId: string;
  /** Called with the address of each peer that becomes reachable. */
  readonly onArrived?: (address: string) => void;
  /** Called with the address of each peer that is no longer reachable. One that came back has departed and arrived. */
  readonly onDeparted?: (address: string) => void;
  /** At most this many unacknowledged messages are on their way to one peer; further ones are dropped. @default 4096 */
  readonly maxInflightMessages?: number;
  /** The same limit in bytes. @default 32 MiB */
  readonly maxInflightBytes?: number;
  /** The locks that reveal the end of a tab without a goodbye; `null` for none. @default navigator.locks */
  readonly locks?: Locks | null;
  /** How long `start` waits for another tab at the same address to end, such as one that is reloaded. @default 1000 */
  readonly takeOverMs?: number;
}

const MIB = 1024 * 1024;

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
    const { clusterId, address, locks, host = systemHost(), onArrived, onDeparted, takeOverMs = 1000 } = options;
    const limits = {
      maxMessages: options.maxInflightMessages ?? 4096,
      maxBytes: options.maxInflightBytes ?? 32 * MIB,
    };
    const channel = new BroadcastPacketChannel({
      ...{ clusterId, address, host, limits, takeOverMs, onArrived, onDeparted },
      locks: locks === undefined ? originLocks() : locks,
    });
    super({ ...options, host, channel });
    this.#channel = channel;
  }

  /** See {@linkcode PacketTransport.counts}. */
  override get counts(): PacketTransportCounts {
    const counts = super.counts;
    return { ...counts, malformed: counts.malformed + this.#channel.malformed };
  }
}
