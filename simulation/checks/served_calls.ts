/**
 * The calls that nodes are serving: requests of clients and operators, each with the
 * process that has to end it. A node ends every call by itself, even if its caller is
 * gone: with an answer, or because it has no quorum.
 */

import type { Process } from "../machine/process.ts";
import type { Run } from "../run.ts";

export interface ServedCall {
  /** The machine's name. */
  readonly machine: string;
  readonly process: Process;
  /** The call in words. */
  readonly what: string;
  readonly sinceUs: number;
}

export class ServedCalls {
  readonly #run: Run;
  readonly #open = new Set<ServedCall>();
  /** The requests that must not be executed, because a node said so of their only attempt. */
  readonly withoutEffect: string[] = [];

  constructor(run: Run) {
    this.#run = run;
  }

  /** The calls of processes that are alive. */
  get open(): ServedCall[] {
    for (const call of this.#open) if (!call.process.alive) this.#open.delete(call);
    return [...this.#open];
  }

  /** Counts a call until its promise settles; returns that promise. */
  serve<T>(machine: string, process: Process | null, what: string, call: Promise<T>): Promise<T> {
    if (process === null) return call;
    const served: ServedCall = { machine, process, what, sinceUs: this.#run.scheduler.nowUs };
    this.#open.add(served);
    const end = (): void => void this.#open.delete(served);
    call.then(end, end);
    return call;
  }
}
