/**
 * {@linkcode RaftError}s as messages, whatever carries them. Nothing here needs Connect.
 *
 * @module
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { RaftError, type RaftErrorCode } from "../../lib/errors.ts";
import { Outcome, type RaftErrorDetail, type RaftErrorDetailSchema } from "./gen/raft/v1/error_pb.ts";

/** Every code, so that one of a newer version is noticed. */
const CODES: Readonly<Record<RaftErrorCode, true>> = {
  not_leader: true,
  no_leader: true,
  busy: true,
  leadership_lost: true,
  timeout: true,
  aborted: true,
  closed: true,
  stopped: true,
  storage: true,
  damaged: true,
  locked: true,
  unsupported_version: true,
  identity_mismatch: true,
  invalid_argument: true,
  too_large: true,
  membership_change_in_progress: true,
  not_ready: true,
  refused: true,
  compacted: true,
  session_expired: true,
  unreachable: true,
  unsupported: true,
  internal: true,
};

/**
 * For the wire.
 *
 * @internal
 */
export function errorToDetail(error: RaftError): MessageInitShape<typeof RaftErrorDetailSchema> {
  return {
    code: error.code,
    outcome: error.outcome === "rejected" ? Outcome.REJECTED : Outcome.UNKNOWN,
    message: error.message,
    hint: error.hint,
    leaderId: error.leader?.id ?? "",
    leaderAddress: error.leader?.address ?? "",
  };
}

/**
 * From the wire. A code of a newer version becomes `internal`; an outcome that isn't clear is `unknown`.
 *
 * @internal
 */
export function errorFromDetail(detail: RaftErrorDetail, cause?: unknown): RaftError {
  const code = Object.hasOwn(CODES, detail.code) ? detail.code as RaftErrorCode : "internal";
  return new RaftError(code, detail.message, {
    outcome: detail.outcome === Outcome.REJECTED ? "rejected" : "unknown",
    hint: detail.hint,
    ...(detail.leaderId === "" ? {} : { leader: { id: detail.leaderId, address: detail.leaderAddress } }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What a service threw, as it is told to the other side: errors that are none of ours say no more than "internal". */
export function toldError(error: unknown): RaftError {
  if (error instanceof RaftError) return error;
  return new RaftError("internal", "the node failed to answer", { outcome: "unknown", cause: error });
}

/** The error of a call that its caller's signal ended. */
export function endedBy(signal: AbortSignal, outcome: "rejected" | "unknown"): RaftError {
  const { reason } = signal;
  if (reason instanceof RaftError) return reason.withOutcome(outcome);
  const timedOut = (reason instanceof Error || reason instanceof DOMException) && reason.name === "TimeoutError";
  return new RaftError(timedOut ? "timeout" : "aborted", timedOut ? "the deadline passed" : "the call was aborted", {
    outcome,
    cause: reason,
  });
}
