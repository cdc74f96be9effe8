/**
 * The messages that wait to be sent to one peer.
 */

import { BoundedQueue, type QueueLimits } from "../../lib/bounded_queue.ts";
import type { Envelope } from "../../lib/transport.ts";
import { envelopeSize } from "../wire/codec.ts";

const ONE: QueueLimits = { maxItems: 1, maxBytes: Infinity };

/**
 * Two queues: chunks of snapshots go behind everything else, so that they never
 * hold up a heartbeat, and one of them goes with every batch, so that they are
 * never held up for good.
 */
export class SendQueue {
  readonly #urgent = new BoundedQueue<Envelope>();
  readonly #bulk = new BoundedQueue<Envelope>();

  /** Messages that wait. */
  get length(): number {
    return this.#urgent.length + this.#bulk.length;
  }

  /** Their bytes, roughly. */
  get bytes(): number {
    return this.#urgent.bytes + this.#bulk.bytes;
  }

  /**
   * Adds a message, and returns how many were dropped for lack of room: the new
   * one, or with `dropOldest` those that waited longest (for a peer that isn't
   * there they only grow stale).
   */
  push(envelope: Envelope, limits: QueueLimits, dropOldest: boolean): number {
    const queue = envelope.message.type === "InstallSnapshot" ? this.#bulk : this.#urgent;
    const size = envelopeSize(envelope);
    if (size > limits.maxBytes) return 1;
    let dropped = 0;
    while (!queue.push(envelope, size, limits)) {
      if (!dropOldest) return dropped + 1;
      dropped += queue.take(ONE).length;
    }
    return dropped;
  }

  /** Removes and returns the next messages to send together. */
  take(limits: QueueLimits): Envelope[] {
    return [...this.#urgent.take(limits), ...this.#bulk.take(ONE)];
  }

  /** Drops everything, and returns how many messages that were. */
  clear(): number {
    return this.#urgent.clear().length + this.#bulk.clear().length;
  }
}
