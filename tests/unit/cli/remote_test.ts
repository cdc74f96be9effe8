import assert from "node:assert/strict";
import { RaftError } from "../../../lib/errors.ts";
import { ConnectRemote } from "../../../server/cli/connect_remote.ts";
import { readStatus } from "../../../server/cli/read_status.ts";
import { problem, problemResponse } from "../../../server/problem.ts";
import { createConnectClientTransport } from "../../../transport/connect/client_transport.ts";
import { statusOf } from "./support.ts";

const OPTIONS = { signal: new AbortController().signal, timeoutMs: 3000 };

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof RaftError, String(error));
    return error.code;
  }
  return "none";
}

/** Rejects like fetch when the connection is refused. */
function refused(): Promise<never> {
  return Promise.reject(
    new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code: "ECONNREFUSED" }) }),
  );
}

/** Never answers; ends with its signal. */
function hangs(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
}

Deno.test("a status is read whether the node runs (200) or stopped (503)", async () => {
  for (const status of [200, 503]) {
    const document = statusOf("n1", { reason: "why" });
    const fetch = () => Promise.resolve(new Response(JSON.stringify(document), { status }));
    assert.deepEqual(await readStatus("http://h:1", OPTIONS, fetch), JSON.parse(JSON.stringify(document)));
  }
});

Deno.test("another program that answers there is `unsupported`", async () => {
  const answers = [
    new Response("<html>", { status: 200 }),
    new Response("{}", { status: 200 }),
    new Response("[]", { status: 200 }),
    new Response("null", { status: 503 }),
    new Response(JSON.stringify({ ...statusOf("n1"), members: [null] }), { status: 200 }),
    new Response(JSON.stringify({ ...statusOf("n1"), leader: 7 }), { status: 200 }),
    new Response(JSON.stringify({ ...statusOf("n1"), refused: 7 }), { status: 200 }),
    new Response(JSON.stringify({ ...statusOf("n1"), links: [{}] }), { status: 200 }),
    new Response(JSON.stringify({ ...statusOf("n1"), reason: [] }), { status: 200 }),
    new Response(JSON.stringify(statusOf("n1")), { status: 404 }),
  ];
  for (const answer of answers) {
    assert.equal(await codeOf(readStatus("http://h:1", OPTIONS, () => Promise.resolve(answer))), "unsupported");
  }
});

Deno.test("a server that is starting is not taken for another program", async () => {
  const content = problem("not_ready", "the server is starting");
  const answer = () => Promise.resolve(problemResponse(content));
  await assert.rejects(readStatus("http://h:1", OPTIONS, answer), {
    code: "not_ready",
    message: "the server is starting",
  });
});

Deno.test("no server there, and a server that hangs", async () => {
  assert.equal(await codeOf(readStatus("http://h:1", OPTIONS, refused)), "unreachable");
  const short = { ...OPTIONS, timeoutMs: 20 };
  assert.equal(await codeOf(readStatus("http://h:1", short, (_, { signal }) => hangs(signal))), "timeout");
  const interrupted = { ...OPTIONS, signal: AbortSignal.abort() };
  assert.equal(
    await codeOf(readStatus("http://h:1", interrupted, (_, { signal }) => {
      signal?.throwIfAborted();
      return refused();
    })),
    "aborted",
  );
});

Deno.test("keys, values and members: an unreachable cluster is reported at once", async () => {
  const endpoints = ["http://127.0.0.1:1", "http://127.0.0.1:2"];
  const remote = new ConnectRemote({
    endpoints,
    client: createConnectClientTransport({ fetch: refused }),
    fetch: refused,
  });
  const began = performance.now();
  assert.equal(await codeOf(remote.keys(OPTIONS)), "unreachable");
  assert.equal(await codeOf(remote.admin(OPTIONS)), "unreachable");
  assert.ok(performance.now() - began < 2000);
  await remote.close();
});
