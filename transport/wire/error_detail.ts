/**
 * {@linkcode RaftError}s as protobuf messages.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { isRaftErrorCode, RaftError } from "../../lib/errors.ts";
import { Outcome, type RaftErrorDetail, type RaftErrorDetailSchema } from "./gen/raft/v1/error_pb.ts";

/** Returns the wire form of an error. */
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

/** Reads an error. A code of a newer version becomes `internal`; an outcome that isn't clear is `unknown`. */
export function errorFromDetail(detail: RaftErrorDetail, cause?: unknown): RaftError {
  const code = isRaftErrorCode(detail.code) ? detail.code : "internal";
  return new RaftError(code, detail.message, {
    outcome: detail.outcome === Outcome.REJECTED ? "rejected" : "unknown",
    hint: detail.hint,
    ...(detail.leaderId === "" ? {} : { leader: { id: detail.leaderId, address: detail.leaderAddress } }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Converts what a service threw to what the other side is told: a foreign error becomes a bare `internal`. */
export function wireError(error: unknown): RaftError {
  if (error instanceof RaftError) return error;
  return new RaftError("internal", "the node failed to answer", { outcome: "unknown", cause: error });
}
