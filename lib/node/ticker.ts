/**
 * Turns the clock into ticks for the core.
 */

import type { Cancel, Clock } from "../clock.ts";

/** Calls back once every tick. A late timer gives one tick, not many: a frozen process could not have received from a leader. */
export class Ticker {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #onTick: () => void;
  #cancel: Cancel | null = null;

  constructor(clock: Clock, tickMs: number, onTick: () => void) {
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#onTick = onTick;
  }

  start(): void {
    this.#cancel ??= this.#arm();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #arm(): Cancel {
    return this.#clock.setTimer(this.#tickMs, () => {
      this.#cancel = this.#arm();
      this.#onTick();
    });
  }
}
