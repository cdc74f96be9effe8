/**
 * One attempt at something that may hang, and the error after several.
 */

import type { Host } from "../clock.ts";
import { type Outcome, RaftError } from "../errors.ts";
import { Pending } from "../pending.ts";

/**
 * Calls `call`, and gives up on it after `timeoutMs` or when a signal fires, even
 * if it never ends. The signal passed to it fires then.
 *
 * @throws {RaftError} the call's own error; or `timeout` or `aborted`, outcome unknown
 */
export function attempt<T>(
  host: Pick<Host, "clock">,
  timeoutMs: number,
  signals: readonly (AbortSignal | undefined)[],
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const pending = new Pending<T>({
    signals,
    timeout: { clock: host.clock, ms: timeoutMs, message: `no answer within ${Math.round(timeoutMs)} ms` },
    onEnd: (givenUp) => givenUp !== null && controller.abort(givenUp),
  });
  if (pending.settled) return pending.promise;
  // In a function of its own, so that an immediate throw is a rejection, too.
  (async () => await call(controller.signal))().then(
    (value) => pending.resolve(value),
    (error) => pending.reject(RaftError.from(error, "unreachable")),
  );
  return pending.promise;
}

/** Returns the error to report after several attempts: the last one that says more than that a node did not answer. */
export function mostTelling(earlier: RaftError | null, last: RaftError): RaftError {
  return earlier !== null && (last.code === "unreachable" || last.code === "timeout") ? earlier : last;
}

/** Returns the error of a request that was repeated until its deadline; `told` is the most telling of its attempts. */
export function retriedTooLong(message: string, told: RaftError | null, outcome: Outcome = "rejected"): RaftError {
  if (told === null) return new RaftError("timeout", message, { outcome });
  const { hint, leader } = told;
  return new RaftError("timeout", `${message}: ${told.message}`, { outcome, hint, leader, cause: told });
}
