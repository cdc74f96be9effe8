/**
 * The messages between a page and the worker of its node.
 */

import type { AdminCalls, AdminMethod } from "../lib/client/admin_calls.ts";
import { RaftError } from "../lib/errors.ts";
import type { RaftErrorJson } from "../lib/errors.ts";
import type { Consistency, Lifecycle, RaftNodeEventMap, ReadResult } from "../lib/node/types.ts";
import type { NodeStatus } from "../lib/node/types.ts";
import type { NodeId } from "../lib/raft/types.ts";

/**
 * The life of a node in a tab: that of any node, and
 *
 * - `starting`: its storage is being opened.
 * - `waiting`: for the other nodes of a new cluster, or to be added to a running one.
 * - `running`: it takes part in its cluster, unless a reason says why not: it was removed, or the others do not answer.
 * - `paused`: it does nothing, as in a frozen page, and may be resumed.
 *
 * A node that is `stopped` did not start, or stopped itself; the error has the reason.
 */
export type Life = Lifecycle | "starting" | "waiting" | "paused";

/** The state of a node, with the reason. */
export interface LifeState {
  /** The state. */
  readonly life: Life;
  /** The reason, as an error message; empty if there is none. */
  readonly reason: string;
  /** The error of a `stopped` node; otherwise `null`. */
  readonly error: RaftError | null;
}

/** The origins of a pause. A node runs again once each of them has resumed it. */
export type Pauser = "page" | "user";

/** The calls from a page to the worker, by name: input and output. */
export interface WorkerCalls {
  readonly propose: [
    { readonly endpoint: string; readonly commands: readonly Uint8Array[] },
    readonly ClonedProposeOutcome[],
  ];
  readonly read: [
    { readonly endpoint: string; readonly query: Uint8Array; readonly consistency: Consistency },
    ReadResult,
  ];
  readonly status: [{ readonly endpoint: string }, NodeStatus];
  readonly admin: [
    {
      readonly endpoint: string;
      readonly method: AdminMethod;
      readonly request: AdminCalls[AdminMethod]["request"];
    },
    AdminCalls[AdminMethod]["answer"],
  ];
  readonly pause: [{ readonly by: Pauser }, void];
  readonly resume: [{ readonly by: Pauser }, void];
  readonly close: [null, void];
}

/** The names of calls. */
export type CallName = keyof WorkerCalls;

/** Posted to the worker itself: opens a connection over this port. */
export interface Connect {
  readonly raftCore: "connect";
  readonly port: MessagePort;
}

/** Posted by the worker itself when it begins to listen. Earlier messages may have been lost. */
export interface Listening {
  readonly raftCore: "listening";
}

/** Messages to the worker, over the port. */
export type ToWorker =
  | { readonly [K in CallName]: { type: "call"; id: number; name: K; input: WorkerCalls[K][0] } }[CallName]
  | { readonly type: "abort"; readonly id: number }
  | { readonly type: "observe"; readonly event: keyof RaftNodeEventMap; readonly on: boolean };

/** Messages to the page, over the port. */
export type ToPage =
  /** The storage is open; names its node. */
  | { readonly type: "opened"; readonly id: NodeId; readonly address: string }
  /** Reports whether the node leads: a page that goes away gives a leader some time. */
  | { readonly type: "leads"; readonly leads: boolean }
  | { readonly type: "life"; readonly life: Life; readonly reason: string; readonly error: RaftErrorJson | null }
  | { readonly type: "answer"; readonly id: number; readonly output: unknown }
  | { readonly type: "failure"; readonly id: number; readonly error: RaftErrorJson }
  | { readonly type: "event"; readonly event: keyof RaftNodeEventMap; readonly detail: unknown };

/** The result of one command, as a plain object. */
export type ClonedProposeOutcome =
  | { readonly ok: true; readonly index: number; readonly result: Uint8Array }
  | { readonly ok: false; readonly error: RaftErrorJson };

/** The details of an event about an error. */
interface WithError {
  readonly error: unknown;
}

/** Converts the details of an event for the port. */
export function cloneDetail(detail: object): unknown {
  return "error" in detail && detail.error instanceof Error
    ? { ...detail, error: RaftError.from(detail.error).toJSON() }
    : detail;
}

/** Restores the details of an event from the port. */
export function detailFromClone<K extends keyof RaftNodeEventMap>(event: K, detail: unknown): RaftNodeEventMap[K] {
  if (event !== "storageError" && event !== "stopped") return detail as RaftNodeEventMap[K];
  const { error } = detail as WithError;
  return { ...detail as object, error: RaftError.fromJSON(error as RaftErrorJson) } as unknown as RaftNodeEventMap[K];
}
