/**
 * A promise that a request waits on: it ends once, by an answer, an error, a
 * signal or a timer, and leaves no listener behind.
 */

import type { Cancel, Clock } from "./clock.ts";
import { abortedError, RaftError } from "./errors.ts";
import type { Outcome } from "./errors.ts";

/** Options of {@linkcode Pending}. */
export interface PendingOptions {
  /** End it with {@linkcode abortedError}. */
  readonly signals?: readonly (AbortSignal | undefined)[];
  /** Ends it with `timeout` and the given message. */
  readonly timeout?: { readonly clock: Clock; readonly ms: number; readonly message: string };
  /** The outcome if a signal or the timer ends it. @default "unknown" */
  readonly outcome?: Outcome | (() => Outcome);
  /**
   * Called once when it ends; `givenUp` is the error if a signal or the timer
   * ended it, otherwise `null`. Not called if a signal had fired before it began.
   */
  readonly onEnd?: (givenUp: RaftError | null) => void;
}

/** A promise with its ends. */
export class Pending<T> {
  /** Settles with the answer or a {@linkcode RaftError}. */
  readonly promise: Promise<T>;
  readonly #options: PendingOptions;
  readonly #resolvers: PromiseWithResolvers<T> = Promise.withResolvers();
  #cancelTimer: Cancel | null = null;
  #settled = false;

  /** Begins to wait. If a signal has fired already, it has ended with `rejected`: nothing was sent yet. */
  constructor(options: PendingOptions = {}) {
    this.#options = options;
    this.promise = this.#resolvers.promise;
    const { signals = [], timeout } = options;
    const fired = signals.find((signal) => signal?.aborted);
    if (fired !== undefined) {
      this.#settled = true;
      this.#resolvers.reject(abortedError(fired));
      return;
    }
    for (const signal of signals) signal?.addEventListener("abort", this.#onAbort);
    if (timeout === undefined) return;
    this.#cancelTimer = timeout.clock.setTimer(timeout.ms, () => {
      this.#giveUp(new RaftError("timeout", timeout.message, { outcome: this.#outcome() }));
    });
  }

  /** True once it has ended. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Ends it with an answer; returns false if it had ended before. */
  resolve(value: T): boolean {
    if (!this.#end(null)) return false;
    this.#resolvers.resolve(value);
    return true;
  }

  /** Ends it with an error; returns false if it had ended before. */
  reject(error: RaftError): boolean {
    if (!this.#end(null)) return false;
    this.#resolvers.reject(error);
    return true;
  }

  readonly #onAbort = (event: Event): void => {
    this.#giveUp(abortedError(event.target as AbortSignal, this.#outcome()));
  };

  #outcome(): Outcome {
    const { outcome = "unknown" } = this.#options;
    return typeof outcome === "function" ? outcome() : outcome;
  }

  #giveUp(error: RaftError): void {
    if (this.#end(error)) this.#resolvers.reject(error);
  }

  #end(givenUp: RaftError | null): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#cancelTimer?.();
    for (const signal of this.#options.signals ?? []) signal?.removeEventListener("abort", this.#onAbort);
    this.#options.onEnd?.(givenUp);
    return true;
  }
}
