/**
 * Time, chance and the task queue are handed in, so that a simulator can own them.
 *
 * @module
 */

/** Cancels what it was returned for; calling it again does nothing. */
export type Cancel = () => void;

/** Where time comes from. */
export interface Clock {
  /** Milliseconds from a monotonic clock: never goes back, may stop while the machine sleeps. */
  monotonicMs(): number;
  /** Milliseconds since the epoch: may jump either way, does not stop in sleep. */
  wallMs(): number;
  /** Calls `callback` once, `delayMs` or more from now. Timers may be late; they are never early. */
  setTimer(delayMs: number, callback: () => void): Cancel;
}

/** What a node needs of the machine it runs on. */
export interface Host {
  /** Where time comes from. */
  readonly clock: Clock;
  /** A number in [0, 1), like `Math.random`; need not be fit for secrets. */
  random(): number;
  /** Runs `task` soon, after what is already queued, without the delay of a timer. */
  enqueue(task: () => void): void;
}
