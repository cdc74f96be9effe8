/**
 * The one error type for everything a caller may have to handle, and what each
 * code means for a retry.
 *
 * @module
 */

/** Stable, machine-readable causes. */
export type RaftErrorCode =
  /** This node does not lead; `leader` is the one that does, if known. */
  | "not_leader"
  /** No leader is known now, or no quorum answers. */
  | "no_leader"
  /** Too much is under way; the request was not accepted. */
  | "busy"
  /** The leader lost its leadership while the request was under way. */
  | "leadership_lost"
  /** The deadline passed. */
  | "timeout"
  /** The caller's AbortSignal fired. */
  | "aborted"
  /** The node, client or transport was closed. */
  | "closed"
  /** This node is no member of its cluster: it was removed. */
  | "not_a_member"
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
  /** The leader can't do it yet: it transfers its leadership, has committed nothing in its term, or a node is behind or silent. */
  | "not_ready"
  /** A safety check refused it. */
  | "refused"
  /** The session's replies are gone; it is unknown if the command was applied. */
  | "session_expired"
  /** A watch asks for changes that have been discarded. */
  | "compacted"
  /** The other side can't be reached. */
  | "unreachable"
  /** Not supported here. */
  | "unsupported"
  /** A fault of this library, or of the state machine. */
  | "internal";

/**
 * The meaning of a code for sending the same request again:
 * - `leader`: it is a matter for the leader, as soon as there is one.
 * - `elsewhere`: another node may do it; this one won't soon.
 * - `later`: the same node may do it later.
 * - `never`: no node will do it, whenever it is asked.
 */
export type Retry = "leader" | "elsewhere" | "later" | "never";

/** The one table of what each code means for a retry. */
const RETRY: Readonly<Record<RaftErrorCode, Retry>> = {
  not_leader: "leader",
  no_leader: "leader",
  leadership_lost: "leader",
  closed: "elsewhere",
  stopped: "elsewhere",
  not_a_member: "elsewhere",
  damaged: "elsewhere",
  locked: "elsewhere",
  unreachable: "elsewhere",
  busy: "later",
  timeout: "later",
  // Somewhere on the way; a caller that gave up itself knows it by its own signal.
  aborted: "later",
  storage: "later",
  membership_change_in_progress: "later",
  not_ready: "later",
  internal: "later",
  unsupported_version: "never",
  identity_mismatch: "never",
  invalid_argument: "never",
  too_large: "never",
  refused: "never",
  session_expired: "never",
  compacted: "never",
  unsupported: "never",
};

/** Reports whether `code` is known to this version; a newer peer may have others. */
export function isRaftErrorCode(code: unknown): code is RaftErrorCode {
  return typeof code === "string" && Object.hasOwn(RETRY, code);
}

/** Returns what `code` means for a retry. It is no permission: see {@linkcode isRetryable}. */
export function retryOf(code: RaftErrorCode): Retry {
  return RETRY[code];
}

/**
 * Reports whether the request that ended with `error` may be sent again and has
 * a chance then. A request whose outcome is unknown may be sent again only if
 * carrying it out twice is `harmless`, as for reads, or for commands in a session.
 */
export function isRetryable(error: unknown, harmless = false): boolean {
  if (!(error instanceof RaftError)) return false;
  return RETRY[error.code] !== "never" && (harmless || error.outcome === "rejected");
}

/**
 * The fate of a request:
 * - `rejected`: it had no effect, now or later; sending it again is safe.
 * - `unknown`: it may have been, or may yet be, carried out.
 */
export type Outcome = "rejected" | "unknown";

/** Where the leader is. */
export interface LeaderHint {
  /** The leader's name. */
  readonly id: string;
  /** The leader's address in the membership. */
  readonly address: string;
}

/** The parts of a {@linkcode RaftError} besides code and message. */
export interface RaftErrorOptions {
  /** The fate of the request. @default "rejected" */
  readonly outcome?: Outcome;
  /** Advice on what to do next, as a full sentence. */
  readonly hint?: string;
  /** The leader, if known. */
  readonly leader?: LeaderHint | undefined;
  /** The underlying error. */
  readonly cause?: unknown;
}

/** A {@linkcode RaftError} as a plain object, for JSON and structured clones. The cause stays behind. */
export interface RaftErrorJson {
  /** See {@linkcode RaftError.code}; a newer peer may send a code that this version does not know. */
  readonly code: string;
  /** See {@linkcode Error.message}. */
  readonly message: string;
  /** See {@linkcode RaftError.outcome}. */
  readonly outcome: Outcome;
  /** See {@linkcode RaftError.hint}. */
  readonly hint?: string;
  /** See {@linkcode RaftError.leader}. */
  readonly leader?: LeaderHint;
  /** See {@linkcode StorageError.disk}; marks a {@linkcode StorageError}. */
  readonly disk?: DiskState;
}

/** An error that says what happened, what it means for the request, and what to do next. */
export class RaftError extends Error {
  /** The stable cause. */
  readonly code: RaftErrorCode;
  /** The fate of the request. */
  readonly outcome: Outcome;
  /** The next step for the caller; empty if the message is enough. */
  readonly hint: string;
  /** The leader, if known. */
  readonly leader: LeaderHint | undefined;

