/**
 * One error type for everything that a caller may have to handle.
 *
 * @module
 */

/** Stable, machine-readable causes. */
export type RaftErrorCode =
  /** This node does not lead; `leader` says who does, if known. */
  | "not_leader"
  /** Nobody leads now, or no quorum answers. */
  | "no_leader"
  /** Too much is under way; nothing was taken on. */
  | "busy"
  /** The leader lost its leadership while the request was under way. */
  | "leadership_lost"
  /** The deadline passed. */
  | "timeout"
  /** The caller's AbortSignal fired. */
  | "aborted"
  /** The node, client or transport was closed. */
  | "closed"
  /** The node stopped itself: its storage or its state machine failed. */
  | "stopped"
  /** The disk refused or failed; see {@linkcode StorageError}. */
  | "storage"
  /** The data on disk is damaged. */
  | "damaged"
  /** Another process holds the data folder. */
  | "locked"
  /** Written by a newer version. */
  | "unsupported_version"
  /** Cluster, node or incarnation differ from what the other side knows. */
  | "identity_mismatch"
  /** The request can't be carried out as it stands. */
  | "invalid_argument"
  /** A command, key or value over its limit. */
  | "too_large"
  /** A membership change is not committed yet. */
  | "membership_change_in_progress"
  /** The leader has not committed an entry of its term yet, or a learner is too far behind. */
  | "not_ready"
  /** A safety check refused it. */
  | "refused"
  /** The session's replies are gone; whether the command was applied is not known. */
  | "session_expired"
  /** A watch wants changes that are no longer kept. */
  | "compacted"
  /** The other side can't be reached. */
  | "unreachable"
  /** Not supported here. */
  | "unsupported"
  /** A fault of this library, or of the state machine. */
  | "internal";

/**
 * What became of the request:
 * - `rejected`: it had no effect, now or later; sending it again is safe.
 * - `unknown`: it may have been, or may yet be, carried out.
 */
export type Outcome = "rejected" | "unknown";

/** Where the leader is. */
export interface LeaderHint {
  /** The leader's name. */
  readonly id: string;
  /** Where it is reached. */
  readonly address: string;
}

/** What a {@linkcode RaftError} is made of besides code and message. */
export interface RaftErrorOptions {
  /** What became of the request. @default "rejected" */
  readonly outcome?: Outcome;
  /** What to do next, in a sentence. */
  readonly hint?: string;
  /** The leader, if known. */
  readonly leader?: LeaderHint;
  /** What caused it. */
  readonly cause?: unknown;
}

/** An error that says what happened, what it means for the request, and what to do next. */
export class RaftError extends Error {
  /** The stable cause. */
  readonly code: RaftErrorCode;
  /** Whether the request had no effect, or may have had one. */
  readonly outcome: Outcome;
  /** What to do next; empty if there is nothing better than the message. */
  readonly hint: string;
  /** The leader, if known. */
  readonly leader: LeaderHint | undefined;

  /** Makes an error. */
  constructor(code: RaftErrorCode, message: string, options: RaftErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RaftError";
    this.code = code;
    this.outcome = options.outcome ?? "rejected";
    this.hint = options.hint ?? "";
    this.leader = options.leader;
  }
}

/**
 * Whether a failed write left the disk as it was (`unchanged`: no space before
 * the write, an aborted transaction), or whether nobody knows (`in_doubt`: a
 * failed fsync).
 */
export type DiskState = "unchanged" | "in_doubt";

/** A failure of the storage. */
export class StorageError extends RaftError {
  /** What is known of the disk after it. */
  readonly disk: DiskState;

  /** Makes an error of the disk; its code is `storage` unless told otherwise. */
  constructor(
    message: string,
    options: RaftErrorOptions & {
      readonly disk: DiskState;
      /** @default "storage" */
      readonly code?: "storage" | "damaged" | "locked" | "unsupported_version" | "identity_mismatch" | "closed";
    },
  ) {
    super(options.code ?? "storage", message, options);
    this.name = "StorageError";
    this.disk = options.disk;
  }
}
