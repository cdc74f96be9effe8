import assert from "node:assert/strict";
import { RaftError } from "../../../../lib/errors.ts";
import { refusal } from "../../../../transport/connect/fetch_handler.ts";
import { fetchStream, fetchUnary, type RelayFetch } from "../../../../transport/wire/connect_call.ts";

const answering = (response: () => Response): RelayFetch => () => Promise.resolve(response());
const json = (status: number, body: unknown) => () =>
  new Response(typeof body === "string" ? body : JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json" },
  });
const unary = (response: () => Response) =>
  fetchUnary("http://n1", "a.B/C", new Uint8Array([1]), { fetch: answering(response) });

const encoder = new TextEncoder();

function frame(flags: number, message: Uint8Array | string): Uint8Array {
  const bytes = typeof message === "string" ? encoder.encode(message) : message;
  const framed = new Uint8Array(5 + bytes.length);
  framed[0] = flags;
  new DataView(framed.buffer).setUint32(1, bytes.length);
  framed.set(bytes, 5);
  return framed;
}

/** The messages of a stream that comes in these pieces. */
async function streamed(pieces: readonly Uint8Array[], fails?: Error): Promise<number[][]> {
  const body = () =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of pieces) controller.enqueue(piece);
        if (fails === undefined) controller.close();
        else controller.error(fails);
      },
    });
  const fetch = answering(() => new Response(body(), { headers: { "content-type": "application/connect+proto" } }));
  const messages: number[][] = [];
  for await (const message of fetchStream("http://n1", "a.B/C", new Uint8Array([1]), { fetch })) {
    messages.push([...message]);
  }
  return messages;
}

Deno.test("a unary call, as Connect wants it", async () => {
  const asked: [string, RequestInit][] = [];
  const fetch: RelayFetch = (url, init) => {
    asked.push([url, init]);
    return Promise.resolve(new Response(new Uint8Array([7]), { headers: { "content-type": "application/proto" } }));
  };
  assert.deepEqual([...await fetchUnary("http://n1", "a.B/C", new Uint8Array([1]), { fetch })], [7]);
  const [url, { method, headers, body }] = asked[0]!;
  assert.equal(url, "http://n1/a.B/C");
  assert.equal(method, "POST");
  assert.deepEqual(headers, { "content-type": "application/proto", "connect-protocol-version": "1" });
  assert.deepEqual(body, new Uint8Array([1]));
});

Deno.test("an error comes whole: code, outcome, hint and leader", async () => {
  const told = new RaftError("not_leader", "n1 does not lead", {
    outcome: "unknown",
    hint: "ask n2",
    leader: { id: "n2", address: "http://n2" },
  });
  const error = await unary(() => refusal(400, told)).catch((one) => one);
  assert.ok(error instanceof RaftError);
  const { code, message, outcome, hint, leader } = error;
  assert.deepEqual({ code, message, outcome, hint, leader }, {
    code: "not_leader",
    message: "n1 does not lead",
    outcome: "unknown",
    hint: "ask n2",
    leader: { id: "n2", address: "http://n2" },
  });
});

Deno.test("an answer that is none of a service says what it can", async () => {
  const forbidden = { code: "forbidden_origin", detail: "Pages of this origin may not call." };
  await assert.rejects(unary(json(403, forbidden)), {
    code: "refused",
    message: forbidden.detail,
    outcome: "rejected",
  });
  await assert.rejects(unary(json(404, "<html>")), { code: "unsupported", outcome: "rejected" });
  await assert.rejects(unary(json(503, {})), { code: "unreachable", outcome: "unknown" });
  await assert.rejects(unary(json(500, { code: "internal", message: "no" })), { code: "internal", message: "no" });
  await assert.rejects(unary(json(500, { details: [{ type: "raft.v1.RaftErrorDetail", value: "%" }] })), {
    code: "internal",
    outcome: "unknown",
  });
  // Success, but of what?
  await assert.rejects(unary(json(200, {})), { code: "internal", outcome: "unknown" });
});

Deno.test("a connection that fails, and a caller who gives up", async () => {
  const fetch: RelayFetch = () => Promise.reject(new TypeError("Failed to fetch"));
  const request = new Uint8Array();
  await assert.rejects(fetchUnary("http://n1", "a.B/C", request, { fetch }), {
    code: "unreachable",
    outcome: "unknown",
    hint: /--allow-origin/,
  });
  const aborted = AbortSignal.abort();
  await assert.rejects(fetchUnary("http://n1", "a.B/C", request, { fetch, signal: aborted }), {
    code: "aborted",
    outcome: "rejected",
  });
  const enough = new AbortController();
  const hanging: RelayFetch = (_, { signal }) =>
    new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  const call = fetchUnary("http://n1", "a.B/C", request, { fetch: hanging, signal: enough.signal });
  enough.abort();
  await assert.rejects(call, { code: "aborted", outcome: "unknown" });
  // A reason that is an error of ours says why, but not what became of the request.
  const closing = new AbortController();
  const cut = fetchUnary("http://n1", "a.B/C", request, { fetch: hanging, signal: closing.signal });
  closing.abort(new RaftError("closed", "the page was left", { hint: "come back" }));
  await assert.rejects(cut, { code: "closed", message: "the page was left", hint: "come back", outcome: "unknown" });
});

Deno.test("the messages of a stream, however it is cut", async () => {
  const end = frame(2, "{}");
  const whole = [frame(0, new Uint8Array([1, 2, 3])), frame(0, new Uint8Array()), frame(0, new Uint8Array([4])), end];
  const all = new Uint8Array(whole.flatMap((piece) => [...piece]));
  const expected = [[1, 2, 3], [], [4]];
  assert.deepEqual(await streamed(whole), expected);
  assert.deepEqual(await streamed([all]), expected);
  assert.deepEqual(await streamed([...all].map((byte) => new Uint8Array([byte]))), expected);
  for (let cut = 1; cut < all.length; cut++) {
    assert.deepEqual(await streamed([all.subarray(0, cut), all.subarray(cut)]), expected, `cut at ${cut}`);
  }
});

Deno.test("a stream that ends with an error, out of order, or is none", async () => {
  const { error } = { error: { code: "unavailable", message: "stopping" } };
  await assert.rejects(streamed([frame(2, JSON.stringify({ error }))]), { code: "unreachable", message: "stopping" });
  await assert.rejects(streamed([frame(0, "x")]), { code: "unreachable" });
  await assert.rejects(streamed([frame(0, "x")], new TypeError("network error")), { code: "unreachable" });
  await assert.rejects(streamed([frame(1, "x")]), { code: "unsupported" });
  const huge = frame(0, "");
  new DataView(huge.buffer).setUint32(1, 0xffffffff);
  await assert.rejects(streamed([huge]), { code: "too_large" });
  const fetch = answering(json(403, { detail: "no" }));
  await assert.rejects(fetchStream("http://n1", "a.B/C", new Uint8Array(), { fetch }).next(), { code: "refused" });
});
