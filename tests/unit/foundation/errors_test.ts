import assert from "node:assert/strict";
import {
  abortedError,
  closedError,
  isRaftErrorCode,
  isRetryable,
  RaftError,
  retryOf,
  StorageError,
} from "../../../lib/errors.ts";
import type { RaftErrorCode } from "../../../lib/errors.ts";

const leader = { id: "n2", address: "n2:7000" };

Deno.test("an error with an unknown outcome is retryable only where repeating is harmless", () => {
  const rejected = new RaftError("unreachable", "no route");
  const unknown = rejected.withOutcome("unknown");
  assert.equal(isRetryable(rejected), true);
  assert.equal(isRetryable(unknown), false);
  assert.equal(isRetryable(unknown, true), true);
});

Deno.test("an error that no node and no time would change is never retryable", () => {
  const final: RaftErrorCode[] = ["invalid_argument", "too_large", "refused", "identity_mismatch", "session_expired"];
  for (const code of final) {
    assert.equal(retryOf(code), "never");
    assert.equal(isRetryable(new RaftError(code, "no"), true), false);
  }
  assert.equal(isRetryable(new TypeError("foreign"), true), false);
});

Deno.test("a code determines where to retry", () => {
  assert.equal(retryOf("not_leader"), "leader");
  assert.equal(retryOf("stopped"), "elsewhere");
  assert.equal(retryOf("busy"), "later");
  assert.equal(isRaftErrorCode("busy"), true);
  assert.equal(isRaftErrorCode("toString"), false);
});

Deno.test("from() returns a RaftError unchanged; the outcome of a foreign error is unknown", () => {
  const known = new RaftError("busy", "too much");
  assert.equal(RaftError.from(known, "unreachable"), known);
  const cause = new TypeError("fetch failed");
  const { code, outcome, message, cause: kept } = RaftError.from(cause);
  assert.deepEqual([code, outcome, message, kept], ["internal", "unknown", "fetch failed", cause]);
  assert.equal(RaftError.from("text", "unreachable", "rejected").message, "text");
});

Deno.test("withOutcome() changes the outcome alone", () => {
  const error = new RaftError("not_leader", "n1 does not lead", { hint: "Ask n2.", leader });
  const unknown = error.withOutcome("unknown");
  assert.deepEqual(unknown.toJSON(), { ...error.toJSON(), outcome: "unknown" });
  assert.equal(unknown.cause, error);
  assert.equal(error.withOutcome("rejected"), error);
  const failed = new StorageError("no space", { disk: "unchanged" }).withOutcome("unknown");
  assert.ok(failed instanceof StorageError);
  assert.deepEqual([failed.code, failed.disk, failed.outcome], ["storage", "unchanged", "unknown"]);
});

Deno.test("an error survives JSON whole", () => {
  const there = (error: RaftError): RaftError => RaftError.fromJSON(JSON.parse(JSON.stringify(error)));
  const error = there(new RaftError("not_leader", "n1 does not lead", { outcome: "unknown", hint: "Ask n2.", leader }));
  assert.deepEqual([error.code, error.message, error.outcome, error.hint, error.leader], [
    "not_leader",
    "n1 does not lead",
    "unknown",
    "Ask n2.",
    leader,
  ]);
  const failed = there(new StorageError("another process has it", { disk: "unchanged", code: "locked" }));
  assert.ok(failed instanceof StorageError);
  assert.deepEqual([failed.code, failed.disk, failed.outcome], ["locked", "unchanged", "rejected"]);
  assert.deepEqual(new RaftError("busy", "too much").toJSON(), {
    code: "busy",
    message: "too much",
    outcome: "rejected",
  });
});

Deno.test("an error of a newer peer is internal, and unknown unless it is clearly rejected", () => {
  const newer = { code: "melted", message: "too hot", outcome: "perhaps" as "unknown", disk: "in_doubt" as const };
  const error = RaftError.fromJSON(newer);
  assert.deepEqual([error.code, error.outcome, error.message], ["internal", "unknown", "too hot"]);
  assert.equal(error instanceof StorageError, false);
  assert.equal(RaftError.fromJSON({ ...newer, outcome: "rejected" }).outcome, "rejected");
});

Deno.test("a signal's own reason, a deadline and an abort are distinguished", () => {
  const closed = closedError("the client", "unknown");
  assert.deepEqual([closed.code, closed.message, closed.outcome], ["closed", "the client is closed", "unknown"]);
  assert.equal(abortedError(AbortSignal.abort(closed), "unknown"), closed);
  assert.equal(abortedError(AbortSignal.abort(closed)).outcome, "rejected");
  assert.equal(abortedError(AbortSignal.abort()).code, "aborted");
  assert.equal(abortedError(AbortSignal.abort(new DOMException("late", "TimeoutError"))).code, "timeout");
});
