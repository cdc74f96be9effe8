import assert from "node:assert/strict";
import { RaftError } from "../../../../lib/errors.ts";
import { refusal } from "../../../../transport/connect/fetch_handler.ts";
import { askToJoin, type RelayFetch } from "../../../../transport/relay/mod.ts";

const call = { servers: ["http://n1"], id: "t1", address: "tab:t1" };
const notLeader = () => Promise.resolve(refusal(400, new RaftError("not_leader", "n1 does not lead")));
const refused = () => Promise.resolve(refusal(400, new RaftError("refused", "t1 is not empty")));
const broken = () => Promise.reject(new TypeError("Failed to fetch"));
/** Answers in this order, and then not at all. */
function answering(...answers: readonly (() => Promise<Response>)[]): RelayFetch {
  let asked = 0;
  return (_, { signal }) =>
    answers[asked++]?.() ??
      new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
}

Deno.test("join: what an earlier request became stays unknown, whatever a later one is told", async () => {
  await assert.rejects(askToJoin({ ...call, fetch: answering(refused) }), { code: "refused", outcome: "rejected" });
  await assert.rejects(askToJoin({ ...call, fetch: answering(broken, refused) }), {
    code: "refused",
    outcome: "unknown",
  });
  const empty = () => Promise.resolve(new Response(null, { headers: { "content-type": "application/proto" } }));
  await assert.rejects(askToJoin({ ...call, fetch: answering(empty) }), { code: "internal", outcome: "unknown" });
  const stop = new AbortController();
  const fetch = answering(broken, () => (stop.abort(), notLeader()));
  await assert.rejects(askToJoin({ ...call, fetch, signal: stop.signal }), { code: "not_leader", outcome: "unknown" });
});

Deno.test("join: a signal that fires under way tells why it did not work until then", async () => {
  const error = { code: "not_leader", message: "n1 does not lead", outcome: "unknown" };
  await assert.rejects(
    askToJoin({ ...call, fetch: answering(notLeader), signal: AbortSignal.timeout(500) }),
    error,
  );
  await assert.rejects(askToJoin({ ...call, fetch: answering(), signal: AbortSignal.timeout(50) }), {
    code: "timeout",
    outcome: "unknown",
  });
  await assert.rejects(askToJoin({ ...call, signal: AbortSignal.abort() }), { code: "aborted", outcome: "rejected" });
});
