/**
 * The start of an election timer by the clock; the protocol itself counts ticks.
 *
 * @module
 */

/** Follows one timer by observing it now and then. */
export class TimerGuess {
  readonly #tickMs: number;
  #elapsedTicks = Infinity;
  #startedMs = 0;

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  /** Returns start and end of the timer. One that only went on keeps its start, so that its drawing does not jitter. */
  observe(
    { elapsedTicks, timeoutTicks }: { readonly elapsedTicks: number; readonly timeoutTicks: number },
    nowMs: number,
  ): { readonly startedMs: number; readonly dueMs: number } {
    const startedMs = nowMs - elapsedTicks * this.#tickMs;
    const wentOn = elapsedTicks >= this.#elapsedTicks && Math.abs(startedMs - this.#startedMs) <= 2 * this.#tickMs;
    if (!wentOn) this.#startedMs = startedMs;
    this.#elapsedTicks = elapsedTicks;
    return { startedMs: this.#startedMs, dueMs: this.#startedMs + timeoutTicks * this.#tickMs };
  }
}
