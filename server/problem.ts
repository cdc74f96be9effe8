/**
 * Errors as RFC 9457 problem details.
 */

import type { LeaderHint, Outcome, RaftErrorCode } from "../lib/errors.ts";
import { RaftError } from "../lib/errors.ts";
import { sentence } from "../lib/sentence.ts";

/** Stable causes that only the HTTP interface has, beside {@linkcode RaftErrorCode}. */
export type HttpErrorCode =
  | "not_found"
  | "method_not_allowed"
  | "precondition_failed"
  | "forbidden_host"
  | "forbidden_origin";

/** The body of a problem response. */
export interface Problem {
  /** A URN made of the code. */
  readonly type: string;
  /** The code in words. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** The error message, as a sentence. */
  readonly detail: string;
  /** The stable cause. */
  readonly code: RaftErrorCode | HttpErrorCode;
  /** `rejected`: it had no effect; `unknown`: it may have had one, or may yet have one. */
  readonly outcome: Outcome;
  /** Advice on what to do next. */
  readonly hint?: string;
  /** The leader, if known. */
  readonly leader?: LeaderHint;
}

const STATUS: Record<RaftErrorCode | HttpErrorCode, readonly [number, string]> = {
  not_leader: [503, "This node does not lead"],
  no_leader: [503, "No leader"],
  busy: [503, "Too busy"],
  leadership_lost: [503, "Leadership lost"],
  timeout: [503, "Timed out"],
  aborted: [503, "Aborted"],
  closed: [503, "Closed"],
  stopped: [503, "Stopped"],
  not_a_member: [503, "Not a member"],
  storage: [503, "Storage failed"],
  damaged: [503, "Data damaged"],
  locked: [503, "Data folder locked"],
  unsupported_version: [501, "Unsupported version"],
  identity_mismatch: [409, "Identity mismatch"],
  invalid_argument: [400, "Invalid argument"],
  too_large: [413, "Too large"],
  membership_change_in_progress: [409, "A membership change is in progress"],
  not_ready: [503, "Not ready"],
  refused: [409, "Refused"],
  compacted: [410, "Compacted"],
  session_expired: [410, "Session expired"],
  unreachable: [503, "Unreachable"],
  unsupported: [501, "Unsupported"],
  internal: [500, "Internal error"],
  not_found: [404, "Not found"],
  method_not_allowed: [405, "Method not allowed"],
  precondition_failed: [412, "Precondition failed"],
  forbidden_host: [403, "Foreign Host"],
  forbidden_origin: [403, "Foreign Origin"],
};

/** Returns the problem for a code and an error message. */
export function problem(
  code: RaftErrorCode | HttpErrorCode,
  detail: string,
  more: { readonly outcome?: Outcome; readonly hint?: string; readonly leader?: LeaderHint | undefined } = {},
): Problem {
  const [status, title] = STATUS[code];
  return {
    type: `urn:raft-core:error:${code}`,
    title,
    status,
    detail: sentence(detail),
    code,
    outcome: more.outcome ?? "rejected",
    ...(more.hint ? { hint: more.hint } : {}),
    ...(more.leader ? { leader: more.leader } : {}),
  };
}

/** Returns the problem for an error. Anything but a {@linkcode RaftError} is internal, and its message is not exposed. */
export function problemOf(error: unknown): Problem {
  if (error instanceof RaftError) return problem(error.code, error.message, error);
  return problem("internal", "unexpected error; see the server's log", { outcome: "unknown" });
}

/** Returns the response for a problem; a 503 without effect tells the client when to try again. */
export function problemResponse(content: Problem, headers: Record<string, string> = {}): Response {
  const retry = content.status === 503 && content.outcome === "rejected" ? { "retry-after": "1" } : {};
  return new Response(JSON.stringify(content) + "\n", {
    status: content.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...retry, ...headers },
  });
}
