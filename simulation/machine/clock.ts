/**
 * A machine's clocks: a monotonic one that drifts and stands still in sleep, and
 * a wall clock that may be set. They outlive the processes that read them.
 *
 * @module
 */

/** When the epoch of all runs begins, in milliseconds. */
const EPOCH_MS = 1_700_000_000_000;

/** See the head of this file. */
export class MachineClock {
  readonly #nowUs: () => number;
  /** Local microseconds for each true one. */
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

  /** The monotonic clock, in local microseconds. */
  get localUs(): number {
    if (this.#asleepSinceUs !== null) return this.#localUs;
    return this.#localUs + (this.#nowUs() - this.#anchorUs) * this.#rate;
  }

  /** The wall clock, in milliseconds. It goes on in sleep. */
  get wallMs(): number {
    const asleepUs = this.#asleepSinceUs === null ? 0 : this.#nowUs() - this.#asleepSinceUs;
    return EPOCH_MS + (this.localUs + asleepUs + this.#wallShiftUs) / 1000;
  }

  /** How long, in true microseconds, until the monotonic clock shows this; it may be more after a sleep. */
  untilUs(localUs: number): number {
    return Math.max(0, Math.ceil((localUs - this.localUs) / this.#rate));
  }

  /** Sets the wall clock forward or back. */
  step(byMs: number): void {
    this.#wallShiftUs += byMs * 1000;
  }

  /** The monotonic clock stands still from now on. */
  sleep(): void {
    if (this.#asleepSinceUs !== null) return;
    this.#localUs = this.localUs;
    this.#asleepSinceUs = this.#nowUs();
  }

  /** It goes on, and the wall clock shows that time has passed. */
  wake(): void {
    if (this.#asleepSinceUs === null) return;
    this.#wallShiftUs += this.#nowUs() - this.#asleepSinceUs;
    this.#anchorUs = this.#nowUs();
    this.#asleepSinceUs = null;
  }
}
