/**
 * The default clock, random source and task queue. This is the only file of lib/
 * that uses the machine's own.
 */

import type { Cancel, Clock, Host } from "./clock.ts";

/**
 * Returns a function that runs `wake` in a task of its own, within some 2 to 9 µs;
 * a timer would take a millisecond or more. Uses `setImmediate` if there is one, so
 * that a process ends when no task waits. A MessagePort would keep Deno alive for
 * good, since `unref` there does not undo a `ref`; in a browser that does not matter.
 */
function taskSource(wake: () => void): () => void {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };
  if (setImmediate !== undefined) return () => void setImmediate(wake);
  const channel = new MessageChannel();
  channel.port1.onmessage = wake;
  return () => channel.port2.postMessage(null);
}

/** Returns a queue of tasks; the tasks that are queued when it wakes run in one go. */
function taskQueue(): (task: () => void) => void {
  const tasks: (() => void)[] = [];
  const wakeSoon = taskSource(() => {
    for (const task of tasks.splice(0)) {
      try {
        task();
      } catch (error) {
        reportError(error);
      }
    }
  });
  return (task) => {
    if (tasks.push(task) === 1) wakeSoon();
  };
}

/** Throws outside of the running task, like the error of an event listener. The global of this name isn't in every runtime. */
export function reportError(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** The machine's own clock. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer(delayMs, callback): Cancel {
    const timer = setTimeout(callback, Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
};

/** Returns a number in [0, 1) from the machine's cryptographic random source. */
export function secureRandom(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 0x1_0000_0000;
}

/**
 * Returns the machine's own clock, random source and task queue.
 *
 * @example
 * ```ts
 * import { systemHost } from "./mod.ts";
 *
 * const host = systemHost();
 * const cancel = host.clock.setTimer(100, () => console.log("0.1 s later"));
 * cancel();
 * ```
 */
export function systemHost(): Host {
  return {
    clock: systemClock,
    random: () => Math.random(),
    enqueue: taskQueue(),
  };
}
