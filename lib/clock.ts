/**
 * Clock, random source and task queue, which are handed in so that a simulator can
 * control them.
 *
 * @module
 */

/** Cancels the timer that returned it; another call does nothing. */
export type Cancel = () => void;

/** A source of time. */
export interface Clock {
  /** Returns milliseconds of a monotonic clock: never goes back, may stop while the machine sleeps. */
  monotonicMs(): number;
  /** Returns milliseconds since the epoch: may jump either way, does not stop in sleep. */
  wallMs(): number;
  /** Calls `callback` once, `delayMs` or more from now. Timers may be late; they are never early. */
  setTimer(delayMs: number, callback: () => void): Cancel;
}

/** The parts of a machine that a node needs. */
export interface Host {
  /** The source of time. */
  readonly clock: Clock;
  /** Returns a number in [0, 1), like `Math.random`; need not be fit for secrets. */
  random(): number;
  /** Runs `task` soon, after the tasks already queued, without the delay of a timer. */
  enqueue(task: () => void): void;
}
