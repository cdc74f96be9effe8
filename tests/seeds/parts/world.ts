/**
 * Virtual time for parts that read the runtime's own clock: while a run lasts, the globals for time and random
 * numbers are those of the run, so that one seed gives one run.
 *
 * @module
 */

import { Run } from "../../../simulation/run.ts";

/** The wall clock at the beginning of every run. */
const EPOCH_MS = 1_700_000_000_000;

/** The result of a run of some parts. */
export interface PartsResult {
  readonly seed: number;
  /** The first rule that was broken; `null` if none. */
  readonly violation: string | null;
  readonly traceHash: string;
  readonly counts: Readonly<Record<string, number>>;
}

/** One run: time, random decisions, the trace, and the first violation. */
export class World {
  readonly run: Run;
  readonly seed: number;
  #violation: string | null = null;

  constructor(seed: number) {
    this.seed = seed;
    this.run = new Run(seed, null, false);
  }

  get nowMs(): number {
    return this.run.scheduler.nowMs;
  }

  /** Notes the first violation, and ends the run. */
  fail(message: string): void {
    this.#violation ??= `${message} (at ${this.nowMs.toFixed(1)} ms)`;
    this.run.scheduler.stopped = true;
  }

  require(holds: boolean, message: () => string): void {
    if (!holds) this.fail(message());
  }

  sleepMs(ms: number): Promise<void> {
    return this.run.scheduler.sleep(ms * 1000);
  }

  /** Runs `live`, which awaits virtual time only, with the globals replaced. */
  async result(live: () => Promise<void>): Promise<PartsResult> {
    const restore = this.#install();
    try {
      let ended = false;
      live().catch((error) => this.fail(`the run failed: ${error?.stack ?? error}`)).finally(() => ended = true);
      const { scheduler } = this.run;
      while (!ended && !scheduler.over) await scheduler.run(scheduler.nowUs + 1_000_000);
    } finally {
      restore();
    }
    const { violation, trace } = this.run;
    const other = violation === null ? null : `${violation.invariant}: ${violation.message}`;
    return { seed: this.seed, violation: this.#violation ?? other, traceHash: trace.hash, counts: trace.counts };
  }

  #install(): () => void {
    const { scheduler, decisions } = this.run;
    const chance = decisions.stream("globals");
    const cancels = new Map<number, () => void>();
    let last = 0;
    const later = (id: number, ms: number, task: () => void): void =>
      void cancels.set(id, scheduler.after(Math.max(0, ms) * 1000, null, task));
    const setTimeout = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): number => {
      const id = ++last;
      later(id, ms, () => {
        cancels.delete(id);
        callback(...args);
      });
      return id;
    };
    const setInterval = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): number => {
      const id = ++last;
      const again = (): void => {
        later(id, Math.max(1, ms), again);
        callback(...args);
      };
      later(id, Math.max(1, ms), again);
      return id;
    };
    const clear = (id?: number): void => {
      if (id === undefined) return;
      cancels.get(id)?.();
      cancels.delete(id);
    };
    const timeout = (ms: number): AbortSignal => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new DOMException("signal timed out", "TimeoutError")), ms);
      return controller.signal;
    };
    const restores = [
      replace(globalThis, "setTimeout", setTimeout),
      replace(globalThis, "clearTimeout", clear),
      replace(globalThis, "setInterval", setInterval),
      replace(globalThis, "clearInterval", clear),
      replace(performance, "now", () => scheduler.nowMs),
      replace(Date, "now", () => EPOCH_MS + scheduler.nowMs),
      replace(Math, "random", () => chance.next().unit()),
      replace(AbortSignal, "timeout", timeout),
    ];
    return () => restores.forEach((restore) => restore());
  }
}

/** Replaces a property; returns a function that puts the old one back. */
function replace(target: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { value, configurable: true, writable: true, enumerable: true });
  return () => {
    if (before === undefined) Reflect.deleteProperty(target, name);
    else Object.defineProperty(target, name, before);
  };
}
