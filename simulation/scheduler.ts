/**
 * Virtual time: one queue for all events. Between two events every promise that can
 * settle does so; nothing waits for a real clock.
 * Tasks that are queued together run back to back, as in lib/host.ts.
 */

import type { Cancel } from "../lib/clock.ts";
import { systemHost } from "../lib/host.ts";

/** The machine that an event belongs to; checked after it. */
export interface Actor {
  readonly name: string;
  /** Called after each of its events. */
  poll?(): void;
}

interface Event {
  /** The time, in the unit of the queue's user. */
  readonly at: number;
  readonly order: number;
  readonly actor: Actor | null;
  run: (() => void) | null;
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** A binary heap of events by time, then by age. */
export class EventQueue {
  readonly #heap: Event[] = [];
  #order = 0;

  /** Returns the next event, and leaves it in the queue. */
  peek(): Event | undefined {
    while (this.#heap[0]?.run === null) this.#take();
    return this.#heap[0];
  }

  /** Removes the next event, and returns it. */
  pop(): Event | undefined {
    return this.peek() && this.#take();
  }

  /** Adds an event, and returns a function that cancels it. */
  push(time: number, run: () => void, actor: Actor | null = null): Cancel {
    const event: Event = { at: time, order: this.#order++, actor, run };
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(heap[parent]!, event)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
    return () => void (event.run = null);
  }

  #take(): Event {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (before(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

/** The largest number of turns of the task queue at one moment; more are an endless loop. */
const MAX_TURNS = 100_000;

/** The tasks that are queued at the machine at once. A turn of its event loop takes longer than a small event. */
const TASKS_AT_ONCE = 32;

/** A clock, a task queue and timers in virtual time. */
export class Scheduler {
  /** Virtual microseconds since the run began. */
  nowUs = 0;
  /** The number of events so far. */
  steps = 0;
  /** Set to end the run after the present event. */
  stopped = false;
  /** The number of events after which the run ends. */
  maxSteps = Infinity;
  /** A look at the run from time to time, between two events; it must not change anything. */
  observer: { readonly everyUs: number; readonly look: () => void } | null = null;
  #lookAtUs = 0;
  readonly #queue = new EventQueue();
  /** Queues of the machine: tasks of different queues run in the same turn of its event loop, and promises settle between them. */
  readonly #queues = Array.from({ length: TASKS_AT_ONCE }, () => systemHost().enqueue);
  #tasks: { readonly actor: Actor | null; readonly run: () => void }[] = [];
  #acted = new Set<Actor>();
  #turns = 0;
  readonly #onEndless: () => void;

  /** @param onEndless called when the task queue never becomes empty, so that time can't advance */
  constructor(onEndless: () => void) {
    this.#onEndless = onEndless;
  }

  get nowMs(): number {
    return this.nowUs / 1000;
  }

  /** Calls `run` at this time, or now if it has passed. */
  at(atUs: number, actor: Actor | null, run: () => void): Cancel {
    return this.#queue.push(Math.max(this.nowUs, Math.round(atUs)), run, actor);
  }

  after(delayUs: number, actor: Actor | null, run: () => void): Cancel {
    return this.at(this.nowUs + delayUs, actor, run);
  }

  /** Calls `run` at the present time, after the tasks that are queued. */
  soon(actor: Actor | null, run: () => void): void {
    this.#tasks.push({ actor, run });
  }

  sleep(delayUs: number, actor: Actor | null = null): Promise<void> {
    return new Promise((resolve) => void this.after(delayUs, actor, resolve));
  }

  /** Reports whether the run has ended. */
  get over(): boolean {
    return this.stopped || this.steps >= this.maxSteps;
  }

  /** Runs events until a time, or until the run has ended. */
  run(untilUs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let ended = false;
      let queued = 0;
      const queue = (): void => {
        queued = TASKS_AT_ONCE;
        for (const enqueue of this.#queues) enqueue(turn);
      };
      // Each turn is a task of its own: before the next one, every promise settles that can do so without an event.
      const turn = (): void => {
        queued--;
        if (ended) return;
        try {
          for (const actor of this.#acted) actor.poll?.();
          this.#acted.clear();
          this.#look();
          if (!this.over && this.#turn(untilUs)) {
            // Only once all have run: two in one queue would run without a pause.
            if (queued === 0) queue();
            return;
          }
          ended = true;
          if (!this.over) this.nowUs = Math.max(this.nowUs, untilUs);
          resolve();
        } catch (error) {
          ended = true;
          reject(error);
        }
      };
      queue();
    });
  }

  #look(): void {
    if (this.observer === null || this.nowUs < this.#lookAtUs) return;
    this.#lookAtUs = this.nowUs + this.observer.everyUs;
    this.observer.look();
  }

  /** Runs the queued tasks, or else the next event; returns false if there is neither until then. */
  #turn(untilUs: number): boolean {
    if (this.#tasks.length > 0) {
      this.steps++;
      if (++this.#turns > MAX_TURNS) {
        this.#onEndless();
        return false;
      }
      const tasks = this.#tasks;
      this.#tasks = [];
      for (const { actor, run } of tasks) {
        run();
        if (actor === null) continue;
        // Also after each task: the next one may undo its effects before the event ends.
        actor.poll?.();
        this.#acted.add(actor);
      }
      return true;
    }
    const event = this.#queue.peek();
    if (event === undefined || event.at > untilUs) return false;
    this.#queue.pop();
    this.steps++;
    this.#turns = 0;
    this.nowUs = event.at;
    if (event.actor !== null) this.#acted.add(event.actor);
    event.run?.();
    return true;
  }
}
