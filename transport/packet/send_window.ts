/**
 * Limits what is on its way to one peer. Messages posted to a channel or a port
 * wait at the receiver without bound if that one hangs, so the sender has to
 * stop.
 *
 * @module
 */

/** Limits of what is on its way to one peer. */
export interface WindowLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** Requests have numbers from 1 to this one. */
export const MAX_ACK_REQUEST = 0x7fff_ffff;

/** Messages and bytes, counted from the first one on. */
interface Sum {
  readonly messages: number;
  readonly bytes: number;
}

/**
 * Counts what was sent and not acknowledged. One message at a time requests an
 * acknowledgement, which covers everything before it too.
 */
export class SendWindow {
  readonly #limits: WindowLimits;
  #sent: Sum = { messages: 0, bytes: 0 };
  #acknowledged: Sum = { messages: 0, bytes: 0 };
  #lastRequest: number;
  /** The sum sent at the last request; `null` once that is acknowledged. */
  #requested: Sum | null = null;

  /** @param firstRequest a random number, so that an acknowledgement for an earlier sender does not count */
  constructor(limits: WindowLimits, firstRequest: number) {
    this.#limits = limits;
    this.#lastRequest = firstRequest;
  }

  /** The sum on its way. */
  get inflight(): Sum {
    return {
      messages: this.#sent.messages - this.#acknowledged.messages,
      bytes: this.#sent.bytes - this.#acknowledged.bytes,
    };
  }

  /** Takes room for a message; returns the number of its request to acknowledge (0 for none), or `null` without room. */
  take(size: number): number | null {
    const { messages, bytes } = this.inflight;
    const { maxMessages, maxBytes } = this.#limits;
    // A message that is over the limit all by itself may go alone.
    if (messages >= maxMessages || (messages > 0 && bytes + size > maxBytes)) return null;
    this.#sent = { messages: this.#sent.messages + 1, bytes: this.#sent.bytes + size };
    return this.#requested === null ? this.#request() : 0;
  }

  /**
   * Takes an acknowledgement. So much may have been sent since that there is no
   * room for the next message, which would carry the next request.
   *
   * @returns the number of a request to send at once, 0 for none
   */
  acknowledge(ack: number): number {
    if (this.#requested === null || ack !== this.#lastRequest) return 0;
    this.#acknowledged = this.#requested;
    this.#requested = null;
    return this.inflight.messages > 0 ? this.#request() : 0;
  }

  #request(): number {
    this.#requested = this.#sent;
    this.#lastRequest = this.#lastRequest % MAX_ACK_REQUEST + 1;
    return this.#lastRequest;
  }
}
