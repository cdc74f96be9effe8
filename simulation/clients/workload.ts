/**
 * The interface of workloads.
 */

import type { Stream } from "../decisions.ts";

/** A request of a client to the user's state machine. */
export interface Request {
  /** The kind: a command changes the state and goes into the log; a query only reads. */
  readonly type: "command" | "query";
  /** The request as the state machine receives it. */
  readonly bytes: Uint8Array;
  /** A description for people who read a story. */
  readonly text: string;
}

/** A source of requests. One is made for each run; the numbers that it draws from `chance` follow from the seed. */
export interface Workload {
  /** Returns the next request of a client. `name` is unique in the run, for values that no other request writes. */
  next(client: string, name: string, chance: Stream): Request;
  /** Notes the answer to a client, for requests that build on answers, such as compare-and-set. */
  answered?(client: string, request: Request, answer: Uint8Array): void;
}
