/**
 * One proposed command.
 */

import { closedError, type Outcome, type RaftError } from "../errors.ts";
import type { ProposeResult } from "../node/types.ts";
import { Pending } from "../pending.ts";
import { mostTelling, retriedTooLong } from "./attempts.ts";
import type { Ticket } from "./session_user.ts";

/** A command, from the call that proposes it to its outcome. */
export class Proposal {
  readonly command: Uint8Array;
  readonly deadlineMs: number;
  /** Its place in a session; `null` before it is first sent, and without one. */
  ticket: Ticket | null = null;
  /** Set if an earlier attempt may have executed it, or may yet do so. */
  maybeApplied = false;
  /** The most telling error of the attempts so far. */
  #told: RaftError | null = null;
  readonly #timeoutMs: number;
  readonly #pending: Pending<ProposeResult>;
  /** Set while an attempt is under way: aborts it once its answer is not needed. */
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
    this.#pending = new Pending({
      signals: [signal],
      outcome: () => this.#outcome(),
      onEnd: () => {
        this.ticket?.session.settle(this.ticket.sequence);
        this.#abandonCall?.();
        this.#abandonCall = null;
        onSettled(this);
      },
    });
  }

  /** Settles with the outcome. */
  get promise(): Promise<ProposeResult> {
    return this.#pending.promise;
  }

  /** True once it has its outcome. */
  get settled(): boolean {
    return this.#pending.settled;
  }

  /** Begins an attempt. */
  sent(abandonCall: () => void): void {
    this.#abandonCall = abandonCall;
  }

  /** Ends an attempt. */
  back(): void {
    this.#abandonCall = null;
  }

  /** Settles it as executed. */
  resolve(proposed: ProposeResult): null {
    this.#pending.resolve(proposed);
    return null;
  }

  /** Settles it as failed. */
  reject(error: RaftError): null {
    this.#pending.reject(error);
    return null;
  }

  /** Settles it after its deadline. */
  timedOut(): void {
    this.reject(retriedTooLong(`no outcome within ${this.#timeoutMs} ms`, this.#told, this.#outcome()));
  }

  /** Notes the error of an attempt. */
  failed(error: RaftError): void {
    this.#told = mostTelling(this.#told, error);
  }

  /** Settles it because the client was closed. */
  closed(): void {
    this.reject(closedError("the client", this.#outcome()));
  }

  /** Returns the outcome: `rejected` for a command that was never sent, or that every attempt refused. */
  #outcome(): Outcome {
    return this.maybeApplied || this.#abandonCall !== null ? "unknown" : "rejected";
  }
}
