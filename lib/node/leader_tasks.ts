/**
 * Callbacks that run while this node leads: see {@linkcode RaftNode.whileLeading}.
 */

import { closedError, RaftError } from "../errors.ts";
import type { NodeContext } from "./context.ts";

/** The leadership that a callback of {@linkcode RaftNode.whileLeading} runs in. */
export interface LeaderTerm {
  /**
   * The term that the node leads in: a fencing token. Terms of later leaders are
   * higher, so that a system outside the cluster can refuse a leader that was
   * deposed and does not know it yet.
   */
  readonly term: number;
  /** Aborts when the leadership ends, as far as this node knows; the reason is a {@linkcode RaftError}. */
  readonly signal: AbortSignal;
}

/** A callback of {@linkcode RaftNode.whileLeading}. */
export type LeaderCallback = (leadership: LeaderTerm) => void | Promise<void>;

/** All callbacks of a node. */
export class LeaderTasks {
  readonly #context: NodeContext;
  readonly #tasks = new Set<LeaderTask>();

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /** Runs the callback in each leadership. Resolves when the signal aborts or `end` is called, and the callback has returned. */
  async run(callback: LeaderCallback, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return;
    const task = new LeaderTask(this.#context, callback);
    const onAbort = (): void => task.end(null, signal?.reason);
    this.#tasks.add(task);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#context.wake();
    try {
      await task.ended.promise;
    } finally {
      this.#tasks.delete(task);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** The applied index has risen, which may be all that a leader waits for. */
  advanced(): void {
    if (this.#tasks.size > 0) this.#context.wake();
  }

  /** Compares the callbacks under way with the role and term at the end of a turn. */
  poll(): void {
    if (this.#tasks.size === 0) return;
    const { raft } = this.#context;
    // With an entry of its own term the state machine has everything that earlier leaders acknowledged (§5.4.3).
    const ready = raft.termAt(raft.appliedIndex) === raft.term;
    for (const task of this.#tasks) task.poll(raft.role === "leader" ? raft.term : 0, ready);
  }

  /** Ends all callbacks: with success if the node is closed, with an error if it stopped itself. */
  end(error: RaftError | null): void {
    for (const task of this.#tasks) task.end(error, error ?? closedError("the node"));
  }
}

/** One callback; its calls never overlap. */
class LeaderTask {
  /** Settles once the task has ended, and no call is under way. */
  readonly ended = Promise.withResolvers<void>();
  readonly #context: NodeContext;
  readonly #callback: LeaderCallback;
  #running: { readonly term: number; readonly controller: AbortController } | null = null;
  /** The term of the last call. */
  #lastTerm = 0;
  #end: { readonly error: unknown } | null = null;

  constructor(context: NodeContext, callback: LeaderCallback) {
    this.#context = context;
    this.#callback = callback;
  }

  /** @param term the term that this node leads in; 0 if it does not lead */
  poll(term: number, ready: boolean): void {
    if (this.#running !== null) {
      const { term: ran, controller } = this.#running;
      if (ran === term || controller.signal.aborted) return;
      controller.abort(new RaftError("leadership_lost", `the node no longer leads in term ${ran}`));
    } else if (ready && term > this.#lastTerm && this.#end === null) {
      const controller = new AbortController();
      this.#running = { term, controller };
      this.#lastTerm = term;
      // In a task of its own, so that the callback can't hold up the loop or call into the middle of a turn.
      this.#context.config.host.enqueue(() => void this.#run(term, controller.signal));
    }
  }

  end(error: unknown, reason: unknown): void {
    this.#end ??= { error };
    if (this.#running === null) this.#settle();
    else this.#running.controller.abort(reason);
  }

  async #run(term: number, signal: AbortSignal): Promise<void> {
    try {
      if (!signal.aborted) await this.#callback({ term, signal });
    } catch (error) {
      // After the signal an error is most likely the abort itself.
      if (!signal.aborted) this.#end ??= { error };
    }
    this.#running = null;
    if (this.#end !== null) this.#settle();
    else this.#context.wake();
  }

  #settle(): void {
    const { error } = this.#end!;
    if (error === null) this.ended.resolve();
    else this.ended.reject(error);
  }
}
