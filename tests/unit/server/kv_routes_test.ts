import assert from "node:assert/strict";
import type { ReadResult } from "../../../lib/node/types.ts";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";
import { ForwardBudget } from "../../../hosting/forward_budget.ts";
import { RaftError } from "../../../lib/errors.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import { encodePut } from "../../../lib/kv/commands.ts";
import { Answers } from "../../../server/answers.ts";
import { createApp } from "../../../server/app.ts";
import { KeyValueCalls } from "../../../server/services/kv.ts";
import { Watchers } from "../../../server/watchers.ts";
import { eventually } from "../../support/server_processes.ts";
import type { Served } from "../../support/served_cluster.ts";
import { ServedCluster } from "../../support/served_cluster.ts";

function put({ app }: Served, key: string, value: string, headers: Record<string, string> = {}) {
  return app.request(`/kv/${key}`, { method: "PUT", body: value, headers });
}

/** Reads events of a watch until one of them has the given version, and returns their versions. */
async function versionsUntil(response: Response, last: number): Promise<number[]> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes(`id: ${last}\n`)) text += (await reader.read()).value ?? assert.fail("the watch ended");
  await reader.cancel();
  return [...text.matchAll(/^id: (\d+)$/gm)].map(([, version]) => Number(version));
}

Deno.test("watch: Last-Event-ID continues after that event, and comes before `from`", async () => {
  await using cluster = await ServedCluster.start(1);
  const served = await cluster.leader();
  const versions: number[] = [];
  for (const value of ["1", "2", "3", "4"]) versions.push((await (await put(served, "a", value)).json()).version);
  const [first, second, third, fourth] = versions as [number, number, number, number];
  const watch = (query: string, last: string) =>
    served.app.request(`/kv?watch${query}`, { headers: { "last-event-id": last } });
  assert.deepEqual(await versionsUntil(await watch("", String(second)), fourth), [third, fourth]);
  assert.deepEqual(await versionsUntil(await watch(`&from=${first}`, String(second)), fourth), [third, fourth]);
  assert.deepEqual(await versionsUntil(await watch(`&from=${third}`, "not a number"), fourth), [third, fourth]);
});

Deno.test("list: `after` with `keys` lists the keys after it, page by page, without values", async () => {
  await using cluster = await ServedCluster.start(1);
  const served = await cluster.leader();
  for (const key of ["a", "b", "c", "d", "e"]) await put(served, key, `value of ${key}`);
  const seen: string[] = [];
  for (let more = true, after = ""; more;) {
    assert.ok(seen.length < 6, `a key is repeated: ${seen}`);
    const page = await (await served.app.request(`/kv?keys&limit=2${after}`)).json();
    for (const entry of page.entries) {
      assert.deepEqual(Object.keys(entry), ["key", "version"]);
      seen.push(entry.key);
    }
    more = page.more;
    after = `&after=${seen.at(-1)}`;
  }
  assert.deepEqual(seen, ["a", "b", "c", "d", "e"]);
  // Parameters that begin alike are not mixed up.
  const { entries } = await (await served.app.request("/kv?keys&after=c&prefix=")).json();
  assert.deepEqual(entries.map(({ key }: { key: string }) => key), ["d", "e"]);
});

Deno.test("list: up to 1000 keys by default, and up to 10,000 on request", async () => {
  const store = new KeyValue();
  for (let index = 1; index <= 1001; index++) {
    const key = new TextEncoder().encode(String(10_000 + index));
    store.apply({ index, term: 1, data: encodePut(key, new Uint8Array(0)) });
  }
  const app = appOver(store, []);
  const list = async (query: string) => await (await app.request(`/kv?consistency=stale&${query}`)).json();
  const page = await list("keys");
  assert.deepEqual([page.entries.length, page.more], [1000, true]);
  assert.equal((await list("keys&limit=10000")).entries.length, 1001);
});

interface Asked {
  readonly where: "here" | "there";
  readonly consistency: string | undefined;
}

/** An app whose node follows a leader elsewhere, and notes with which consistency each of them is asked. */
function appOver(store: KeyValue, asked: Asked[], leads = false, failure: RaftError | null = null) {
  const status = new BootstrappingNode({ nodeId: "n1", incarnation: "i", clusterId: "c" }).status();
  const read = (where: Asked["where"]) => (query: Uint8Array, options: { readonly consistency?: string } = {}) => {
    asked.push({ where, consistency: options.consistency });
    if (failure !== null) return Promise.reject(failure);
    return Promise.resolve<ReadResult>({ result: store.query(query), appliedIndex: store.version });
  };
  const none = () => Promise.reject(new RaftError("unsupported", "nothing is called"));
  const here = leads ? { role: "leader" as const, leader: { id: "n1", address: "http://h:1" } } : {};
  const node = Object.assign(new BootstrappingNode({ nodeId: "n1", incarnation: "i", clusterId: "c" }), {
    status: () => ({ ...status, leader: { id: "n2", address: "http://h:2" }, ...here }),
    read: read("here"),
  });
  const there = read("there");
  const client = {
    propose: none,
    status: none,
    read: (_endpoint: string, query: Uint8Array, options = {}) => there(query, options),
  };
  return createApp({ node, store, client, requestTimeoutMs: 200 });
}

