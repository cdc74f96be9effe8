/**
 * The memory of requests that a node holds for another, the leader.
 */

import { RaftError } from "../lib/errors.ts";

/** Limits of {@linkcode ForwardBudget}. */
export interface ForwardLimits {
  /** Requests that are forwarded, or wait for a leader, at the same time, at most. @default 2048 */
  readonly maxForwardedRequests?: number;
  /** Their bytes, at most; a single request may be larger. @default 32 MiB */
  readonly maxForwardedBytes?: number;
}

/** Bounds the requests that are forwarded to the leader, or wait until there is one. */
export class ForwardBudget {
  readonly #limits: Required<ForwardLimits>;
  #requests = 0;
  #bytes = 0;
  #refused = 0;

  /** Creates a budget of which nothing is used. */
  constructor({ maxForwardedRequests = 2048, maxForwardedBytes = 32 * 1024 * 1024 }: ForwardLimits = {}) {
    this.#limits = { maxForwardedRequests, maxForwardedBytes };
  }

  /** The requests under way, their bytes, and those refused so far. */
  get counts(): { readonly requests: number; readonly bytes: number; readonly refused: number } {
    return { requests: this.#requests, bytes: this.#bytes, refused: this.#refused };
  }

  /**
   * Adds a request of so many bytes. Returns a function to call once, when it has ended.
   *
   * @throws {RaftError} `busy` if there is no room for it; it has no effect then
   */
  take(bytes: number): () => void {
    const { maxForwardedRequests, maxForwardedBytes } = this.#limits;
    const full = this.#requests >= maxForwardedRequests;
    if (full || (this.#requests > 0 && this.#bytes + bytes > maxForwardedBytes)) {
      this.#refused++;
      const limit = full ? `${maxForwardedRequests} requests` : `${maxForwardedBytes} bytes of requests`;
      throw new RaftError("busy", `${limit} wait for the leader already; this one was not sent`, {
        hint: "Try again in a moment, or ask the leader itself.",
      });
    }
    this.#requests++;
    this.#bytes += bytes;
    return () => {
      this.#requests--;
      this.#bytes -= bytes;
    };
  }
}
