/**
 * Calls over a channel of messages, matched with their answers by number.
 */

import { RaftError } from "./errors.ts";
import { Pending } from "./pending.ts";
import type { PendingOptions } from "./pending.ts";

/** One call to make. */
export interface TableCall extends Pick<PendingOptions, "timeout"> {
  /** The receiver, where a table has several: only its answer counts. @default "" */
  readonly to?: string;
  /** Gives the call up, outcome unknown. */
  readonly signal?: AbortSignal | undefined;
  /** Sends the call; returns false if it has surely not left. */
  post(id: number): boolean | void;
  /** Called when the signal or the timeout gave the call up, to tell the receiver. */
  onGivenUp?(id: number): void;
}

/** Calls that wait for their answers. Each ends once: answered, given up, lost with its receiver, or closed. */
export class CallTable<Answer> {
  readonly #calls = new Map<number, { readonly to: string; readonly pending: Pending<Answer> }>();
  #lastId: number;
  #closed: RaftError | null = null;

  /**
   * Begins without calls.
   *
   * @param lastId where the numbers begin: a random one if the channel may still
   * carry answers that were meant for an earlier table
   */
  constructor(lastId = 0) {
    this.#lastId = lastId;
  }

  /** Calls without an answer. */
  get size(): number {
    return this.#calls.size;
  }

  /** Makes a call. @throws {RaftError} the answer, if that is an error; why there is none; or the reason for the close */
  call({ to = "", signal, timeout, post, onGivenUp }: TableCall): Promise<Answer> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    const id = this.#nextId();
    const pending = new Pending<Answer>({
      signals: [signal],
      ...(timeout === undefined ? {} : { timeout }),
      onEnd: (givenUp) => {
        this.#calls.delete(id);
        if (givenUp !== null) onGivenUp?.(id);
      },
    });
    if (pending.settled) return pending.promise;
    this.#calls.set(id, { to, pending });
    try {
      if (post(id) === false) pending.reject(new RaftError("unreachable", `no node is reachable at ${to}`));
    } catch (error) {
      pending.reject(RaftError.from(error));
    }
    return pending.promise;
  }

  /** Ends the call that `answer` belongs to; returns false if none from this receiver waits for it. */
  answered(id: number, answer: Answer | RaftError, from = ""): boolean {
    const call = this.#calls.get(id);
    if (call === undefined || call.to !== from) return false;
    return answer instanceof RaftError ? call.pending.reject(answer) : call.pending.resolve(answer);
  }

  /** Ends the calls to a receiver that is gone; it may have carried them out before. */
  lost(to: string, error: RaftError): void {
    for (const call of [...this.#calls.values()]) {
      if (call.to === to) call.pending.reject(error.withOutcome("unknown"));
    }
  }

  /** Ends every call with an unknown outcome, and refuses those to come. */
  close(error: RaftError): void {
    this.#closed ??= error;
    for (const { pending } of [...this.#calls.values()]) pending.reject(error.withOutcome("unknown"));
  }

  /** Returns a number that no waiting call has. */
  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0; while (this.#calls.has(this.#lastId));
    return this.#lastId;
  }
}
