/**
 * {@linkcode RaftError}s as details of Connect errors.
 */

import { Code, ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from "@connectrpc/connect";
import { type Outcome, RaftError, type RaftErrorCode, withoutStack } from "../../lib/errors.ts";
import { errorFromDetail, errorToDetail, wireError } from "./error_detail.ts";
import { RaftErrorDetailSchema } from "./gen/raft/v1/error_pb.ts";

const CONNECT_CODES: Readonly<Record<RaftErrorCode, Code>> = {
  not_leader: Code.FailedPrecondition,
  no_leader: Code.Unavailable,
  busy: Code.ResourceExhausted,
  leadership_lost: Code.Aborted,
  timeout: Code.DeadlineExceeded,
  aborted: Code.Canceled,
  closed: Code.Unavailable,
  stopped: Code.Unavailable,
  not_a_member: Code.FailedPrecondition,
  storage: Code.Unavailable,
  damaged: Code.DataLoss,
  locked: Code.FailedPrecondition,
  unsupported_version: Code.FailedPrecondition,
  identity_mismatch: Code.FailedPrecondition,
  invalid_argument: Code.InvalidArgument,
  too_large: Code.InvalidArgument,
  membership_change_in_progress: Code.FailedPrecondition,
  not_ready: Code.FailedPrecondition,
  refused: Code.FailedPrecondition,
  compacted: Code.OutOfRange,
  session_expired: Code.FailedPrecondition,
  unreachable: Code.Unavailable,
  unsupported: Code.Unimplemented,
  internal: Code.Internal,
};

/** The meaning of an error without a detail, by its code; `internal` for any other. */
const WITHOUT_DETAIL: { readonly [code in Code]?: readonly [RaftErrorCode, Outcome] } = {
  [Code.Canceled]: ["aborted", "unknown"],
  [Code.DeadlineExceeded]: ["timeout", "unknown"],
  [Code.Unavailable]: ["unreachable", "unknown"],
  [Code.Unimplemented]: ["unsupported", "rejected"],
  [Code.InvalidArgument]: ["invalid_argument", "rejected"],
  [Code.NotFound]: ["invalid_argument", "rejected"],
  [Code.PermissionDenied]: ["refused", "rejected"],
  [Code.Unauthenticated]: ["refused", "rejected"],
  [Code.ResourceExhausted]: ["too_large", "unknown"],
};

/**
 * Converts what a service throws to the Connect error that carries all of it. A
 * foreign error becomes a bare "internal" for the other side; a
 * {@linkcode ConnectError} stays as it is.
 */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const known = wireError(error);
  const detail = { desc: RaftErrorDetailSchema, value: errorToDetail(known) };
  // The stack of the cause is the useful one.
  return withoutStack(() => new ConnectError(known.message, CONNECT_CODES[known.code], undefined, [detail], error));
}

/**
 * Converts what a call threw to a {@linkcode RaftError}. With a detail it is the
 * server's own. Without one the outcome is `rejected` only where the protocol
 * says that no service accepted the request.
 */
export function fromConnectError(error: unknown): RaftError {
  if (error instanceof RaftError) return error;
  const connectError = ConnectError.from(error);
  const detail = connectError.findDetails(RaftErrorDetailSchema)[0];
  if (detail !== undefined) return errorFromDetail(detail, connectError);
  if (connectError.cause instanceof RaftError) return connectError.cause;
  const [code, outcome] = WITHOUT_DETAIL[connectError.code] ?? ["internal", "unknown"];
  const hint = code === "unsupported" ? "Is this the address of a raft-core node, of the same version?" : "";
  return new RaftError(code, connectError.rawMessage, { outcome, hint, cause: error });
}

/** Adds its detail to every error that a service throws. For servers. */
export function raftErrorInterceptor(next: Parameters<Interceptor>[0]): ReturnType<Interceptor> {
  return async (request: UnaryRequest | StreamRequest) => {
    try {
      const response = await next(request);
      if (!response.stream) return response;
      return { ...response, message: withConnectErrors(response.message) };
    } catch (error) {
      throw toConnectError(error);
    }
  };
}

async function* withConnectErrors<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw toConnectError(error);
  }
}
