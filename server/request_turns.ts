/**
 * Requests in turn. A client can send thousands of small requests in the time that one takes to be answered; begun all
 * at once, they would make each step of every other request wait for a step of each of them.
 */

import { setImmediate } from "node:timers";

/** The requests that begin in one turn of the event loop. */
const PER_TURN = 16;

/** Lets requests begin a few at a time, the first ones of connections before others. */
export class RequestTurns {
  #left = PER_TURN;
  #first: (() => void)[] = [];
  #others: (() => void)[] = [];
  #scheduled = false;

  /**
   * Resolves when a request may begin; returns `null` if that is now.
   *
   * @param first true for the first request of its connection
   */
  next(first: boolean): Promise<void> | null {
    this.#schedule();
    if (this.#left > 0) {
      this.#left--;
      return null;
    }
    return new Promise((resolve) => (first ? this.#first : this.#others).push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    // New connections come first, and never keep the others out.
    const first = this.#first.splice(0, Math.max(PER_TURN / 2, PER_TURN - this.#others.length));
    const due = [...first, ...this.#others.splice(0, PER_TURN - first.length)];
    this.#left = PER_TURN - due.length;
    if (due.length > 0) this.#schedule();
    for (const begin of due) begin();
  }
}
