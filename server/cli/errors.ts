/**
 * Failures as a message, a JSON document and an exit code.
 */

import type { LeaderHint, Outcome, RaftErrorCode } from "../../lib/errors.ts";
import { RaftError } from "../../lib/errors.ts";
import { messageOf } from "../../lib/node/errors.ts";
import { EXIT, exitCodeOf } from "../exit_codes.ts";
import type { ExitCode } from "../exit_codes.ts";

/** Stable causes that only the command line has, beside {@linkcode RaftErrorCode}. */
export type CliErrorCode = "usage" | "not_found" | "conflict" | "file";

/** A failure with an exit code of its own. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: CliErrorCode | RaftErrorCode;
  readonly exitCode: ExitCode;
  readonly hint: string;
  readonly outcome: Outcome = "rejected";
  /** More fields for the JSON document. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: CliErrorCode | RaftErrorCode,
    exitCode: ExitCode,
    message: string,
    { hint = "", details = {} }: { readonly hint?: string; readonly details?: Record<string, unknown> } = {},
  ) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
    this.hint = hint;
    this.details = details;
  }
}

/** Returns the error of a command line that makes no sense. */
export function usageError(message: string, hint = ""): CliError {
  return new CliError("usage", EXIT.usage, message, { hint });
}

/** A failure as it is reported: the document that `--json` writes to standard error, under `error`. */
export interface Failure {
  /** Stable and machine-readable: a {@linkcode RaftErrorCode} or a {@linkcode CliErrorCode}. */
  readonly code: string;
  /** The error message, without a capital or a full stop. */
  readonly message: string;
  /** Advice on what to do next; absent if the message says it all. */
  readonly hint?: string | undefined;
  /** `rejected`: it had no effect; `unknown`: it may have had one, or may yet have one. */
  readonly outcome: Outcome;
  /** The leader, if known. */
  readonly leader?: LeaderHint | undefined;
  /** The exit code of the process. */
  readonly exitCode: ExitCode;
}

const HINTS: Partial<Record<RaftErrorCode | CliErrorCode, string>> = {
  unreachable: "Start a cluster with: deno task start. Name its servers with --server HOST:PORT,… or RAFT_SERVER.",
  no_leader: "An election takes a few seconds while a majority of the nodes is up. See: raft status",
  not_a_member: "Name a member of the cluster with --server. See: raft status",
  not_leader: "Another node leads. See: raft status",
  timeout: "Is a majority of the nodes up? See: raft status. To wait for longer: --timeout-ms",
};

const UNKNOWN_HINT = "It may have been carried out, or may yet be. Check before you repeat it.";

/** Converts any error to the failure to report. */
export function failureOf(thrown: unknown, interrupted: boolean): Failure {
  const error = underlying(thrown);
  const known = error instanceof RaftError || error instanceof CliError;
  const outcome = known ? error.outcome : "rejected";
  const message = messageOf(error) || "an unexpected error";
  const unsure = outcome === "unknown" ? UNKNOWN_HINT : undefined;
  if (interrupted) {
    return { code: "aborted", message: "interrupted", hint: unsure, outcome, exitCode: EXIT.interrupted };
  }
  if (!known) return { code: "internal", message, outcome, exitCode: EXIT.failed };
  const ofCommand = error instanceof CliError;
  return {
    ...(ofCommand ? error.details : {}),
    code: error.code,
    message,
    hint: error.hint || unsure || HINTS[error.code],
    outcome,
    leader: ofCommand ? undefined : error.leader,
    exitCode: ofCommand ? error.exitCode : exitCodeOf(error),
  };
}

/** Adds a hint to a server's error about a member; one that is silent or behind was refused by a check, which is no missing leader. */
export function aboutMembers(error: unknown): unknown {
  if (error instanceof RaftError && error.code === "not_ready" && error.outcome === "rejected") {
    return new CliError("not_ready", EXIT.refused, error.message, { hint: error.hint });
  }
  if (!(error instanceof RaftError) || error.code !== "invalid_argument" || error.hint !== "") return error;
  return new RaftError(error.code, error.message, { hint: "See: raft member list", cause: error });
}

/** Returns the error when no server answered; `failures` are the reasons, in any order. */
export function noServerAnswers(endpoints: readonly string[], failures: readonly unknown[]): RaftError {
  const reasons = [...new Set(failures.map(messageOf))];
  const hosts = endpoints.map((endpoint) => new URL(endpoint).host).join(", ");
  const refused = reasons.every((reason) => reason.startsWith("no server answers"));
  return new RaftError("unreachable", refused ? `no server answers at ${hosts}` : reasons.join("; "));
}

/** The codes that say why a deadline passed. */
const TELLING: ReadonlySet<RaftErrorCode> = new Set(["unreachable", "no_leader", "not_a_member"]);

/** Unwraps a deadline that passed because no server was reached, or no node led: that is the better message. */
function underlying(error: unknown): unknown {
  if (!(error instanceof RaftError) || error.code !== "timeout" || error.outcome === "unknown") return error;
  const { cause } = error;
  if (!(cause instanceof RaftError) || !TELLING.has(cause.code)) return error;
  return new RaftError(cause.code, error.message, { hint: error.hint, cause: error });
}
