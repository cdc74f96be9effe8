import assert from "node:assert/strict";
import { RaftError } from "../../../lib/errors.ts";
import { KeyValueClient, type WatchSource } from "../../../lib/kv/client.ts";
import { encodePut } from "../../../lib/kv/commands.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import { VirtualHost } from "../../support/virtual_host.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function put(state: KeyValue, index: number, key: string): void {
  state.apply({ index, term: 1, data: encodePut(bytes(key), bytes("v")) });
}

function clientOf(state: KeyValue, watchSource: WatchSource): KeyValueClient {
  return new KeyValueClient({
    propose: () => assert.fail("a watch proposes nothing"),
    read: (query) => Promise.resolve({ result: state.query(query), appliedIndex: state.version }),
  }, { watchSource });
}

Deno.test("a watch that breaks is resumed after the last change, without gaps or repetitions", async () => {
  const state = new KeyValue();
  for (const index of [1, 2, 3, 4]) put(state, index, `k${index}`);
  const from: number[] = [];
  const source: WatchSource = {
    async *watch(prefix, fromRevision, options) {
      from.push(fromRevision);
      // Each connection brings one change.
      for await (const change of state.watch(prefix, fromRevision, options)) {
        yield change;
        throw new RaftError("unreachable", "the connection broke", { outcome: "unknown" });
      }
    },
  };
  const seen: number[] = [];
  for await (const { version } of clientOf(state, source).watch({ prefix: "k", fromRevision: 2 })) {
    if (seen.push(version) === 3) break;
  }
  assert.deepEqual([seen, from], [[2, 3, 4], [2, 3, 4]]);
});

Deno.test("a watch without a revision begins now, and ends with its signal", async () => {
  const state = new KeyValue();
  put(state, 1, "old");
  const controller = new AbortController();
  const changes = clientOf(state, state).watch({ signal: controller.signal });
  const first = changes.next();
  await new Promise((resolve) => setTimeout(resolve, 5));
  put(state, 2, "new");
  assert.equal((await first).value?.version, 2);
  const next = changes.next();
  controller.abort();
  await assert.rejects(next, { code: "aborted" });
});

Deno.test("a watch ends with an error that no other node would avoid, and when it can't be resumed in time", async () => {
  const failing = (code: "compacted" | "unreachable"): WatchSource => ({
    watch: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new RaftError(code, "no")) }) }),
  });
  const state = new KeyValue();
  const compacted = clientOf(state, failing("compacted")).watch({ fromRevision: 1 });
  await assert.rejects(compacted.next(), { code: "compacted" });
  const late = clientOf(state, failing("unreachable")).watch({ fromRevision: 1, timeoutMs: 20 });
  await assert.rejects(late.next(), { code: "unreachable", outcome: "rejected" });
});

Deno.test("a watch that can't be resumed reports why, not that the last server did not answer", async () => {
  let attempts = 0;
  const source: WatchSource = {
    // deno-lint-ignore require-yield -- it fails at once
    async *watch() {
      await Promise.resolve();
      throw new RaftError(attempts++ === 0 ? "no_leader" : "unreachable", "no");
    },
  };
  const changes = clientOf(new KeyValue(), source).watch({ fromRevision: 1, timeoutMs: 100 });
  await assert.rejects(changes.next(), { code: "no_leader" });
  assert.ok(attempts > 1);
});

Deno.test("a watch yields no change twice, even if a server begins before the revision that was asked for", async () => {
  const state = new KeyValue();
  for (const index of [1, 2, 3]) put(state, index, `k${index}`);
  const source: WatchSource = {
    async *watch(prefix, fromRevision, options) {
      for await (const change of state.watch(prefix, Math.max(1, fromRevision - 2), options)) {
        yield change;
        if (change.version === fromRevision) throw new RaftError("unreachable", "the connection broke");
      }
    },
  };
  const seen: number[] = [];
  for await (const { version } of clientOf(state, source).watch({ prefix: "k", fromRevision: 1 })) {
    if (seen.push(version) === 3) break;
  }
  assert.deepEqual(seen, [1, 2, 3]);
});

Deno.test("a watch that breaks after each change lasts: its time begins anew, and its pauses stay short", async () => {
  const host = new VirtualHost();
  const state = new KeyValue();
  for (let index = 1; index <= 60; index++) put(state, index, `k${index}`);
  const pauses: number[] = [];
  let brokeMs = 0;
  const source: WatchSource = {
    async *watch(prefix, fromRevision, options) {
      if (brokeMs > 0) pauses.push(host.clock.monotonicMs() - brokeMs);
      for await (const change of state.watch(prefix, fromRevision, options)) {
        yield change;
        brokeMs = host.clock.monotonicMs() + 1;
        throw new RaftError("unreachable", "the connection broke");
      }
    },
  };
  const client = new KeyValueClient({
    propose: () => assert.fail("a watch proposes nothing"),
    read: () => assert.fail("a watch from a revision reads nothing"),
  }, { watchSource: source, host });
  const seen: number[] = [];
  await host.run((async () => {
    for await (const { version } of client.watch({ fromRevision: 1, timeoutMs: 500 })) {
      if (seen.push(version) === 60) break;
    }
  })());
  assert.ok(Math.max(...pauses) <= 60, `a pause of ${Math.max(...pauses)} ms`);
});
