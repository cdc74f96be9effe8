/**
 * When an election timer began, by the clock: the protocol itself counts ticks.
 *
 * @module
 */

/** Follows one timer by looking at it now and then. */
export class TimerGuess {
  readonly #tickMs: number;
  #elapsedTicks = Infinity;
  #startedMs = 0;

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  /** A timer that only went on keeps its beginning, so that its picture does not tremble with each tick. */
  look(
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
