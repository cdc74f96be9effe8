/**
 * What went wrong, as a message, a JSON document and an exit code.
 *
 * @module
 */

import type { LeaderHint, Outcome, RaftErrorCode } from "../../lib/errors.ts";
import { RaftError } from "../../lib/errors.ts";
import { EXIT, exitCodeOf } from "../exit_codes.ts";
import type { ExitCode } from "../exit_codes.ts";

/** Stable causes that only the command line has, beside {@linkcode RaftErrorCode}. */
export type CliErrorCode = "usage" | "not_found" | "conflict" | "file";

/** A failure with an exit code of its own. */
export class CliError extends Error {
  readonly code: CliErrorCode | RaftErrorCode;
  readonly exitCode: ExitCode;
  readonly hint: string;
  readonly outcome: Outcome;
  /** More fields for the JSON document. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: CliErrorCode | RaftErrorCode,
    exitCode: ExitCode,
    message: string,
    options: { readonly hint?: string; readonly outcome?: Outcome; readonly details?: Record<string, unknown> } = {},
  ) {
    super(message);
    this.name = "CliError";
    this.code = code;
    this.exitCode = exitCode;
    this.hint = options.hint ?? "";
    this.outcome = options.outcome ?? "rejected";
    this.details = options.details ?? {};
  }
}

/** A command line that was not understood. */
export function usageError(message: string, hint = ""): CliError {
  return new CliError("usage", EXIT.usage, message, { hint });
}

/** What is told of a failure: the document that `--json` puts on standard error, under `error`. */
export interface Failure {
  /** Stable and machine-readable: a {@linkcode RaftErrorCode} or a {@linkcode CliErrorCode}. */
  readonly code: string;
  /** What happened, in a sentence. */
  readonly message: string;
  /** What to do next; absent if there is nothing better than the message. */
  readonly hint?: string;
  /** `rejected`: it had no effect; `unknown`: it may have had, or may yet have. */
  readonly outcome: Outcome;
  /** The leader, if the error knows it. */
  readonly leader?: LeaderHint;
  /** What the process ends with. */
  readonly exitCode: ExitCode;
}

const HINTS: Partial<Record<RaftErrorCode, string>> = {
  unreachable: "Start a cluster with: deno task start. Name its servers with --server HOST:PORT,… or RAFT_SERVER.",
  no_leader: "An election takes a few seconds while a majority of the nodes is up. See: raft status",
  not_leader: "Another node leads. See: raft status",
  timeout: "Is a majority of the nodes up? See: raft status. To wait for longer: --timeout-ms",
};

const UNKNOWN_HINT = "It may have been carried out, or may yet be. Look before you do it again.";

/** Makes of any error what is told of it. */
export function failureOf(thrown: unknown, interrupted: boolean): Failure {
  const error = underlying(thrown);
  const known = error instanceof RaftError || error instanceof CliError;
  const outcome = known ? error.outcome : "rejected";
  if (interrupted) {
    return {
      code: "aborted",
      message: "Interrupted.",
      ...(outcome === "unknown" ? { hint: UNKNOWN_HINT } : {}),
      outcome,
      exitCode: EXIT.interrupted,
    };
  }
  if (!known) {
    return { code: "internal", message: messageOf(error), outcome, exitCode: EXIT.failed };
  }
  const hint = error.hint !== ""
    ? error.hint
    : outcome === "unknown"
    ? UNKNOWN_HINT
    : HINTS[error.code as RaftErrorCode] ?? "";
  return {
    ...(error instanceof CliError ? error.details : {}),
    code: error.code,
    message: messageOf(error),
    ...(hint === "" ? {} : { hint }),
    outcome,
    ...(error instanceof RaftError && error.leader !== undefined ? { leader: error.leader } : {}),
    exitCode: error instanceof CliError ? error.exitCode : exitCodeOf(error),
  };
}

/** An error of the server about a member, with where to look. */
export function aboutMembers(error: unknown): unknown {
  if (!(error instanceof RaftError) || error.code !== "invalid_argument" || error.hint !== "") return error;
  return new RaftError(error.code, error.message, { hint: "See: raft member list", cause: error });
}

/** Marks the error of a read as `rejected`: a read has no effect. */
export function withoutEffect(error: unknown): unknown {
  return error instanceof RaftError ? error.withOutcome("rejected") : error;
}

/** None of the servers answered; `failures` say why, in the order of the endpoints or any. */
export function nobodyAnswers(endpoints: readonly string[], failures: readonly unknown[]): RaftError {
  const reasons = [...new Set(failures.map(reasonOf))];
  const hosts = endpoints.map((endpoint) => new URL(endpoint).host).join(", ");
  const refused = reasons.every((reason) => reason.startsWith("nobody answers"));
  return new RaftError("unreachable", refused ? `nobody answers at ${hosts}` : reasons.join("; "));
}

/** Why a server didn't answer. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A deadline that passed because nobody could be reached, or nobody led, is told as just that. */
function underlying(error: unknown): unknown {
  if (!(error instanceof RaftError) || error.code !== "timeout" || error.outcome === "unknown") return error;
  const { cause } = error;
  if (!(cause instanceof RaftError) || (cause.code !== "unreachable" && cause.code !== "no_leader")) return error;
  return new RaftError(cause.code, error.message, { hint: error.hint, cause: error });
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)) || "An unexpected error.";
}
