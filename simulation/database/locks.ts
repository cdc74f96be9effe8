/// <reference lib="dom" />
/**
 * The Web Locks of one browser profile: exclusive ones, which end with their holder.
 *
 * @module
 */

import type { Medium } from "./medium.ts";
import { domError } from "./transaction.ts";

type Callback = (lock: { readonly name: string } | null) => Promise<void> | void;

/** The options that are simulated. */
interface LockOptions {
  readonly ifAvailable?: boolean;
  readonly signal?: AbortSignal;
  readonly steal?: boolean;
}

/** A holder of a lock; `lose` tells it that another took the lock by force. */
interface Holder {
  readonly lose: () => void;
}

/** The locks that are held, by name, and the requests that wait. */
export class LockTable {
  readonly #holders = new Map<string, Holder>();
  readonly #waiting = new Map<string, (() => void)[]>();

  holds(name: string): boolean {
    return this.#holders.has(name);
  }

  take(name: string, holder: Holder): void {
    this.#holders.get(name)?.lose();
    this.#holders.set(name, holder);
  }

  /** Releases a lock, unless another has it by now. */
  release(name: string, holder: Holder): void {
    if (this.#holders.get(name) !== holder) return;
    this.#holders.delete(name);
    this.#waiting.get(name)?.shift()?.();
  }

  /** Adds a request that waits; returns a function that withdraws it, which returns false if it is granted already. */
  wait(name: string, grant: () => void): () => boolean {
    const waiting = this.#waiting.get(name) ?? [];
    this.#waiting.set(name, waiting);
    waiting.push(grant);
    return () => {
      const at = waiting.indexOf(grant);
      if (at >= 0) waiting.splice(at, 1);
      return at >= 0;
    };
  }

  /** Returns the locks held, to release them when their process has ended; requests of that process are forgotten at once. */
  abandon(): () => void {
    this.#waiting.clear();
    const held = [...this.#holders];
    return () => held.forEach(([name, holder]) => this.release(name, holder));
  }
}

/** The `navigator.locks` of one process. */
export class SimulatedLocks {
  readonly #table: LockTable;
  readonly #medium: Medium;

  constructor(table: LockTable, medium: Medium) {
    this.#table = table;
    this.#medium = medium;
  }

  request(name: string, options: LockOptions, callback: Callback): Promise<void> {
    return new Promise((resolve, reject) => {
      const grant = (): void => {
        const holder: Holder = { lose: () => reject(domError("AbortError", "Lock broken by another request")) };
        this.#table.take(name, holder);
        const done = (): void => this.#table.release(name, holder);
        this.#medium.soon(() => {
          Promise.resolve(callback({ name })).finally(done).then(resolve, reject);
        });
      };
      this.#medium.soon(() => {
        const { ifAvailable = false, steal = false, signal } = options;
        if (signal?.aborted) return reject(signal.reason);
        if (steal || !this.#table.holds(name)) return grant();
        if (ifAvailable) return void Promise.resolve(callback(null)).then(resolve, reject);
        const withdraw = this.#table.wait(name, grant);
        signal?.addEventListener("abort", () => {
          if (withdraw()) reject(signal.reason);
        });
      });
    });
  }
}
