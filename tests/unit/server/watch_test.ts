/**
 * Watches over HTTP: as server-sent events, and as streams of the key-value service.
 */

import assert from "node:assert/strict";
import { Answers } from "../../../server/answers.ts";
import { fromBinary } from "@bufbuild/protobuf";
import { ForwardBudget } from "../../../hosting/forward_budget.ts";
import { KeyValueCalls } from "../../../server/services/kv.ts";
import { keyValueService } from "../../../server/services/kv_service.ts";
import { Watchers } from "../../../server/watchers.ts";
import { connectFetchHandler, createRaftRoutes } from "../../../transport/connect/mod.ts";
import { WatchResponseSchema } from "../../../transport/wire/gen/raft/v1/kv_pb.ts";
import { eventually } from "../../support/server_processes.ts";
import { type Served, ServedCluster } from "../../support/served_cluster.ts";

/** A node with watchers of its own. */
async function watched(watchers: Watchers): Promise<{ cluster: ServedCluster; served: Served }> {
  const cluster = await ServedCluster.start(1, { watchers });
  return { cluster, served: await cluster.leader() };
}

async function put({ app }: Served, key: string, value: string): Promise<number> {
  const response = await app.request(`/kv/${key}`, { method: "PUT", body: value });
  return (await response.json()).version;
}

Deno.test("a watcher over the limit is refused as busy, with a time to try again", async () => {
  const watchers = new Watchers({ maxWatchers: 1 });
  const { cluster, served } = await watched(watchers);
  await using _ = cluster;
  const first = await served.app.request("/kv?watch");
  const refused = await served.app.request("/kv?watch");
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  const { code, outcome } = await refused.json();
  assert.deepEqual([code, outcome], ["busy", "rejected"]);
  await first.body!.cancel();
  assert.equal(watchers.counts.watchers, 0);
  const later = await served.app.request("/kv?watch");
  assert.equal(later.status, 200);
  await later.body!.cancel();
});

Deno.test("no watcher stays behind: HEAD, a client that is gone before it reads, a watch that can't begin", async () => {
  const watchers = new Watchers();
  const { cluster, served } = await watched(watchers);
  await using _ = cluster;
  const version = await put(served, "a", "x");
  const head = await served.app.request(`/kv?watch&from=${version}`, { method: "HEAD" });
  assert.equal(head.headers.get("content-type"), "text/event-stream");
  assert.equal(watchers.counts.watchers, 0);

  const client = new AbortController();
  await served.app.request(`/kv?watch&from=${version}`, { signal: client.signal });
  assert.equal(watchers.counts.watchers, 1);
  client.abort();
  assert.equal(watchers.counts.watchers, 0);
  const unread = await served.app.request(`/kv?watch&from=${version}`);
  await unread.body!.cancel();
  assert.equal(watchers.counts.watchers, 0);
});

Deno.test("a client that stops reading between changes is told where to continue, and misses nothing", async () => {
  const watchers = new Watchers({ watchStallTimeoutMs: 40 });
  const { cluster, served } = await watched(watchers);
  await using _ = cluster;
  const version = await put(served, "a", "1");
  const response = await served.app.request(`/kv?watch&from=${version}`);
  const reader = response.body!.pipeThrough(new TextDecoderStream(), { preventCancel: true }).getReader();
  // The transform takes some chunks ahead; then nothing is read.
  for (let i = 2; i < 10; i++) await put(served, "a", String(i));
  await eventually("the watch is ended", () => watchers.counts.slow === 1);
  let text = "";
  for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
  const problem = JSON.parse(/event: problem\ndata: (.*)/.exec(text)?.[1] ?? "{}");
  assert.equal(problem.code, "busy");
  const seen = [...text.matchAll(/"value":"(\d)"/g)].map(([, value]) => Number(value));
  const from = Number(/continue from revision (\d+)/.exec(problem.hint)?.[1]);
  assert.equal(from, version + seen.length);

  const resumed = await served.app.request(`/kv?watch&from=${from}`);
  const rest = resumed.body!.pipeThrough(new TextDecoderStream()).getReader();
  let more = "";
  while (!more.includes('"value":"9"')) more += (await rest.read()).value ?? assert.fail("ended");
  await rest.cancel();
  seen.push(...[...more.matchAll(/"value":"(\d)"/g)].map(([, value]) => Number(value)));
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

for (const type of ["application/connect+proto", "application/connect+json", "application/grpc-web+proto"]) {
  Deno.test(`KeyValueService.Watch: ${type}`, async () => {
    const watchers = new Watchers({ maxWatchers: 1 });
    const { cluster, served } = await watched(watchers);
    await using _ = cluster;
    const { store, node, client } = served;
    const answers = new Answers();
    const forwards = new ForwardBudget();
    const calls = new KeyValueCalls({ node, store, client, timeoutMs: 1000, watchers, forwards, answers });
    const handler = connectFetchHandler(createRaftRoutes({ kv: keyValueService(calls) }));
    const message = new TextEncoder().encode(type.includes("json") ? '{"fromVersion":"1"}' : "\x10\x01");
    const body = new Uint8Array([0, 0, 0, 0, message.length, ...message]);
    const watch = () => {
      const url = "http://h/raft.v1.KeyValueService/Watch";
      return handler(new Request(url, { method: "POST", headers: { "content-type": type }, body }));
    };
    const value = "x".repeat(40_000);
    await put(served, "key", value);
    const frames = framesOf((await watch())!.body!);
    const changes = [(await frames.next()).value];
    await put(served, "other", "y");
    changes.push((await frames.next()).value);
    const refused = framesOf((await watch())!.body!);
    const { flags, data } = (await refused.next()).value!;
    assert.notEqual(flags, 0);
    assert.match(new TextDecoder().decode(data), /watchers/);
    await frames.return(undefined);
    await eventually("the watcher is gone", () => watchers.counts.watchers === 0);
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.deepEqual(
      changes.map((change) => {
        assert.equal(change?.flags, 0);
        if (type.includes("json")) {
          const [{ key, value }] = JSON.parse(text(change!.data)).changes;
          return [atob(key), atob(value)];
        }
        const [first] = fromBinary(WatchResponseSchema, change!.data).changes;
        return [text(first!.key), text(first!.value)];
      }),
      [["key", value], ["other", "y"]],
    );
  });
}

/** Yields the messages of a stream with their flags. */
async function* framesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<{ flags: number; data: Uint8Array }> {
  let seen = new Uint8Array(0);
  for await (const chunk of body) {
    seen = new Uint8Array([...seen, ...chunk]);
    while (seen.length >= 5) {
      const end = 5 + new DataView(seen.buffer).getUint32(1);
      if (seen.length < end) break;
      yield { flags: seen[0]!, data: seen.slice(5, end) };
      seen = seen.slice(end);
    }
  }
}
