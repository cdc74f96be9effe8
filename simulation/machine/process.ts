/**
 * A process of a node: the {@linkcode Host} that the node runs on. After it was
 * killed, none of its tasks, timers and pending operations happens; while it is
 * paused, all of them wait.
 */

import type { Cancel, Host } from "../../lib/clock.ts";
import type { Stream } from "../decisions.ts";
import type { Run } from "../run.ts";
import type { Actor } from "../scheduler.ts";
import type { MachineClock } from "./clock.ts";

/** The largest backlog of a paused process; further messages are lost, since a kernel's buffers are limited, too. */
const MAX_BACKLOG = 4096;

export class Process implements Host {
  readonly clock: Host["clock"];
  readonly actor: Actor;
  /** The interval, in microseconds, at whose multiples timers fire, as in a hidden tab; 0 for none. */
  coalesceUs = 0;
  /** The longest time by which that has delayed one of its timers, which may still be due. */
  mostLateUs = 0;
  alive = true;
  /** Set once its node was closed: it must begin nothing more. */
  retired = false;
  /** The step of the run in which it was killed; -1 before. Promises may still settle in that very step. */
  endedAtStep = -1;
  readonly random: () => number;
  readonly #run: Run;
  readonly #machineClock: MachineClock;
  #backlog: (() => void)[] | null = null;
  readonly #onEnd = new Set<() => void>();
  /** The number of timers that have neither fired nor been cancelled. */
  #timers = 0;
  /** The number of freezes without a thaw. */
  #freezes = 0;
  /** A crash that is due at a later operation. */
  #fuse: { left: number; readonly when: "before" | "after"; readonly blow: () => void } | null = null;

  constructor(run: Run, actor: Actor, clock: MachineClock, chance: Stream) {
    this.#run = run;
    this.actor = actor;
    this.#machineClock = clock;
    this.random = chance.random;
    this.clock = {
      monotonicMs: () => clock.localUs / 1000,
      wallMs: () => clock.wallMs,
      setTimer: (delayMs, callback) => this.#setTimer(delayMs, callback),
    };
  }

  get frozen(): boolean {
    return this.#backlog !== null;
  }

  enqueue(task: () => void): void {
    this.perform(() => this.#run.scheduler.soon(this.actor, () => this.wake(task)));
  }

  /** Runs a task from outside: at once, or when the process continues; it is lost if the backlog is full. */
  receive(task: () => void): void {
    if (this.#backlog === null || this.#backlog.length < MAX_BACKLOG) this.wake(task);
  }

  /** Runs a task of this process, such as the completion of an operation: at once, or when the process continues. */
  wake(task: () => void): void {
    if (!this.alive) return;
    if (this.#backlog === null) task();
    else this.#backlog.push(task);
  }

  /**
   * Performs an operation (a timer, a task, a message, a call to the disk), unless the
   * process is dead. If its crash is due at this operation, it dies before or after it.
   */
  perform(act: () => void): void {
    if (!this.alive) return;
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

  unlight(): void {
    this.#fuse = null;
  }

  /** Notes that its node was closed. Returns the reason for which a real process would not end now, or `null`. */
  retire(): string | null {
    this.retired = true;
    return this.#timers === 0 ? null : `${this.#timers} of its timers are still set`;
  }

  /** Calls `act` when the process is killed; returns a function that forgets it. */
  onEnd(act: () => void): () => void {
    this.#onEnd.add(act);
    return () => void this.#onEnd.delete(act);
  }

  /** Kills the process, like `kill -9`. */
  kill(): void {
    this.alive = false;
    this.endedAtStep = this.#run.scheduler.steps;
    this.#backlog = null;
    this.#fuse = null;
    for (const act of this.#onEnd) act();
    this.#onEnd.clear();
  }

  /** Pauses the process, like SIGSTOP, until each freeze was followed by a thaw. */
  freeze(): void {
    this.#freezes++;
    this.#backlog ??= [];
  }

  /** Continues the process, like SIGCONT. */
  thaw(): void {
    if (--this.#freezes > 0) return;
    this.#freezes = 0;
    const backlog = this.#backlog ?? [];
    this.#backlog = null;
    for (const task of backlog) this.#run.scheduler.soon(this.actor, () => this.wake(task));
  }

  #setTimer(delayMs: number, callback: () => void): Cancel {
    if (!this.alive) return () => {};
    if (this.retired) {
      this.#run.report("a dead process is silent", `${this.actor.name} sets a timer after it was closed`);
    }
    const clock = this.#machineClock;
    this.#timers++;
    let dueUs = clock.localUs + Math.max(0, delayMs) * 1000;
    if (this.coalesceUs > 0) {
      const lateUs = Math.ceil(dueUs / this.coalesceUs) * this.coalesceUs - dueUs;
      this.mostLateUs = Math.max(this.mostLateUs, lateUs);
      dueUs += lateUs;
    }
    let cancelled = false;
    let cancel: Cancel = () => {};
    const fire = (): void => {
      if (cancelled) return;
      // After a sleep, the monotonic clock is behind.
      if (clock.localUs < dueUs) return arm();
      end();
      callback();
    };
    const end = (): void => {
      if (!cancelled) this.#timers--;
      cancelled = true;
    };
    const arm = (): void => {
      cancel = this.#run.scheduler.after(clock.untilUs(dueUs), this.actor, () => this.wake(fire));
    };
    this.perform(arm);
    return () => {
      end();
      cancel();
    };
  }
}
