/**
 * Requests in turn. A client can send thousands of small requests in the time that one takes to be answered; begun all
 * at once, they would make each step of every other request wait for a step of each of them.
 */

import { setImmediate } from "node:timers";

/** The requests that begin in one turn of the event loop. */
const PER_TURN = 8;

/** The kinds of requests, which wait in lines of their own: many of one kind don't delay another. */
const KINDS: readonly RegExp[] = [
  /^\/raft\.v1\.PeerService\//,
  /^\/raft\.v1\.RelayService\//,
  /^\/raft\.v1\.KeyValueService\/Watch|^\/kv\?(.*&)?watch/,
  /^\/raft\.v1\.KeyValueService\/List|^\/kv(\?|$)/,
  /^\/(kv\/|raft\.v1\.(KeyValue|Client)Service\/)/,
];

/** Lets requests begin a few at a time, in turn by their kind. */
export class RequestTurns {
  #left = PER_TURN;
  /** The lines: for each kind those of new connections, and others. */
  readonly #lines: (() => void)[][] = Array.from({ length: 2 * (KINDS.length + 1) }, () => []);
  #waiting = 0;
  #scheduled = false;

  /**
   * Resolves when a request may begin; returns `null` if that is now.
   *
   * @param target its path and query, behind an origin or not
   * @param first true for the first request of its connection
   */
  next(target: string, first: boolean): Promise<void> | null {
    if (!this.#scheduled) this.#schedule();
    if (this.#left > 0) {
      this.#left--;
      return null;
    }
    const path = target.replace(/^https?:\/\/[^/]*/, "");
    const kind = KINDS.findIndex((pattern) => pattern.test(path)) + 1;
    this.#waiting++;
    return new Promise((resolve) => this.#lines[2 * kind + Number(first)]!.push(resolve));
  }

  #schedule(): void {
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    const due: (() => void)[] = [];
    // A share for each line; the longer ones get what the shorter ones leave.
    const lines = this.#lines.filter(({ length }) => length > 0).sort((a, b) => a.length - b.length);
    for (const [at, line] of lines.entries()) {
      due.push(...line.splice(0, Math.max(1, Math.ceil((PER_TURN - due.length) / (lines.length - at)))));
    }
    this.#waiting -= due.length;
    this.#left = Math.max(0, PER_TURN - due.length);
    if (this.#waiting > 0 || due.length > 0) this.#schedule();
    for (const begin of due) begin();
  }
}
