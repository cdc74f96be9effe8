import assert from "node:assert/strict";
import { Answers } from "../../../server/answers.ts";
import { ServedCluster } from "../../support/served_cluster.ts";

const KIB = 1024;

const request = new Request("http://h/");

function answer(bytes: number): Response {
  return new Response(new Uint8Array(bytes), { headers: { "content-length": String(bytes), "etag": "e" } });
}

Deno.test("answers: counted until they are read; over the limit reads are refused, effects are not", async () => {
  const answers = new Answers({ maxAnswerBytes: 100 * KIB });
  const first = answers.bounded(request, answer(60 * KIB), true);
  assert.deepEqual([first.headers.get("content-length"), first.headers.get("etag")], [String(60 * KIB), "e"]);
  assert.throws(() => answers.bounded(request, answer(60 * KIB), true), { code: "busy", outcome: "rejected" });
  const small = answer(16 * KIB);
  assert.equal(answers.bounded(request, small, true), small);
  const effect = answers.bounded(request, answer(60 * KIB), false);
  assert.deepEqual(answers.counts, { bytes: 120 * KIB, refused: 1, slow: 0 });
  assert.equal((await first.bytes()).length, 60 * KIB);
  await effect.body!.cancel();
  assert.equal(answers.counts.bytes, 0);
  // One larger than the limit passes alone.
  assert.equal((await answers.bounded(request, answer(200 * KIB), true).bytes()).length, 200 * KIB);
});

Deno.test("answers: a read is refused by what it found, before an answer is made of it", async () => {
  const answers = new Answers({ maxAnswerBytes: 100 * KIB });
  answers.admit(60 * KIB);
  assert.throws(() => answers.admit(60 * KIB), { code: "busy", outcome: "rejected" });
  answers.admit(16 * KIB);
  // In the next turn the first one counts as an answer, if it became one.
  await new Promise((resolve) => setTimeout(resolve, 5));
  const sent = answers.bounded(request, answer(50 * KIB), true);
  assert.throws(() => answers.admit(60 * KIB), { code: "busy" });
  await sent.bytes();
  answers.admit(60 * KIB);
  assert.equal(answers.counts.refused, 2);
});

Deno.test("answers: a list is refused before it is read, once there may be no room for it", async () => {
  const answers = new Answers({ maxAnswerBytes: 4096 * KIB });
  const sent = [answers.bounded(request, answer(3000 * KIB), true), answers.bounded(request, answer(500 * KIB), true)];
  assert.throws(() => answers.admitList(), { code: "busy", outcome: "rejected" });
  answers.admit(100 * KIB);
  for (const each of sent) await each.bytes();
  answers.admitList();
});

Deno.test("answers: a client that reads nothing is cut off, one that reads slowly is not", async () => {
  const answers = new Answers({ maxAnswerBytes: 100 * KIB, answerStallTimeoutMs: 100 });
  const stalled = answers.bounded(request, answer(80 * KIB), true).body!.getReader();
  await stalled.read();
  const slow = answers.bounded(request, answer(20 * KIB + 80 * KIB), false).body!.getReader();
  let bytes = 0;
  for (let next = await slow.read(); !next.done; next = await slow.read()) {
    bytes += next.value.length;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  assert.equal(bytes, 100 * KIB);
  await assert.rejects(stalled.read(), { code: "busy" });
  assert.deepEqual(answers.counts, { bytes: 0, refused: 0, slow: 1 });
});

Deno.test("answers: a list over the limit is a problem response, and the next one is served", async () => {
  const answers = new Answers({ maxAnswerBytes: 350 * KIB });
  await using cluster = await ServedCluster.start(1, { answers, origins: ["https://page.example"] });
  const { app } = await cluster.leader();
  for (const key of ["a", "b"]) await app.request(`/kv/${key}`, { method: "PUT", body: "x".repeat(100 * KIB) });
  const headers = { origin: "https://page.example" };
  const unread = await app.request("/kv", { headers });
  const refused = await app.request("/kv", { headers });
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.equal(refused.headers.get("access-control-allow-origin"), "https://page.example");
  assert.equal((await refused.json()).code, "busy");
  assert.equal((await app.request("/kv/a", { headers })).status, 200);
  assert.equal((await unread.json()).entries.length, 2);
  assert.equal((await (await app.request("/kv", { headers })).json()).entries.length, 2);
});
