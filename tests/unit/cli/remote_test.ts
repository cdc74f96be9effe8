import assert from "node:assert/strict";
import { RaftError } from "../../../lib/errors.ts";
import { answering } from "../../../server/cli/answering.ts";
import { ConnectRemote } from "../../../server/cli/connect_remote.ts";
import { readStatus } from "../../../server/cli/read_status.ts";
import type { StatusDocument } from "../../../server/status.ts";
import { connectClientTransport } from "../../../transport/connect/client_transport.ts";
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

/** Connection refused, as fetch tells it. */
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

Deno.test("something else that answers there is `unsupported`", async () => {
  const answers = [
    new Response("<html>", { status: 200 }),
    new Response("{}", { status: 200 }),
    new Response("[]", { status: 200 }),
    new Response("null", { status: 503 }),
    new Response(JSON.stringify({ ...statusOf("n1"), members: [null] }), { status: 200 }),
    new Response(JSON.stringify({ ...statusOf("n1"), leader: 7 }), { status: 200 }),
    new Response(JSON.stringify(statusOf("n1")), { status: 404 }),
  ];
  for (const answer of answers) {
    assert.equal(await codeOf(readStatus("http://h:1", OPTIONS, () => Promise.resolve(answer))), "unsupported");
  }
});

Deno.test("nobody there, and somebody who hangs", async () => {
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

function ask(answers: Record<string, StatusDocument | "refused" | "hangs">) {
  return (endpoint: string, { signal }: { signal: AbortSignal }): Promise<StatusDocument> => {
    const answer = answers[endpoint];
    if (answer === "hangs") return hangs(signal);
    if (answer === undefined || answer === "refused") {
      return Promise.reject(new RaftError("unreachable", `no server answers at ${endpoint}`));
    }
    return Promise.resolve(answer);
  };
}

Deno.test("servers that answer: the leader first, and no waiting for one that hangs", async () => {
  const began = performance.now();
  const found = await answering(["a", "b", "c"], OPTIONS, ask({ a: "hangs", b: statusOf("n1"), c: statusOf("n2") }));
  assert.equal(found[0], "c");
  assert.ok(performance.now() - began < 1500);
});

Deno.test("servers that answer: who knows a leader comes before who doesn't, and a stopped node is last", async () => {
  const answers = {
    a: statusOf("n1", { lifecycle: "stopped" }),
    b: statusOf("n1", { leader: null }),
    c: statusOf("n3"),
    d: "refused" as const,
  };
  assert.deepEqual(await answering(["a", "b", "c", "d"], OPTIONS, ask(answers)), ["c", "b", "a"]);
});

Deno.test("no server answers", async () => {
  assert.equal(await codeOf(answering(["http://a:1", "http://b:2"], OPTIONS, ask({}))), "unreachable");
});

Deno.test("keys, values and members: nobody there is told at once", async () => {
  const endpoints = ["http://127.0.0.1:1", "http://127.0.0.1:2"];
  const remote = new ConnectRemote({ endpoints, client: connectClientTransport({ fetch: refused }), fetch: refused });
  const key = new Uint8Array([1]);
  const began = performance.now();
  assert.equal(await codeOf(remote.put(key, key, undefined, OPTIONS)), "unreachable");
  assert.equal(await codeOf(remote.get(key, { ...OPTIONS, consistency: "linearizable" })), "unreachable");
  assert.equal(await codeOf(remote.listMembers(OPTIONS)), "unreachable");
  assert.equal(await codeOf(remote.removeMember("n1", OPTIONS)), "unreachable");
  assert.ok(performance.now() - began < 2000);
  await remote.close();
});
