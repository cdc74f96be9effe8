/**
 * The clock of a leader's lease (dissertation §6.4.1): within a lease no other
 * leader can have been elected, so a read needs no round of heartbeats.
 * lib/raft/lease.ts has the argument.
 */

import type { Clock } from "../clock.ts";

interface Mark {
  readonly round: number;
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/**
 * The lease of one leadership. It runs from the *sending* of the newest round that
 * a quorum acknowledged, and ends by whichever clock shows more time: a monotonic
 * clock may stop while the machine sleeps, a wall clock may be set back.
 */
export class Lease {
  readonly #clock: Clock;
  readonly #durationMs: number;
  /** Rounds sent and not confirmed yet, oldest first. */
  #marks: Mark[] = [];
  #start: Mark | null = null;

  constructor(clock: Clock, durationMs: number) {
    this.#clock = clock;
    this.#durationMs = durationMs;
  }

  /** Ends the lease, because leadership began or ended. */
  reset(): void {
    this.#marks = [];
    this.#start = null;
  }

  /** Notes the time of a round whose messages are sent next. */
  roundStarted(round: number): void {
    this.#marks.push({ round, monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.wallMs() });
  }

  /** Starts the lease from the sending of a round that a quorum acknowledged. */
  roundConfirmed(round: number): void {
    while (this.#marks.length > 0 && this.#marks[0]!.round <= round) this.#start = this.#marks.shift()!;
  }

  /** Reports whether a read may be served now without a round. */
  get valid(): boolean {
    if (this.#start === null) return false;
    const monotonicMs = this.#clock.monotonicMs() - this.#start.monotonicMs;
    const wallMs = this.#clock.wallMs() - this.#start.wallMs;
    return wallMs >= 0 && Math.max(monotonicMs, wallMs) < this.#durationMs;
  }
}
