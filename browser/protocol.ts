/**
 * What a page and the worker of its node say to each other.
 *
 * @module
 */

import { RaftError, StorageError } from "../lib/errors.ts";
import type { DiskState, LeaderHint, Outcome, RaftErrorCode } from "../lib/errors.ts";
import type { Consistency, RaftNodeEventMap, ReadResult } from "../lib/node/types.ts";
import type { NodeStatus } from "../lib/node/types.ts";
import type { Membership, NodeId } from "../lib/raft/types.ts";

/**
 * How far a node is.
 *
 * - `starting`: its storage is being opened.
 * - `waiting`: for the other nodes of a new cluster, or to be added to a running one.
 * - `running`: it takes part.
 * - `paused`: it stands still, as in a frozen page, and may go on.
 * - `stopped`: it did not start, or stopped itself; the error says why.
 * - `closed`: it was closed.
 */
export type Life = "starting" | "waiting" | "running" | "paused" | "stopped" | "closed";

/** How far a node is, and why. */
export interface LifeState {
  /** How far it is. */
  readonly life: Life;
  /** Why, in a sentence; empty where there is nothing to say. */
  readonly reason: string;
  /** Why it is `stopped`; otherwise `null`. */
  readonly error: RaftError | null;
}

/** Who can be asked to stand still: each asks for itself alone. */
export type Pauser = "page" | "user";

/** What a page asks of the worker, by name: what it sends, and what comes back. */
export interface WorkerCalls {
  readonly propose: [
    { readonly endpoint: string; readonly commands: readonly Uint8Array[] },
    readonly ClonedProposeResult[],
  ];
  readonly query: [
    { readonly endpoint: string; readonly query: Uint8Array; readonly consistency: Consistency },
    ReadResult,
  ];
  readonly status: [{ readonly endpoint: string }, NodeStatus];
  readonly addMember: [{ readonly id: NodeId; readonly address: string; readonly learner: boolean }, Membership];
  readonly promoteMember: [{ readonly id: NodeId }, Membership];
  readonly removeMember: [{ readonly id: NodeId }, Membership];
  readonly transferLeadership: [{ readonly to: NodeId | null }, NodeId];
  readonly takeSnapshot: [null, { readonly index: number }];
  readonly pause: [{ readonly by: Pauser }, null];
  readonly resume: [{ readonly by: Pauser }, null];
  readonly close: [null, null];
}

/** The names of calls. */
export type CallName = keyof WorkerCalls;

/** On the worker itself: from here on, talk by this port. */
export interface Connect {
  readonly raftCore: "connect";
  readonly port: MessagePort;
}

/** From the worker itself: it listens now. Who called before may not have been heard. */
export interface Listening {
  readonly raftCore: "listening";
}

/** By the port, to the worker. */
export type ToWorker =
  | { readonly [K in CallName]: { type: "call"; id: number; name: K; input: WorkerCalls[K][0] } }[CallName]
  | { readonly type: "abort"; readonly id: number }
  | { readonly type: "observe"; readonly event: keyof RaftNodeEventMap; readonly on: boolean };

/** By the port, to the page. */
export type ToPage =
  /** The storage is open: here is who it belongs to. */
  | { readonly type: "opened"; readonly id: NodeId; readonly address: string }
  /** Whether the node leads: a page that goes away leaves such a node some time. */
  | { readonly type: "leads"; readonly leads: boolean }
  | { readonly type: "life"; readonly life: Life; readonly reason: string; readonly error: ClonedError | null }
  | { readonly type: "answer"; readonly id: number; readonly output: unknown }
  | { readonly type: "failure"; readonly id: number; readonly error: ClonedError }
  | { readonly type: "event"; readonly event: keyof RaftNodeEventMap; readonly detail: unknown };

/** An error on its way. A structured clone of the error itself would lose all but name and message. */
export interface ClonedError {
  readonly code: RaftErrorCode;
  readonly message: string;
  readonly outcome: Outcome;
  readonly hint: string;
  readonly leader: LeaderHint | null;
  readonly disk: DiskState | null;
}

/** The answer to one command, on its way. */
export type ClonedProposeResult =
  | { readonly ok: true; readonly index: number; readonly result: Uint8Array }
  | { readonly ok: false; readonly error: ClonedError };

/** Whatever was thrown, as a RaftError. Of anything else than that nothing is known. */
export function asRaftError(thrown: unknown): RaftError {
  if (thrown instanceof RaftError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new RaftError("internal", message, { outcome: "unknown", cause: thrown });
}

/** For the port. */
export function cloneError(thrown: unknown): ClonedError {
  const error = asRaftError(thrown);
  const { code, message, outcome, hint, leader } = error;
  const disk = error instanceof StorageError ? error.disk : null;
  return { code, message, outcome, hint, leader: leader ?? null, disk };
}

/** From the port: as whole as it was. */
export function errorFromClone({ code, message, outcome, hint, leader, disk }: ClonedError): RaftError {
  const options = { outcome, hint, ...(leader === null ? {} : { leader }) };
  if (disk === null) return new RaftError(code, message, options);
  return new StorageError(message, { ...options, disk, code: code as StorageCode });
}

type StorageCode = NonNullable<ConstructorParameters<typeof StorageError>[1]["code"]>;

/** Details that hold an error have it in this field. */
interface WithError {
  readonly error: unknown;
}

/** What an event tells, for the port. */
export function cloneDetail(detail: object): unknown {
  return "error" in detail && detail.error instanceof Error ? { ...detail, error: cloneError(detail.error) } : detail;
}

/** What an event tells, from the port. */
export function detailFromClone<K extends keyof RaftNodeEventMap>(event: K, detail: unknown): RaftNodeEventMap[K] {
  if (event !== "storageError" && event !== "stopped") return detail as RaftNodeEventMap[K];
  const { error } = detail as WithError;
  return { ...detail as object, error: errorFromClone(error as ClonedError) } as unknown as RaftNodeEventMap[K];
}
