/**
 * Requests in turn. A client can send thousands of small requests in the time that one takes to be answered; begun all
 * at once, they would make each step of every other request wait for a step of each of them.
 */

import { setImmediate } from "node:timers";

/** The requests that begin in one turn of the event loop. */
const PER_TURN = 8;

/** The time for each request that begins while connections are being accepted, in milliseconds. */
const MS_PER_REQUEST = 4;

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
  /** The lines, the one first whose turn is next. */
  readonly #order: (() => void)[][] = [...this.#lines];
  #waiting = 0;
  #scheduled = false;
  #accepting = false;
  readonly #nowMs: () => number;
  /** The time for which requests have had their room. */
  #lastMs = 0;

  /** @param nowMs returns the time in milliseconds */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

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

  /**
   * Notes that a connection was accepted. Node accepts one in each turn of its event loop, so that turns must be short
   * until all are in: a client that has just connected would wait for the requests of all before it.
   */
  accepted(): void {
    this.#accepting = true;
    this.#left = Math.min(this.#left, 1);
    if (!this.#scheduled) this.#schedule();
  }

  #schedule(): void {
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    const due = this.#due(this.#room());
    this.#waiting -= due.length;
    this.#left -= due.length;
    if (this.#waiting > 0 || due.length > 0) this.#schedule();
    for (const begin of due) begin();
  }

  /** Sets and returns the number of requests that may begin in this turn. */
  #room(): number {
    const nowMs = this.#nowMs();
    this.#left = Math.min(PER_TURN, this.#accepting ? Math.floor((nowMs - this.#lastMs) / MS_PER_REQUEST) : PER_TURN);
    // The rest of the time counts for the next turn.
    if (this.#left === PER_TURN) this.#lastMs = nowMs;
    else this.#lastMs += this.#left * MS_PER_REQUEST;
    this.#accepting = false;
    return this.#left;
  }

  /** Takes up to `count` of those that wait, one of each line in turn. */
  #due(count: number): (() => void)[] {
    const due: (() => void)[] = [];
    while (due.length < count) {
      const at = this.#order.findIndex(({ length }) => length > 0);
      if (at < 0) break;
      const [line] = this.#order.splice(at, 1) as [(() => void)[]];
      due.push(line.shift()!);
      this.#order.push(line);
    }
    return due;
  }
}
