/**
 * One page at a relay: its addresses, and the packets that wait to go down its stream.
 */

import type { Cancel } from "../../lib/clock.ts";
import { pause } from "../../lib/pause.ts";
import type { HubOptions } from "./options.ts";
import { PacketQueue, type QueuedPacket } from "./packet_queue.ts";

/** At most this many packets go down a stream together. */
const MAX_BATCH_PACKETS = 128;

/** Made anew with each stream. */
export class RelayPage {
  readonly name: string;
  addresses: ReadonlySet<string> = new Set();
  /** The number of the last call that was taken from it. */
  lastForward = 0;
  readonly #options: HubOptions;
  readonly #hung: () => void;
  readonly #queue: PacketQueue<QueuedPacket>;
  /** When the next answer without packets is due; the first one at once. */
  #keepAliveDueMs: number;
  #wake: (() => void) | undefined;
  #hangTimer: Cancel | undefined;
  #ended = false;

  /**
   * @param room Left for all pages together.
   * @param hung Called when the page has taken nothing for too long.
   */
  constructor(name: string, options: HubOptions, room: { bytes: number }, hung: () => void) {
    this.name = name;
    this.#options = options;
    this.#hung = hung;
    this.#queue = new PacketQueue({ maxItems: options.maxQueuedPackets, maxBytes: options.maxQueuedBytes }, room);
    this.#keepAliveDueMs = options.host.clock.monotonicMs();
  }

  /** Packets that wait. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Adds one; returns false if there is no room for it. */
  push(item: QueuedPacket): boolean {
    if (this.#ended || !this.#queue.push(item)) return false;
    this.#wake?.();
    return true;
  }

  /** Ends it, and returns how many packets that dropped. */
  end(): number {
    this.#ended = true;
    this.#hangTimer?.();
    this.#wake?.();
    return this.#queue.clear().length;
  }

  /**
   * Returns the packets that go down next; none, now and then, to show that the
   * stream lives; `null` at the end. Called again only once the last ones are on
   * their way: a page for which that takes too long hangs.
   */
  async next(): Promise<QueuedPacket[] | null> {
    const { clock } = this.#options.host;
    this.#hangTimer?.();
    while (!this.#ended && this.#queue.length === 0 && clock.monotonicMs() < this.#keepAliveDueMs) {
      await this.#something();
    }
    if (this.#ended) return null;
    this.#hangTimer = clock.setTimer(this.#options.hangTimeoutMs, this.#hung);
    if (clock.monotonicMs() < this.#keepAliveDueMs) {
      return this.#queue.take({ maxItems: MAX_BATCH_PACKETS, maxBytes: this.#options.maxBatchBytes });
    }
    this.#keepAliveDueMs = clock.monotonicMs() + this.#options.keepAliveMs;
    return [];
  }

  async #something(): Promise<void> {
    const { clock } = this.#options.host;
    const something = new AbortController();
    this.#wake = () => something.abort();
    await pause(clock, this.#keepAliveDueMs - clock.monotonicMs(), something.signal);
    this.#wake = undefined;
  }
}
