/**
 * What waits to be sent to one peer.
 *
 * @module
 */

import type { Envelope } from "../../lib/transport.ts";
import { envelopeSize } from "../wire/codec.ts";

/** How much a queue holds. */
export interface QueueLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** First in, first out, within limits. */
class BoundedQueue {
  readonly #items: { readonly envelope: Envelope; readonly size: number }[] = [];
  #bytes = 0;

  get length(): number {
    return this.#items.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  hasRoom(size: number, limits: QueueLimits): boolean {
    return this.#items.length < limits.maxMessages && this.#bytes + size <= limits.maxBytes;
  }

  push(envelope: Envelope, size: number): void {
    this.#items.push({ envelope, size });
    this.#bytes += size;
  }

  /** As many as fit in both limits, but at least one. */
  take(limits: QueueLimits): Envelope[] {
    let count = 0;
    let size = 0;
    while (count < this.#items.length && count < limits.maxMessages) {
      const next = this.#items[count]!.size;
      if (count > 0 && size + next > limits.maxBytes) break;
      size += next;
      count++;
    }
    this.#bytes -= size;
    return this.#items.splice(0, count).map((item) => item.envelope);
  }
}

const ONE: QueueLimits = { maxMessages: 1, maxBytes: Infinity };

/**
 * Two queues: chunks of snapshots go behind everything else, so that they never
 * hold up a heartbeat, and one of them goes with every batch, so that they are
 * never held up for good.
 */
export class LaneQueue {
  readonly #urgent = new BoundedQueue();
  readonly #bulk = new BoundedQueue();

  /** Messages that wait. */
  get length(): number {
    return this.#urgent.length + this.#bulk.length;
  }

  /** Bytes that wait, roughly. */
  get bytes(): number {
    return this.#urgent.bytes + this.#bulk.bytes;
  }

  /**
   * Adds a message, and returns how many were dropped for want of room: the new
   * one, or with `dropOldest` those that waited longest (for a peer that isn't
   * there they only grow stale).
   */
  push(envelope: Envelope, limits: QueueLimits, dropOldest: boolean): number {
    const queue = envelope.message.type === "InstallSnapshot" ? this.#bulk : this.#urgent;
    const size = envelopeSize(envelope);
    if (size > limits.maxBytes) return 1;
    let dropped = 0;
    while (!queue.hasRoom(size, limits)) {
      if (!dropOldest) return dropped + 1;
      dropped += queue.take(ONE).length;
    }
    queue.push(envelope, size);
    return dropped;
  }

  /** The next messages to send together. */
  take(limits: QueueLimits): Envelope[] {
    return [...this.#urgent.take(limits), ...this.#bulk.take(ONE)];
  }

  /** Drops everything, and returns how much that was. */
  clear(): number {
    const { length } = this;
    const everything = { maxMessages: Infinity, maxBytes: Infinity };
    this.#urgent.take(everything);
    this.#bulk.take(everything);
    return length;
  }
}
