/**
 * One command on its way.
 *
 * @module
 */

import { closedError, type Outcome, RaftError } from "../errors.ts";
import type { ProposeResult } from "../node/types.ts";
import { Pending } from "../pending.ts";
import type { Ticket } from "./session_user.ts";

/** A command, from the call that proposes it to its outcome. */
export class Proposal {
  readonly command: Uint8Array;
  readonly deadlineMs: number;
  /** Its place in a session; `null` before it is first sent, and without one. */
  ticket: Ticket | null = null;
  /** Whether an attempt that is over may have carried it out, now or later. */
  maybeApplied = false;
  /** Why the last attempt failed. */
  lastError: RaftError | null = null;
  readonly #timeoutMs: number;
  readonly #pending: Pending<ProposeResult>;
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

  /** Whether it has its outcome. */
  get settled(): boolean {
    return this.#pending.settled;
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
  resolve(proposed: ProposeResult): null {
    this.#pending.resolve(proposed);
    return null;
  }

  /** It failed for good. */
  reject(error: RaftError): null {
    this.#pending.reject(error);
    return null;
  }

  /** Its deadline has passed. */
  timedOut(): void {
    const { lastError } = this;
    const why = lastError === null ? "" : `; the last attempt: ${lastError.message}`;
    this.reject(
      new RaftError("timeout", `no outcome within ${this.#timeoutMs} ms${why}`, {
        outcome: this.#outcome(),
        leader: lastError?.leader,
        ...(lastError === null ? {} : { cause: lastError }),
      }),
    );
  }

  /** The client was closed. */
  closed(): void {
    this.reject(closedError("the client", this.#outcome()));
  }

  /** A command that was never sent, or whose attempts were all surely refused, is `rejected`. */
  #outcome(): Outcome {
    return this.maybeApplied || this.#abandonCall !== null ? "unknown" : "rejected";
  }
}