Deno.test("the consistency of a read is that of the request: here, forwarded, and of a list", async () => {
  for (const path of ["/kv/a", "/kv"]) {
    const asked: Asked[] = [];
    const follower = appOver(new KeyValue(), asked);
    const leader = appOver(new KeyValue(), asked, true);
    for (const consistency of ["lease", "linearizable", "stale"]) {
      await follower.request(`${path}?consistency=${consistency}`);
      await leader.request(`${path}?consistency=${consistency}`);
    }
    await follower.request(path);
    assert.deepEqual(asked.map(({ where, consistency }) => `${consistency} ${where}`), [
      "lease there",
      "lease here",
      "linearizable there",
      "linearizable here",
      "stale here",
      "stale here",
      "linearizable there",
    ], path);
  }
});

Deno.test("a forwarded read that fails has no effect, whatever became of the call", async () => {
  const asked: Asked[] = [];
  const lost = new RaftError("unreachable", "the connection broke", { outcome: "unknown" });
  const app = appOver(new KeyValue(), asked, false, lost);
  const problem = await (await app.request("/kv/a")).json();
  assert.deepEqual([problem.status, problem.outcome], [503, "rejected"]);
  assert.ok(asked.length > 1, "it is tried again until the deadline");
});

Deno.test("get: the revision is the store's, and a 304 has the ETag; weak tags and lists of tags match", async () => {
  await using cluster = await ServedCluster.start(1);
  const served = await cluster.leader();
  const { version } = await (await put(served, "a", "1")).json();
  const other = await (await put(served, "b", "1")).json();
  const got = await served.app.request("/kv/a");
  assert.deepEqual([got.headers.get("raft-revision"), got.headers.get("etag")], [
    String(other.version),
    `"${version}"`,
  ]);
  for (const tag of [`"${version}"`, `W/"${version}"`, `"1", W/"${version}"`, "*"]) {
    const unchanged = await served.app.request("/kv/a", { headers: { "if-none-match": tag } });
    assert.deepEqual([unchanged.status, unchanged.headers.get("etag")], [304, `"${version}"`], tag);
  }
  const changed = await served.app.request("/kv/a", { headers: { "if-none-match": `"${version}0"` } });
  assert.equal(changed.status, 200);
});

Deno.test("a conflict tells the ETag of the key, and none if there is no such key", async () => {
  await using cluster = await ServedCluster.start(1);
  const served = await cluster.leader();
  const { version } = await (await put(served, "a", "1")).json();
  const conflict = await put(served, "a", "2", { "if-match": `"${version + 1}"` });
  assert.deepEqual([conflict.status, conflict.headers.get("etag")], [412, `"${version}"`]);
  const absent = await put(served, "none", "2", { "if-match": `"${version}"` });
  assert.deepEqual([absent.status, absent.headers.get("etag")], [412, null]);
});

/** The timers of a watch that is followed. */
function intervals(): { readonly running: Set<unknown>; restore(): void } {
  const { setInterval: set, clearInterval: clear } = globalThis;
  const running = new Set<unknown>();
  globalThis.setInterval = ((...args: Parameters<typeof setInterval>) => {
    const timer = set(...args);
    running.add(timer);
    return timer;
  }) as typeof setInterval;
  globalThis.clearInterval = (timer) => {
    running.delete(timer);
    clear(timer);
  };
  return {
    running,
    restore() {
      Object.assign(globalThis, { setInterval: set, clearInterval: clear });
    },
  };
}

Deno.test("one timer follows the leader for all watches of a node, and ends with the last of them", async () => {
  const timers = intervals();
  try {
    const store = new KeyValue();
    const status = new BootstrappingNode({ nodeId: "n1", incarnation: "i", clusterId: "c" }).status();
    let looks = 0;
    let leader: { id: string; address: string } | null = { id: "n2", address: "http://h:2" };
    const node = Object.assign(new BootstrappingNode({ nodeId: "n1", incarnation: "i", clusterId: "c" }), {
      status: () => {
        looks++;
        return { ...status, leader };
      },
    });
    const none = () => Promise.reject(new RaftError("unsupported", "nothing is called"));
    const calls = new KeyValueCalls({
      node,
      store,
      client: { propose: none, read: none, status: none },
      timeoutMs: 50,
      watchers: new Watchers(),
      answers: new Answers(),
      forwards: new ForwardBudget(),
    });
    const watch = () => calls.watch(new Uint8Array(0), 1);
    const change = () =>
      store.apply({ index: store.version + 1, term: 1, data: encodePut(Uint8Array.of(1), Uint8Array.of(1)) });
    const [one, two] = [watch(), watch()];
    const first = [one.next(), two.next()];
    change();
    await Promise.all(first);
    assert.equal(timers.running.size, 1);
    await one.return?.();
    assert.equal(timers.running.size, 1);
    await two.return?.();
    assert.equal(timers.running.size, 0);
    // The next watch is followed again, as long as there is a leader, and not longer.
    const three = watch();
    await three.next();
    const waiting = three.next();
    const outcome = waiting.then(() => "a change", (error) => error.code);
    const before = looks;
    let ended = false;
    outcome.finally(() => ended = true);
    await eventually("the leader was looked at for twice the timeout", () => ended || looks > before + 10);
    change();
    assert.equal(await outcome, "a change");
    leader = null;
    await assert.rejects(three.next(), { code: "no_leader" });
    assert.equal(timers.running.size, 0);
  } finally {
    timers.restore();
  }
});
