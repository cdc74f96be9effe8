/**
 * A channel of packets in memory that loses packets on a test's request.
 *
 * @module
 */

import type { PacketChannel, ReceivePacket } from "../../../../transport/packet/packet_channel.ts";
import { PacketTransport, type TabTransportOptions } from "../../../../transport/packet/packet_transport.ts";

/** Joins channels by address. */
export class Post {
  readonly #open = new Map<string, { readonly receive: ReceivePacket; readonly lost: (address: string) => void }>();
  /** Addresses at which packets are accepted but never read. */
  readonly hanging = new Set<string>();

  channel(address: string): PacketChannel {
    return {
      start: (receive, lost) => {
        this.#open.set(address, { receive, lost });
        return Promise.resolve();
      },
      send: (to, packet) => {
        if (this.hanging.has(to)) return true;
        // No channel returns a packet to its sender.
        if (to === address || !this.#open.has(to)) return false;
        queueMicrotask(() => this.#open.get(to)?.receive(packet));
        return true;
      },
      close: () => {
        this.#open.delete(address);
        return Promise.resolve();
      },
    };
  }

  /** Notifies all others that the transport at `address` has departed. */
  lose(address: string): void {
    this.#open.delete(address);
    for (const { lost } of this.#open.values()) lost(address);
  }

  /** Delivers raw bytes. */
  deliver(to: string, bytes: Uint8Array): void {
    this.#open.get(to)?.receive(bytes);
  }

  /** Creates a transport, and starts it. */
  async open(address: string, options: Partial<TabTransportOptions> = {}): Promise<PacketTransport> {
    const transport = new PacketTransport({ address, channel: this.channel(address), ...options });
    await transport.start(() => {});
    return transport;
  }
}
