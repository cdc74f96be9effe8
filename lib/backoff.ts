/**
 * Pauses between attempts that grow with each failure.
 */

import type { Host } from "./clock.ts";

/** Exponential back-off with jitter, so that clients that lost a node together don't come back together. */
export class Backoff {
  readonly #host: Pick<Host, "random">;
  readonly #minMs: number;
  readonly #maxMs: number;
  #failures = 0;

  /** Begins with pauses of up to `minMs`. */
  constructor(host: Pick<Host, "random">, minMs: number, maxMs: number) {
    this.#host = host;
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  /** Returns the pause after a failure: half to all of a step, which doubles up to `maxMs`. */
  nextMs(): number {
    const stepMs = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(this.#failures++, 30));
    return stepMs / 2 + this.#host.random() * stepMs / 2;
  }

  /** Starts over, after a success. */
  reset(): void {
    this.#failures = 0;
  }
}
