/**
 * One attempt at something that may hang, and what to do between attempts.
 *
 * @module
 */

import type { Host } from "../clock.ts";
import { RaftError, type RaftErrorCode } from "../errors.ts";

/** Errors that no other node and no later time would change. */
const FINAL: ReadonlySet<RaftErrorCode> = new Set<RaftErrorCode>([
  "invalid_argument",
  "too_large",
  "unsupported",
  "unsupported_version",
  "identity_mismatch",
  "refused",
  "session_expired",
]);

/** Whether to try again is useless. */
export function isFinal(error: RaftError): boolean {
  return FINAL.has(error.code);
}

/** The same, with another outcome. */
export function withOutcome(error: RaftError, outcome: RaftError["outcome"]): RaftError {
  if (error.outcome === outcome) return error;
  const { code, message, hint, leader } = error;
  return new RaftError(code, message, { outcome, hint, cause: error, ...(leader === undefined ? {} : { leader }) });
}

/** What a transport threw, as a RaftError. Of anything else than that nothing is known. */
export function asRaftError(thrown: unknown): RaftError {
  if (thrown instanceof RaftError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new RaftError("unreachable", `the call failed: ${message}`, { outcome: "unknown", cause: thrown });
}

/** The error for a signal that fired. */
export function abortedError(signal: AbortSignal): RaftError {
  if (signal.reason instanceof RaftError) return signal.reason;
  return new RaftError("aborted", "the request was aborted", { cause: signal.reason });
}

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
      reject(withOutcome(error, "unknown"));
      controller.abort(error);
    };
    const onAbort = (event: Event): void => stop(abortedError(event.target as AbortSignal));
    const cancelTimer = host.clock.setTimer(
      timeoutMs,
      () => stop(new RaftError("timeout", `no answer within ${Math.round(timeoutMs)} ms`)),
    );
    const finish = (): void => {
      cancelTimer();
      for (const signal of signals) signal?.removeEventListener("abort", onAbort);
    };
    for (const signal of signals) {
      if (signal?.aborted) return stop(abortedError(signal));
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
        reject(asRaftError(error));
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
