/**
 * The default clock, random source and task queue. This is the one file of lib/
 * that reads the machine's; every other is handed them.
 *
 * @module
 */

import type { Cancel, Host } from "./clock.ts";

/** A task queue over a MessageChannel: about 2 µs a task, where a timer costs a millisecond or more. */
function channelQueue(): (task: () => void) => void {
  const tasks: (() => void)[] = [];
  const channel = new MessageChannel();
  // An open port keeps a process alive in Node and Deno; only unref'd is it harmless.
  const port = channel.port1 as MessagePort & { ref?(): void; unref?(): void };
  port.onmessage = () => {
    const due = tasks.splice(0);
    port.unref?.();
    for (const task of due) {
      try {
        task();
      } catch (error) {
        reportError(error);
      }
    }
  };
  port.unref?.();
  return (task) => {
    if (tasks.push(task) === 1) {
      port.ref?.();
      channel.port2.postMessage(null);
    }
  };
}

/** Throws outside of the running task, as an event listener's error would. */
function reportError(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/**
 * The machine's own clock, random source and task queue.
 *
 * @example
 * ```ts
 * const host = systemHost();
 * const cancel = host.clock.setTimer(100, () => console.log("0.1 s later"));
 * cancel();
 * ```
 */
export function systemHost(): Host {
  return {
    clock: {
      monotonicMs: () => performance.now(),
      wallMs: () => Date.now(),
      setTimer(delayMs, callback): Cancel {
        const timer = setTimeout(callback, delayMs);
        return () => clearTimeout(timer);
      },
    },
    random: () => Math.random(),
    enqueue: channelQueue(),
  };
}
