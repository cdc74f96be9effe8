/**
 * One life of a node: the {@linkcode Host} that it runs on. When it is killed,
 * nothing that it queued, timed or waits for happens any more; while it stands
 * still, all of that waits.
 *
 * @module
 */

import type { Cancel, Host } from "../../lib/clock.ts";
import type { Stream } from "../decisions.ts";
import type { Run } from "../run.ts";
import type { Actor } from "../scheduler.ts";
import type { MachineClock } from "./clock.ts";

/** What waits for a process that stands still; from here on messages are lost, since a kernel's buffers end too. */
const MAX_BACKLOG = 4096;

/** See the head of this file. */
export class Process implements Host {
  readonly clock: Host["clock"];
  readonly actor: Actor;
  /** Timers fire at multiples of this, as in a hidden tab; 0 for at once. */
  coalesceUs = 0;
  readonly #run: Run;
  readonly #machineClock: MachineClock;
  readonly #random: () => number;
  #alive = true;
  #endedAtStep = -1;
  #backlog: (() => void)[] | null = null;
  /** How many have stopped it and not let it go on yet. */
  #freezes = 0;
  /** A crash that waits for its operation. */
  #fuse: { left: number; readonly when: "before" | "after"; readonly blow: () => void } | null = null;

  constructor(run: Run, actor: Actor, clock: MachineClock, chance: Stream) {
    this.#run = run;
    this.actor = actor;
    this.#machineClock = clock;
    this.#random = chance.random;
    this.clock = {
      monotonicMs: () => clock.localUs / 1000,
      wallMs: () => clock.wallMs,
      setTimer: (delayMs, callback) => this.#setTimer(delayMs, callback),
    };
  }

  /** Whether it has not been killed. */
  get alive(): boolean {
    return this.#alive;
  }

  /** The step of the world in which it was killed; -1 before. What it had begun in that very step may still end. */
  get endedAtStep(): number {
    return this.#endedAtStep;
  }

  /** Whether it stands still. */
  get frozen(): boolean {
    return this.#backlog !== null;
  }

  random(): number {
    return this.#random();
  }

  enqueue(task: () => void): void {
    this.perform(() => this.#run.scheduler.soon(this.actor, () => this.#wake(task)));
  }

  /** What comes from others: at once, or when the process goes on; lost if too much waits by then. */
  receive(task: () => void): void {
    if (this.#backlog === null || this.#backlog.length < MAX_BACKLOG) this.#wake(task);
  }

  /** What this process has asked the machine for: at once, or when it goes on. */
  complete(task: () => void): void {
    this.#wake(task);
  }

  /**
   * Does something to the world outside (a timer, a task, a message, a call to the
   * disk), unless the process is dead; and if its crash is due at this operation,
   * dies before or after it.
   */
  perform(act: () => void): void {
    if (!this.#alive) return;
    const fuse = this.#fuse;
    if (fuse === null || --fuse.left > 0) return act();
    this.#fuse = null;
    if (fuse.when === "after") act();
    fuse.blow();
  }

  /** Calls `blow` before or after the n-th operation from now on. */
  light(operations: number, when: "before" | "after", blow: () => void): void {
    this.#fuse = { left: operations, when, blow };
  }

  /** Takes {@linkcode Process.light} back. */
  unlight(): void {
    this.#fuse = null;
  }

  /** As `kill -9`. */
  kill(): void {
    this.#alive = false;
    this.#endedAtStep = this.#run.scheduler.steps;
    this.#backlog = null;
    this.#fuse = null;
  }

  /** As SIGSTOP; it stands still until each freeze was followed by a thaw. */
  freeze(): void {
    this.#freezes++;
    this.#backlog ??= [];
  }

  /** As SIGCONT. */
  thaw(): void {
    if (--this.#freezes > 0) return;
    this.#freezes = 0;
    const backlog = this.#backlog ?? [];
    this.#backlog = null;
    for (const task of backlog) this.#run.scheduler.soon(this.actor, () => this.#wake(task));
  }

  #wake(task: () => void): void {
    if (!this.#alive) return;
    if (this.#backlog === null) task();
    else this.#backlog.push(task);
  }

  #setTimer(delayMs: number, callback: () => void): Cancel {
    if (!this.#alive) return () => {};
    const clock = this.#machineClock;
    let dueUs = clock.localUs + Math.max(0, delayMs) * 1000;
    if (this.coalesceUs > 0) dueUs = Math.ceil(dueUs / this.coalesceUs) * this.coalesceUs;
    let cancelled = false;
    let cancel: Cancel = () => {};
    const fire = (): void => {
      if (cancelled) return;
      // After a sleep the monotonic clock is behind.
      if (clock.localUs < dueUs) arm();
      else callback();
    };
    const arm = (): void => {
      cancel = this.#run.scheduler.after(clock.untilUs(dueUs), this.actor, () => this.#wake(fire));
    };
    this.perform(arm);
    return () => {
      cancelled = true;
      cancel();
    };
  }
}
