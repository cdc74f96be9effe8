/**
 * Virtual time shared by the nodes of a cluster, each of which can be killed. There
 * is no real waiting, and one seed gives one run.
 *
 * @module
 */

import type { Cancel, Host } from "../../lib/clock.ts";
import { EventQueue } from "../../simulation/scheduler.ts";
import { seededRandom, settle } from "./virtual_host.ts";

/** A {@linkcode Host} in virtual time; killing it drops its timers and tasks. */
export interface VirtualNodeHost extends Host {
  /** Simulates a power failure: no queued task or timer runs from now on. */
  kill(): void;
  /** Pauses the process: tasks and timers wait until {@linkcode VirtualNodeHost.resume}. */
  pause(): void;
  resume(): void;
  /** Runs a task from outside: at once, or when the process continues. */
  receive(task: () => void): void;
  /** Shifts the wall clock by this much more, like a correction or a sleep. */
  shiftWallMs(byMs: number): void;
}

const MAX_TURNS = 100_000;

/** One clock and one task queue for all hosts made from it. */
export class VirtualTime {
  readonly random: () => number;
  readonly #seed: number;
  readonly #timers = new EventQueue();
  #tasks: (() => void)[] = [];
  #nowMs = 0;
  #hosts = 0;
  /** Turns of the task queue since the last timer. */
  #turns = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.random = seededRandom(seed);
  }

  /** Virtual milliseconds since the beginning. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Makes a host with the shared clock and queue, but its own random numbers. */
  host(): VirtualNodeHost {
    const random = seededRandom(this.#seed + 0x9e3779b1 * ++this.#hosts);
    let alive = true;
    let backlog: (() => void)[] | null = null;
    let wallShiftMs = 0;
    const guard = (callback: () => void) => () => {
      if (!alive) return;
      if (backlog === null) callback();
      else backlog.push(callback);
    };
    return {
      clock: {
        monotonicMs: () => this.#nowMs,
        wallMs: () => 1_700_000_000_000 + this.#nowMs + wallShiftMs,
        setTimer: (delayMs, callback) => this.#setTimer(delayMs, guard(callback)),
      },
      random,
      enqueue: (task) => void this.#tasks.push(guard(task)),
      receive: (task) => guard(task)(),
      kill: () => void (alive = false),
      pause: () => void (backlog ??= []),
      resume: () => {
        for (const callback of backlog ?? []) this.#tasks.push(guard(callback));
        backlog = null;
      },
      shiftWallMs: (byMs) => void (wallShiftMs += byMs),
    };
  }

  /** Runs until `condition` holds. @throws if it does not within `withinMs` of virtual time */
  async until(condition: () => boolean, withinMs = 60_000, what = "the condition"): Promise<void> {
    const deadlineMs = this.#nowMs + withinMs;
    for (;;) {
      await settle();
      if (condition()) return;
      if (!this.#turn(deadlineMs)) throw new Error(`${what} did not hold within ${withinMs} virtual ms`);
    }
  }

  /** Lets virtual time pass. */
  async pass(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    do await settle(); while (this.#turn(endMs));
    this.#nowMs = endMs;
  }

  /** Runs until the promise settles, and settles in the same way. */
  async settle<T>(promise: Promise<T>, withinMs = 60_000): Promise<T> {
    let settled = false;
    promise.then(() => (settled = true), () => (settled = true));
    await this.until(() => settled, withinMs, "the promise's settling");
    return await promise;
  }

  /** Simulates a pause of the whole machine: time passes, but no timer runs. */
  freeze(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  /** Runs the queued tasks, or else the next timer; returns false if there is neither before `deadlineMs`. */
  #turn(deadlineMs: number): boolean {
    if (this.#tasks.length > 0) {
      if (++this.#turns > MAX_TURNS) throw new Error(`the tasks at ${this.#nowMs} virtual ms never end`);
      const due = this.#tasks;
      this.#tasks = [];
      for (const task of due) task();
      return true;
    }
    const timer = this.#timers.peek();
    if (timer === undefined || timer.at > deadlineMs) return false;
    this.#timers.pop();
    this.#turns = 0;
    this.#nowMs = Math.max(this.#nowMs, timer.at);
    timer.run?.();
    return true;
  }

  #setTimer(delayMs: number, callback: () => void): Cancel {
    return this.#timers.push(this.#nowMs + Math.max(0, delayMs), callback);
  }
}
