/**
 * The interface of workloads.
 */

import type { ClientRequestOptions } from "../../lib/client/mod.ts";
import type { Consistency, ProposeResult, ReadResult } from "../../lib/node/types.ts";
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

/** A cluster as one request sees it: only the bytes of that request may be sent, once. */
export interface RequestCluster {
  /** See `Coordinator.propose`. */
  propose(command: Uint8Array, options?: ClientRequestOptions): Promise<ProposeResult>;
  /** See `Coordinator.read`. */
  read(
    query: Uint8Array,
    options?: ClientRequestOptions & { readonly consistency?: Consistency },
  ): Promise<ReadResult>;
}

/** Options of one request: of those that `RequestCluster` takes, those that concern its kind. */
export interface SendOptions extends ClientRequestOptions {
  /** Set for a query. */
  readonly consistency?: Consistency;
}

/** A source of requests. One is made for each run; the numbers that it draws from `chance` follow from the seed. */
export interface Workload {
  /** Returns the next request of a client. `name` is unique in the run, for values that no other request writes. */
  next(client: string, name: string, chance: Stream): Request;
  /** Sends a request through a client of the state machine's own, and returns the answer as that client has it. @default the bytes are sent as they are */
  send?(request: Request, cluster: RequestCluster, options: SendOptions): Promise<unknown>;
  /** Notes the answer to a client, for requests that build on answers, such as compare-and-set. */
  answered?(client: string, request: Request, answer: Uint8Array): void;
}
