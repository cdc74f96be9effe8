/**
 * Events for observers, which can never slow the core down: events wait in a
 * bounded buffer, listeners run in a later task, and dropped events are counted.
 */

import type { RaftNodeEventMap } from "./types.ts";

/** The name of an event. */
export type RaftNodeEventType = keyof RaftNodeEventMap;

/** An event as a listener receives it. */
export interface RaftNodeEvent<K extends RaftNodeEventType = RaftNodeEventType> {
  /** The name of the event. */
  readonly type: K;
  /** The contents, by the name. */
  readonly detail: RaftNodeEventMap[K];
}

/** Receives events of one type. Errors that it throws are dropped. */
export type RaftNodeListener<K extends RaftNodeEventType> = (event: RaftNodeEvent<K>) => void;

const MAX_BUFFERED = 8192;

type AnyListener = (event: RaftNodeEvent) => void;

/** Buffers events, and dispatches them in tasks of their own. */
export class EventHub {
  /** The number of events that found the buffer full. */
  dropped = 0;
  readonly #enqueue: (task: () => void) => void;
  readonly #listeners = new Map<RaftNodeEventType, Set<AnyListener>>();
  readonly #buffer: RaftNodeEvent[] = [];
  #scheduled = false;

  constructor(enqueue: (task: () => void) => void) {
    this.#enqueue = enqueue;
  }

  add<K extends RaftNodeEventType>(type: K, listener: RaftNodeListener<K>): void {
    let listeners = this.#listeners.get(type);
    if (listeners === undefined) this.#listeners.set(type, listeners = new Set());
    listeners.add(listener as AnyListener);
  }

  remove<K extends RaftNodeEventType>(type: K, listener: RaftNodeListener<K>): void {
    const listeners = this.#listeners.get(type);
    if (listeners?.delete(listener as AnyListener) && listeners.size === 0) this.#listeners.delete(type);
  }

  emit<K extends RaftNodeEventType>(type: K, detail: RaftNodeEventMap[K]): void {
    if (!this.#listeners.has(type)) return;
    if (this.#buffer.length >= MAX_BUFFERED) {
      this.dropped++;
      return;
    }
    this.#buffer.push({ type, detail });
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#enqueue(() => this.#dispatch());
    }
  }

  #dispatch(): void {
    this.#scheduled = false;
    for (const event of this.#buffer.splice(0)) {
      for (const listener of this.#listeners.get(event.type) ?? []) {
        try {
          listener(event);
        } catch {
          // An error of an observer is not the node's.
        }
      }
    }
  }
}
