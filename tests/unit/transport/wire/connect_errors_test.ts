import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJson, errorToJson } from "@connectrpc/connect/protocol-connect";
import { RaftError, type RaftErrorCode, StorageError } from "../../../../lib/errors.ts";
import { fromConnectError, toConnectError } from "../../../../transport/wire/connect_errors.ts";
import { errorFromDetail } from "../../../../transport/wire/error_detail.ts";
import { RaftErrorDetailSchema } from "../../../../transport/wire/gen/raft/v1/error_pb.ts";

/** Over the wire and back. */
function carried(error: unknown): RaftError {
  const json = errorToJson(toConnectError(error), undefined);
  return fromConnectError(errorFromJson(json, undefined, new ConnectError("not read", Code.Unknown)));
}

Deno.test("errors: all fields of a RaftError arrive", () => {
  const codes: RaftErrorCode[] = [
    "not_leader",
    "busy",
    "timeout",
    "session_expired",
    "stopped",
    "compacted",
    "internal",
  ];
  for (const code of codes) {
    for (const outcome of ["rejected", "unknown"] as const) {
      const leader = { id: "n2", address: "127.0.0.1:7002" };
      const back = carried(new RaftError(code, "what happened", { outcome, hint: "what to do", leader }));
      const { message, hint } = back;
      assert.deepEqual({ code: back.code, outcome: back.outcome, message, hint, leader: back.leader }, {
        code,
        outcome,
        message: "what happened",
        hint: "what to do",
        leader,
      });
    }
  }
  assert.equal(carried(new RaftError("no_leader", "none")).leader, undefined);
  assert.equal(carried(new StorageError("no space", { disk: "unchanged" })).code, "storage");
});

Deno.test("errors: a fault of the server reveals no details, and leaves the outcome unknown", () => {
  const back = carried(new Error("secret path /home/x"));
  assert.equal(back.code, "internal");
  assert.equal(back.outcome, "unknown");
  assert.doesNotMatch(back.message, /secret/);
});

Deno.test("errors: Connect's own errors are rejected only if no service accepted the call", () => {
  const expected: [Code, RaftErrorCode, "rejected" | "unknown"][] = [
    [Code.Canceled, "aborted", "unknown"],
    [Code.DeadlineExceeded, "timeout", "unknown"],
    [Code.Unavailable, "unreachable", "unknown"],
    [Code.Internal, "internal", "unknown"],
    [Code.Unknown, "internal", "unknown"],
    [Code.ResourceExhausted, "too_large", "unknown"],
    [Code.Unimplemented, "unsupported", "rejected"],
    [Code.InvalidArgument, "invalid_argument", "rejected"],
    [Code.PermissionDenied, "refused", "rejected"],
  ];
  for (const [connectCode, code, outcome] of expected) {
    const error = fromConnectError(new ConnectError("why", connectCode));
    assert.deepEqual([error.code, error.outcome, error.message], [code, outcome, "why"]);
  }
});

Deno.test("errors: a code or an outcome of a newer version is not taken for a rejection", () => {
  const error = errorFromDetail(create(RaftErrorDetailSchema, { code: "from the future", message: "new" }));
  assert.deepEqual([error.code, error.outcome, error.message], ["internal", "unknown", "new"]);
  assert.equal(errorFromDetail(create(RaftErrorDetailSchema, { code: "toString" })).code, "internal");
});
