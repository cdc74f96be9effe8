/**
 * The leader's lease (dissertation §6.4.1): within it no other leader can have
 * been elected, so a read needs no round of heartbeats.
 *
 * @module
 */

import type { Clock } from "../clock.ts";

interface Mark {
  readonly round: number;
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/**
 * A lease runs from the *sending* of the round that a quorum acknowledged, since
 * a follower's election timeout began no earlier. It must be shorter than the
 * least election timeout by what clocks may drift apart.
 *
 * It ends by whichever clock shows more time: a monotonic clock may stop while
 * the machine sleeps, a wall clock may be set back.
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

  /** Leadership began or ended: nothing from before counts. */
  reset(): void {
    this.#marks = [];
    this.#start = null;
  }

  /** The messages of this round leave next. */
  roundStarted(round: number): void {
    this.#marks.push({ round, monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.wallMs() });
  }

  /** A quorum has acknowledged this round. */
  roundConfirmed(round: number): void {
    let confirmed = 0;
    for (; confirmed < this.#marks.length; confirmed++) {
      const mark = this.#marks[confirmed]!;
      if (mark.round > round) break;
      this.#start = mark;
    }
    if (confirmed > 0) this.#marks.splice(0, confirmed);
  }

  /** Whether a read may be served now without asking anybody. */
  get valid(): boolean {
    if (this.#start === null) return false;
    const monotonicMs = this.#clock.monotonicMs() - this.#start.monotonicMs;
    const wallMs = this.#clock.wallMs() - this.#start.wallMs;
    return wallMs >= 0 && Math.max(monotonicMs, wallMs) < this.#durationMs;
  }
}
