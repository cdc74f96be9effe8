/**
 * Turns the clock into ticks for the core.
 */

import type { Cancel, Clock } from "../clock.ts";

/** Calls back once every tick, until cancelled. A late timer gives one tick, not many: a frozen process could not have received from a leader. */
export function startTicks(clock: Clock, tickMs: number, onTick: () => void): Cancel {
  const arm = (): Cancel =>
    clock.setTimer(tickMs, () => {
      cancel = arm();
      onTick();
    });
  let cancel = arm();
  return () => cancel();
}
