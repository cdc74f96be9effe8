/**
 * What waits to be carried: for one page, or to one server.
 *
 * @module
 */

/** A packet with its addresses outside. */
export interface QueuedParcel {
  /** The receiver. */
  readonly to: string;
  /** The sender. */
  readonly from: string;
  /** An encoded Packet. */
  readonly packet: Uint8Array;
}

/** How much a queue holds, or goes together. */
export interface ParcelLimits {
  /** Parcels, at most. */
  readonly maxParcels: number;
  /** Their bytes, at most. */
  readonly maxBytes: number;
}

/** First in, first out, within limits. */
export class ParcelQueue<Item extends QueuedParcel> {
  readonly #limits: ParcelLimits;
  readonly #room: { bytes: number };
  #items: Item[] = [];
  #bytes = 0;

  /** @param room What is left for several queues together. */
  constructor(limits: ParcelLimits, room: { bytes: number } = { bytes: Infinity }) {
    this.#limits = limits;
    this.#room = room;
  }

  /** Parcels that wait. */
  get length(): number {
    return this.#items.length;
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds one; false if there is no room for it. */
  push(item: Item): boolean {
    const size = item.packet.length;
    const { maxParcels, maxBytes } = this.#limits;
    // Of the common room no queue holds more than it leaves to the others, so that many that are stuck don't fill it.
    const most = Math.min(maxBytes, this.#room.bytes);
    if (this.#items.length >= maxParcels || this.#bytes + size > most) return false;
    this.#items.push(item);
    this.#bytes += size;
    this.#room.bytes -= size;
    return true;
  }

  /** The next ones to go together: as many as fit in both limits, but at least one. */
  take(limits: ParcelLimits): Item[] {
    let count = 0;
    let size = 0;
    while (count < this.#items.length && count < limits.maxParcels) {
      const next = this.#items[count]!.packet.length;
      if (count > 0 && size + next > limits.maxBytes) break;
      size += next;
      count++;
    }
    this.#bytes -= size;
    this.#room.bytes += size;
    return this.#items.splice(0, count);
  }

  /** Empties it, and gives what was in it. */
  clear(): Item[] {
    const items = this.#items;
    this.#room.bytes += this.#bytes;
    this.#items = [];
    this.#bytes = 0;
    return items;
  }
}
