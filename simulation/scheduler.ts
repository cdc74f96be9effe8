/**
 * Virtual time: one queue of events for everything that happens. Between two
 * events every promise that can settle does so; nothing waits for a real clock.
 * Tasks that are queued together run back to back, as in lib/host.ts.
 *
 * @module
 */

import type { Cancel } from "../lib/clock.ts";
import { systemHost } from "../lib/host.ts";

/** Whom an event happens to; checked after it. */
export interface Actor {
  readonly name: string;
  /** Called after each event that happened to it. */
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

  /** Adds an event; the result takes it back. */
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

/** Turns of the task queue at one moment; more is a loop without end. */
const MAX_TURNS = 100_000;

/** See the head of this file. */
export class Scheduler {
  readonly #queue = new EventQueue();
  readonly #enqueue = systemHost().enqueue;
  #tasks: { readonly actor: Actor | null; readonly run: () => void }[] = [];
  #acted = new Set<Actor>();
  #nowUs = 0;
  #steps = 0;
  #turns = 0;
  #stopped = false;
  readonly #onEndless: () => void;

  /** @param onEndless called when tasks follow tasks, and time stands still */
  constructor(onEndless: () => void) {
    this.#onEndless = onEndless;
  }

  /** Virtual microseconds since the run began. */
  get nowUs(): number {
    return this.#nowUs;
  }

  /** The same in milliseconds. */
  get nowMs(): number {
    return this.#nowUs / 1000;
  }

  /** Events so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Runs `run` at a moment, or now if that has passed. */
  at(atUs: number, actor: Actor | null, run: () => void): Cancel {
    return this.#queue.push(Math.max(this.#nowUs, Math.round(atUs)), run, actor);
  }

  /** Runs `run` after a delay. */
  after(delayUs: number, actor: Actor | null, run: () => void): Cancel {
    return this.at(this.#nowUs + delayUs, actor, run);
  }

  /** Runs `run` at this moment, after what is queued. */
  soon(actor: Actor | null, run: () => void): void {
    this.#tasks.push({ actor, run });
  }

  /** Resolves after a delay. */
  sleep(delayUs: number, actor: Actor | null = null): Promise<void> {
    return new Promise((resolve) => void this.after(delayUs, actor, resolve));
  }

  /** Whether the run was ended. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Ends the run after this event. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Lets events happen until a moment, or until `stop`.
   *
   * @param maxSteps ends the run after so many events in all
   */
  async run(untilUs: number, maxSteps: number): Promise<void> {
    await this.#drain();
    while (!this.#stopped && this.#steps < maxSteps && this.#turn(untilUs)) {
      await this.#drain();
      for (const actor of this.#acted) actor.poll?.();
      this.#acted.clear();
    }
    if (!this.#stopped && this.#steps < maxSteps) this.#nowUs = Math.max(this.#nowUs, untilUs);
  }

  /** Runs what is queued, or else the next event; false if there is neither until then. */
  #turn(untilUs: number): boolean {
    if (this.#tasks.length > 0) {
      this.#steps++;
      if (++this.#turns > MAX_TURNS) {
        this.#onEndless();
        return false;
      }
      const tasks = this.#tasks;
      this.#tasks = [];
      for (const { actor, run } of tasks) {
        run();
        if (actor === null) continue;
        // Here too: what a task did, the next one may have undone by the end of the event.
        actor.poll?.();
        this.#acted.add(actor);
      }
      return true;
    }
    const event = this.#queue.peek();
    if (event === undefined || event.at > untilUs) return false;
    this.#queue.pop();
    this.#steps++;
    this.#turns = 0;
    this.#nowUs = event.at;
    if (event.actor !== null) this.#acted.add(event.actor);
    event.run?.();
    return true;
  }

  /** Lets every promise settle that can without an event. */
  #drain(): Promise<void> {
    return new Promise((resolve) => this.#enqueue(resolve));
  }
}
