/**
 * One attempt at something that may hang, and what to do between attempts.
 *
 * @module
 */

import type { Host } from "../clock.ts";
import { abortedError, RaftError } from "../errors.ts";

/**
 * Calls `call`, and gives up on it after `timeoutMs` or when a signal fires, even
 * if it never ends. Its own signal fires then.
 *
 * @throws {RaftError} what it threw; or `timeout` or `aborted`, outcome unknown
 */
export function attempt<T>(
  host: Host,
  timeoutMs: number,
  signals: readonly (AbortSignal | undefined)[],
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const stop = (error: RaftError): void => {
      finish();
      reject(error);
      controller.abort(error);
    };
    const onAbort = (event: Event): void => stop(abortedError(event.target as AbortSignal, "unknown"));
    const cancelTimer = host.clock.setTimer(
      timeoutMs,
      () => stop(new RaftError("timeout", `no answer within ${Math.round(timeoutMs)} ms`, { outcome: "unknown" })),
    );
    const finish = (): void => {
      cancelTimer();
      for (const signal of signals) signal?.removeEventListener("abort", onAbort);
    };
    for (const signal of signals) {
      if (signal?.aborted) return stop(abortedError(signal, "unknown"));
      signal?.addEventListener("abort", onAbort);
    }
    // In a function of its own, so that what it throws at once is a rejection too.
    (async () => await call(controller.signal))().then(
      (value) => {
        finish();
        resolve(value);
      },
      (error) => {
        finish();
        reject(RaftError.from(error, "unreachable"));
      },
    );
  });
}

/** How long to wait before trying again: exponential, with jitter. */
export class BackOff {
  readonly #host: Host;
  readonly #firstMs: number;
  readonly #maxMs: number;
  #failures = 0;

  constructor(host: Host, firstMs: number, maxMs: number) {
    this.#host = host;
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
  }

  /** After a failure: half to all of the step, so that clients don't come back together. */
  nextMs(): number {
    const step = Math.min(this.#maxMs, this.#firstMs * 2 ** Math.min(this.#failures++, 30));
    return step / 2 + this.#host.random() * step / 2;
  }

  /** After a success. */
  reset(): void {
    this.#failures = 0;
  }
}
