/**
 * A host that can be paused, as a frozen page is.
 */

import type { Cancel, Clock, Host } from "../lib/clock.ts";

/** Wraps another host. While it is paused, due tasks wait; clocks keep running, as they do in a frozen page. */
export class PausableHost implements Host {
  readonly clock: Clock;
  readonly #host: Host;
  /** Tasks that came due during the pause, in order. */
  readonly #due = new Set<{ run(): void }>();
  #paused = false;

  constructor(host: Host) {
    this.#host = host;
    this.clock = {
      monotonicMs: () => host.clock.monotonicMs(),
      wallMs: () => host.clock.wallMs(),
      setTimer: (delayMs, callback) => this.#setTimer(delayMs, callback),
    };
  }

  /** Reports whether it is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  random(): number {
    return this.#host.random();
  }

  enqueue(task: () => void): void {
    this.#host.enqueue(() => this.#run({ run: task }));
  }

  /** Runs no tasks from now on. */
  pause(): void {
    this.#paused = true;
  }

  /** Runs the tasks that came due, each in a task of its own, and resumes. */
  resume(): void {
    this.#paused = false;
    for (const task of this.#due) this.#host.enqueue(() => this.#run(task, this.#due.delete(task)));
  }

  #setTimer(delayMs: number, callback: () => void): Cancel {
    const task = { run: callback };
    const cancel = this.#host.clock.setTimer(delayMs, () => this.#run(task));
    return () => {
      cancel();
      this.#due.delete(task);
    };
  }

  #run(task: { run(): void }, wanted = true): void {
    if (!wanted) return;
    if (this.#paused) this.#due.add(task);
    else task.run();
  }
}
