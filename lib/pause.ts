/**
 * Waiting between attempts.
 */

import type { Clock } from "./clock.ts";

/** Resolves after `ms`, or as soon as a signal fires; leaves no timer and no listener behind. */
export function pause(clock: Clock, ms: number, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  if (signals.some((signal) => signal?.aborted)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      for (const signal of signals) signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.setTimer(ms, done);
    for (const signal of signals) signal?.addEventListener("abort", done);
  });
}
