/**
 * How much may be on its way to one peer. What is posted to a channel or a port
 * waits at the receiver without bound if that one hangs, so it is for the sender
 * to stop.
 *
 * @module
 */

/** What may be on its way to one peer, at most. */
export interface CreditLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** The numbers to ask with are 1 to this one. */
export const MAX_ASK = 0x7fff_ffff;

/** So many messages and bytes, from the first one on. */
interface Sum {
  readonly messages: number;
  readonly bytes: number;
}

/**
 * Counts what was sent and not acknowledged. One message at a time asks for an
 * acknowledgement, which is for everything before it too.
 */
export class Credit {
  readonly #limits: CreditLimits;
  #sent: Sum = { messages: 0, bytes: 0 };
  #acknowledged: Sum = { messages: 0, bytes: 0 };
  #lastAsk: number;
  /** What was sent when the last one asked; `null` once that is acknowledged. */
  #asked: Sum | null = null;

  /** @param firstAsk where the numbers begin: at random, so that an acknowledgement for an earlier sender is not taken for one */
  constructor(limits: CreditLimits, firstAsk: number) {
    this.#limits = limits;
    this.#lastAsk = firstAsk;
  }

  /** What is on its way. */
  get inFlight(): Sum {
    return {
      messages: this.#sent.messages - this.#acknowledged.messages,
      bytes: this.#sent.bytes - this.#acknowledged.bytes,
    };
  }

  /** Whether a message may leave: the number that it is to ask with, 0 for none; `null` if there is no room. */
  take(size: number): number | null {
    const { messages, bytes } = this.inFlight;
    const { maxMessages, maxBytes } = this.#limits;
    // One that is over the limit all by itself may go alone.
    if (messages >= maxMessages || (messages > 0 && bytes + size > maxBytes)) return null;
    this.#sent = { messages: this.#sent.messages + 1, bytes: this.#sent.bytes + size };
    return this.#asked === null ? this.#ask() : 0;
  }

  /**
   * Takes an acknowledgement. What was sent since may be so much that no other
   * message fits, which could ask for the next one.
   *
   * @returns the number to ask with at once, 0 for none
   */
  acknowledge(ack: number): number {
    if (this.#asked === null || ack !== this.#lastAsk) return 0;
    this.#acknowledged = this.#asked;
    this.#asked = null;
    const { messages, bytes } = this.inFlight;
    return 2 * messages > this.#limits.maxMessages || 2 * bytes > this.#limits.maxBytes ? this.#ask() : 0;
  }

  #ask(): number {
    this.#asked = this.#sent;
    this.#lastAsk = this.#lastAsk % MAX_ASK + 1;
    return this.#lastAsk;
  }
}
