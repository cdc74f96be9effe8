/**
 * One command on its way.
 *
 * @module
 */

import { RaftError, type RaftErrorCode } from "../errors.ts";
import type { Ticket } from "./session_user.ts";

/** A command that was carried out. */
export interface ProposedCommand {
  /** Where in the log. */
  readonly index: number;
  /** The state machine's answer. */
  readonly result: Uint8Array;
}

/** A command, from the call that proposes it to its outcome. */
export class Proposal {
  readonly command: Uint8Array;
  readonly deadlineMs: number;
  readonly promise: Promise<ProposedCommand>;
  /** Its place in a session; `null` before it is first sent, and without one. */
  ticket: Ticket | null = null;
  /** Whether an attempt that is over may have carried it out, now or later. */
  maybeApplied = false;
  /** Why the last attempt failed. */
  lastError: RaftError | null = null;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onSettled: (proposal: Proposal) => void;
  readonly #onAbort = (): void => this.giveUp("aborted", "the proposal was aborted", this.#signal?.reason);
  #settle: PromiseWithResolvers<ProposedCommand>;
  #settled = false;
  /** Set while an attempt is under way: tells it that its answer is not needed. */
  #abandonCall: (() => void) | null = null;

  constructor(
    command: Uint8Array,
    timeoutMs: number,
    deadlineMs: number,
    signal: AbortSignal | undefined,
    onSettled: (proposal: Proposal) => void,
  ) {
    this.command = command;
    this.deadlineMs = deadlineMs;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
    this.#settle = Promise.withResolvers();
    this.promise = this.#settle.promise;
    this.#onSettled = () => {};
    if (signal?.aborted) this.#onAbort();
    this.#onSettled = onSettled;
    if (!this.#settled) signal?.addEventListener("abort", this.#onAbort);
  }

  /** Whether its outcome has been told. */
  get settled(): boolean {
    return this.#settled;
  }

  /** An attempt begins. */
  sent(abandonCall: () => void): void {
    this.#abandonCall = abandonCall;
  }

  /** The attempt is over. */
  back(): void {
    this.#abandonCall = null;
  }

  /** It was carried out. */
  resolve(proposed: ProposedCommand): null {
    if (this.#end()) this.#settle.resolve(proposed);
    return null;
  }

  /** It failed for good. */
  reject(error: RaftError): null {
    if (this.#end()) this.#settle.reject(error);
    return null;
  }

  /** Its deadline has passed. */
  timedOut(): void {
    const why = this.lastError === null ? "" : `; the last attempt: ${this.lastError.message}`;
    this.giveUp("timeout", `no outcome within ${this.#timeoutMs} ms${why}`, this.lastError);
  }

  /** Nobody waits for it any more. What was never sent, or surely refused, is `rejected`. */
  giveUp(code: RaftErrorCode, message: string, cause: unknown = this.lastError): void {
    const outcome = this.maybeApplied || this.#abandonCall !== null ? "unknown" : "rejected";
    const leader = this.lastError?.leader;
    this.reject(
      new RaftError(code, message, {
        outcome,
        ...(cause === null || cause === undefined ? {} : { cause }),
        ...(leader === undefined ? {} : { leader }),
      }),
    );
  }

  #end(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.ticket?.session.settle(this.ticket.sequence);
    this.#abandonCall?.();
    this.#abandonCall = null;
    this.#onSettled(this);
    return true;
  }
}
