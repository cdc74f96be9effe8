/**
 * A Host in virtual time, for tests: nothing waits for a real timer, and equal
 * seeds give equal runs.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Cancel, Clock, Host } from "../../lib/clock.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Returns a seeded generator of numbers in [0, 1) (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Waits until every promise has settled that can do so without time passing. */
export function settle(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** A clock, random source and task queue that advance only on a test's request. */
export class VirtualHost implements Host {
  readonly clock: Clock;
  readonly random: () => number;
  /** The lead of `clock.wallMs()` over `clock.monotonicMs()`; a test may change it. */
  wallOffsetMs = 1_700_000_000_000;
  #now = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();
  #tasks: (() => void)[] = [];

  constructor(seed = 1) {
    this.random = seededRandom(seed);
    this.clock = {
      monotonicMs: () => this.#now,
      wallMs: () => this.#now + this.wallOffsetMs,
      setTimer: (delayMs, callback): Cancel => {
        const timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, callback };
        this.#timers.add(timer);
        return () => void this.#timers.delete(timer);
      },
    };
  }

  readonly enqueue = (task: () => void): void => void this.#tasks.push(task);

  /** Virtual milliseconds since the start. */
  get now(): number {
    return this.#now;
  }

  /** The number of pending timers: zero once everything is closed. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Runs everything that needs no time: promises, and queued tasks until none is left. */
  async drain(): Promise<void> {
    await settle();
    while (this.#tasks.length > 0) {
      const due = this.#tasks;
      this.#tasks = [];
      for (const task of due) {
        task();
        await settle();
      }
    }
  }

  /** Runs until `condition` holds. @throws if it doesn't within `maxMs` of virtual time. */
  async runUntil(condition: () => boolean, maxMs = 60_000): Promise<void> {
    const end = this.#now + maxMs;
    await this.drain();
    while (!condition()) {
      if (!(await this.#fireNext(end))) {
        throw new Error(`the condition did not hold within ${maxMs} virtual ms: ${condition}`);
      }
    }
  }

  /** Runs for `ms` of virtual time. */
  async runFor(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.drain();
    while (await this.#fireNext(end));
    this.#now = end;
  }

  /** Runs until `promise` settles, and settles in the same way. */
  async run<T>(promise: Promise<T>, maxMs = 60_000): Promise<T> {
    let done = false;
    const mark = (): void => void (done = true);
    promise.then(mark, mark);
    await this.runUntil(() => done, maxMs);
    return await promise;
  }

  /** Fires the earliest timer that is due by `end`; returns false if there is none. */
  async #fireNext(end: number): Promise<boolean> {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    if (next === undefined || next.at > end) return false;
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.at);
    next.callback();
    await this.drain();
    return true;
  }
}
