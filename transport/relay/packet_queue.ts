/**
 * The packets that wait to be carried to one page or one server.
 */

import { BoundedQueue, type QueueLimits } from "../../lib/bounded_queue.ts";

/** A packet with its addresses outside. */
export interface QueuedPacket {
  /** The receiver. */
  readonly to: string;
  /** The sender. */
  readonly from: string;
  /** An encoded Packet. */
  readonly packet: Uint8Array;
}

/** First in, first out, within limits of its own and one of bytes that several queues share. */
export class PacketQueue<Item extends QueuedPacket> {
  readonly #limits: QueueLimits;
  readonly #room: { bytes: number };
  readonly #queue = new BoundedQueue<Item>();

  /** @param room the bytes left for several queues together */
  constructor(limits: QueueLimits, room: { bytes: number } = { bytes: Infinity }) {
    this.#limits = limits;
    this.#room = room;
  }

  /** Packets that wait. */
  get length(): number {
    return this.#queue.length;
  }

  /** Adds a packet; returns false if there is no room for it. */
  push(item: Item): boolean {
    const { maxItems, maxBytes } = this.#limits;
    // Of the common room no queue holds more than it leaves to the others, so that stuck queues don't fill it.
    const limits = { maxItems, maxBytes: Math.min(maxBytes, this.#room.bytes) };
    if (!this.#queue.push(item, item.packet.length, limits)) return false;
    this.#room.bytes -= item.packet.length;
    return true;
  }

  /** Removes and returns the next packets to go together: as many as fit in both limits, but at least one. */
  take(limits: QueueLimits): Item[] {
    return this.#freeing(() => this.#queue.take(limits));
  }

  /** Removes and returns all packets. */
  clear(): Item[] {
    return this.#freeing(() => this.#queue.clear());
  }

  #freeing(remove: () => Item[]): Item[] {
    const before = this.#queue.bytes;
    const items = remove();
    this.#room.bytes += before - this.#queue.bytes;
    return items;
  }
}
