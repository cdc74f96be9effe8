/**
 * What clients ask for.
 *
 * @module
 */

import type { Stream } from "../decisions.ts";

/** A request of a client to the user's state machine. */
export interface Request {
  /** A command changes the state and goes into the log; a query only reads. */
  readonly type: "command" | "query";
  /** For the state machine. */
  readonly bytes: Uint8Array;
  /** For people who read a story. */
  readonly text: string;
}

/** A source of requests. One is made for each run; what it draws from `chance` follows from the seed. */
export interface Workload {
  /** The next request of a client. `name` is unique in the run, for values that nobody else writes. */
  next(client: string, name: string, chance: Stream): Request;
  /** A client was answered; for requests that build on answers, such as compare-and-set. */
  answered?(client: string, request: Request, answer: Uint8Array): void;
}