  /** Creates an error. The message is lower case, without a full stop. */
  constructor(code: RaftErrorCode, message: string, options: RaftErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RaftError";
    this.code = code;
    this.outcome = options.outcome ?? "rejected";
    this.hint = options.hint ?? "";
    this.leader = options.leader;
  }

  /**
   * Converts anything thrown to a RaftError; one that is a RaftError already is
   * returned unchanged. A foreign error has an unknown outcome, unless the caller knows better.
   */
  static from(thrown: unknown, code: RaftErrorCode = "internal", outcome: Outcome = "unknown"): RaftError {
    if (thrown instanceof RaftError) return thrown;
    const message = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
    return new RaftError(code, message, { outcome, cause: thrown });
  }

  /**
   * Restores an error from {@linkcode RaftError.toJSON}. A code unknown to this
   * version becomes `internal`, and anything but a clear `rejected` is `unknown`.
   */
  static fromJSON(json: RaftErrorJson): RaftError {
    const { message, hint, leader, disk } = json;
    const code = isRaftErrorCode(json.code) ? json.code : "internal";
    const options: RaftErrorOptions = {
      outcome: json.outcome === "rejected" ? "rejected" : "unknown",
      ...(hint === undefined ? {} : { hint }),
      leader,
    };
    if (disk === undefined || !isStorageErrorCode(code)) return new RaftError(code, message, options);
    return new StorageError(message, { ...options, disk, code });
  }

  /** Returns the same error with another outcome, and this one as its cause. */
  withOutcome(outcome: Outcome): RaftError {
    if (outcome === this.outcome) return this;
    const { code, message, hint, leader } = this;
    return new RaftError(code, message, { outcome, hint, leader, cause: this });
  }

  /** Returns the error as a plain object; absent parts are left out. */
  toJSON(): RaftErrorJson {
    const { code, message, outcome, hint, leader } = this;
    return {
      code,
      message,
      outcome,
      ...(hint === "" ? {} : { hint }),
      ...(leader === undefined ? {} : { leader }),
    };
  }
}

/**
 * The state of the disk after a failed write: as it was before (`unchanged`: no
 * space, or an aborted transaction), or not known (`in_doubt`: a failed fsync).
 */
export type DiskState = "unchanged" | "in_doubt";

/** The codes that a {@linkcode StorageError} may have. */
export type StorageErrorCode =
  | "storage"
  | "damaged"
  | "locked"
  | "unsupported_version"
  | "identity_mismatch"
  | "closed";

const STORAGE_CODES: readonly RaftErrorCode[] = [
  "storage",
  "damaged",
  "locked",
  "unsupported_version",
  "identity_mismatch",
  "closed",
] satisfies StorageErrorCode[];

function isStorageErrorCode(code: RaftErrorCode): code is StorageErrorCode {
  return STORAGE_CODES.includes(code);
}

/** A failure of the storage. */
export class StorageError extends RaftError {
  /** The state of the disk after the failure. */
  readonly disk: DiskState;

  /** Creates an error of the disk. */
  constructor(
    message: string,
    options: RaftErrorOptions & {
      readonly disk: DiskState;
      /** @default "storage" */
      readonly code?: StorageErrorCode;
    },
  ) {
    super(options.code ?? "storage", message, options);
    this.name = "StorageError";
    this.disk = options.disk;
  }

  /** See {@linkcode RaftError.withOutcome}. */
  override withOutcome(outcome: Outcome): StorageError {
    if (outcome === this.outcome) return this;
    const { message, hint, leader, disk } = this;
    return new StorageError(message, { code: this.code as StorageErrorCode, outcome, hint, leader, disk, cause: this });
  }

  /** See {@linkcode RaftError.toJSON}. */
  override toJSON(): RaftErrorJson {
    return { ...super.toJSON(), disk: this.disk };
  }
}

/**
 * Runs `create` so that its errors have no stack. For refused input: a sender
 * could otherwise have a stack captured for every bad element, which costs more
 * than everything else that is done with it.
 */
export function withoutStack<T>(create: () => T): T {
  // Engines without this property capture stacks cheaply.
  const { stackTraceLimit } = Error as { readonly stackTraceLimit?: number };
  if (stackTraceLimit === undefined) return create();
  Reflect.set(Error, "stackTraceLimit", 0);
  try {
    return create();
  } finally {
    Reflect.set(Error, "stackTraceLimit", stackTraceLimit);
  }
}

/** Creates the error of a request to something that is closed, such as "the client". */
export function closedError(what: string, outcome: Outcome = "rejected"): RaftError {
  return new RaftError("closed", `${what} is closed`, { outcome });
}

/**
 * Creates the error of a request whose signal fired: the signal's own reason if
 * that is a RaftError, `timeout` after `AbortSignal.timeout`, otherwise `aborted`.
 */
export function abortedError(signal: AbortSignal, outcome: Outcome = "rejected"): RaftError {
  const { reason } = signal;
  if (reason instanceof RaftError) return reason.withOutcome(outcome);
  const timedOut = reason instanceof Error && reason.name === "TimeoutError";
  return new RaftError(timedOut ? "timeout" : "aborted", timedOut ? "the deadline passed" : "the request was aborted", {
    outcome,
    cause: reason,
  });
}
