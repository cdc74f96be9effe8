/**
 * A machine's clocks: a monotonic one that drifts and is paused in sleep, and a wall
 * clock that may be set. They outlive the processes that read them.
 *
 * @module
 */

/** The wall clock time at the beginning of every run, in milliseconds. */
const EPOCH_MS = 1_700_000_000_000;

export class MachineClock {
  readonly #nowUs: () => number;
  /** Local microseconds per true microsecond. */
  #rate: number;
  #anchorUs: number;
  #localUs = 0;
  #wallShiftUs: number;
  #asleepSinceUs: number | null = null;

  constructor(nowUs: () => number, rate: number, wallShiftMs: number) {
    this.#nowUs = nowUs;
    this.#rate = rate;
    this.#anchorUs = nowUs();
    this.#wallShiftUs = wallShiftMs * 1000;
  }

  get localUs(): number {
    if (this.#asleepSinceUs !== null) return this.#localUs;
    return this.#localUs + (this.#nowUs() - this.#anchorUs) * this.#rate;
  }

  /** The wall clock, in milliseconds. It continues in sleep. */
  get wallMs(): number {
    const asleepUs = this.#asleepSinceUs === null ? 0 : this.#nowUs() - this.#asleepSinceUs;
    return EPOCH_MS + (this.localUs + asleepUs + this.#wallShiftUs) / 1000;
  }

  /** Returns the true microseconds until the monotonic clock has this value; a sleep makes it longer. */
  untilUs(localUs: number): number {
    return Math.max(0, Math.ceil((localUs - this.localUs) / this.#rate));
  }

  step(byMs: number): void {
    this.#wallShiftUs += byMs * 1000;
  }

  sleep(): void {
    if (this.#asleepSinceUs !== null) return;
    this.#localUs = this.localUs;
    this.#asleepSinceUs = this.#nowUs();
  }

  /** Continues the monotonic clock; the wall clock shows that time has passed. */
  wake(): void {
    if (this.#asleepSinceUs === null) return;
    this.#wallShiftUs += this.#nowUs() - this.#asleepSinceUs;
    this.#anchorUs = this.#nowUs();
    this.#asleepSinceUs = null;
  }
}
