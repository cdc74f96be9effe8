import assert from "node:assert/strict";
import { encodePut } from "../../../lib/kv/commands.ts";
import type { RaftError } from "../../../lib/errors.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import type { KeyValueChange } from "../../../lib/kv/watch.ts";
import { type Watcher, Watchers, type WatchLimits } from "../../../server/watchers.ts";

const utf8 = new TextEncoder();

/** A stream to a client that reads nothing, and remembers why it was cut off. */
class StalledStream {
  looks = 0;
  stalls = false;
  readonly errors: RaftError[] = [];

  get error(): RaftError | null {
    return this.errors[0] ?? null;
  }

  look(): number {
    return this.stalls ? ++this.looks : 0;
  }

  cut(error: RaftError): void {
    this.errors.push(error);
  }
}

class Watched {
  readonly kv = new KeyValue();
  readonly watchers: Watchers;
  encodings = 0;
  #index = 0;

  constructor(limits: WatchLimits = {}) {
    this.watchers = new Watchers(limits);
  }

  put(bytes: number): void {
    this.kv.apply({ index: ++this.#index, term: 1, data: encodePut(utf8.encode("key"), new Uint8Array(bytes)) });
  }

  watch(from: number, stream = new StalledStream()): { watcher: Watcher; changes: AsyncGenerator<Uint8Array> } {
    const watcher = this.watchers.open(stream);
    const changes = watcher.encoded(this.kv.watch(new Uint8Array(0), from), "events", (change: KeyValueChange) => {
      this.encodings++;
      return new Uint8Array(change.value?.length ?? 0);
    });
    return { watcher, changes };
  }
}

Deno.test("watchers: a change is encoded once for all of them, whenever they read it", async () => {
  const watched = new Watched();
  const watches = Array.from({ length: 100 }, () => watched.watch(1));
  const early = watches.slice(0, 50).map(({ changes }) => changes.next());
  watched.put(1000);
  const [first, ...others] = await Promise.all(early);
  for (const { value } of others) assert.equal(value, first!.value);
  assert.equal(watched.watchers.counts.bufferedBytes, 1512);
  for (const { changes } of watches.slice(50)) assert.equal((await changes.next()).value, first!.value);
  assert.equal(watched.encodings, 1);
  for (const { watcher } of watches) watcher.close();
  assert.deepEqual(watched.watchers.counts, { watchers: 0, bufferedBytes: 0, refused: 0, slow: 0 });
});

Deno.test("watchers: one more than allowed is refused as busy, until another ends", () => {
  const { watchers } = new Watched({ maxWatchers: 2 });
  const [first] = [watchers.open(new StalledStream()), watchers.open(new StalledStream())];
  assert.throws(() => watchers.open(new StalledStream()), { code: "busy", outcome: "rejected" });
  assert.equal(watchers.counts.refused, 1);
  first.close();
  first.close();
  watchers.open(new StalledStream()).close();
  assert.equal(watchers.counts.watchers, 1);
});

Deno.test("watchers: when changes being sent take too much memory, the slowest ends and can resume", async () => {
  const watched = new Watched({ maxWatchBytes: 10_000 });
  const stalled = new StalledStream();
  watched.put(4000);
  const slow = watched.watch(1, stalled);
  await slow.changes.next();
  // A watcher that reads is not disturbed by any number of changes.
  const fast = watched.watch(1);
  for (let i = 0; i < 20; i++) {
    watched.put(4000);
    assert.equal((await fast.changes.next()).done, false);
    assert.ok(watched.watchers.counts.bufferedBytes <= 10_000);
  }
  assert.equal(stalled.errors.length, 0);
  const other = watched.watch(15);
  await other.changes.next();
  watched.put(4000);
  await fast.changes.next();

  assert.equal(stalled.error?.code, "busy");
  assert.match(stalled.error?.hint ?? "", /continue from revision 2,/);
  await assert.rejects(slow.changes.next(), { code: "busy" });
  assert.equal(watched.watchers.counts.slow, 1);
  assert.ok(watched.watchers.counts.bufferedBytes <= 10_000);
  const resumed = watched.kv.watch(new Uint8Array(0), 2);
  assert.equal((await resumed.next()).value?.version, 2);
  for (const { watcher } of [fast, other]) watcher.close();
  assert.deepEqual(watched.watchers.counts, { watchers: 0, bufferedBytes: 0, refused: 0, slow: 1 });
});

Deno.test("watchers: a client that reads nothing for the timeout is ended, one that waits for changes is not", async () => {
  const watched = new Watched({ watchStallTimeoutMs: 20 });
  const [stalled, waits] = [new StalledStream(), new StalledStream()];
  watched.put(10);
  const slow = watched.watch(1, stalled);
  await slow.changes.next();
  stalled.stalls = true;
  const other = watched.watch(2, waits);
  const pending = other.changes.next();
  while (stalled.error === null) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(stalled.error.code, "busy");
  assert.equal(stalled.looks, 5);
  assert.match(stalled.error.message, /read nothing for 20 ms/);
  assert.equal(waits.errors.length, 0);
  watched.put(10);
  assert.equal((await pending).done, false);
  other.watcher.close();
  await assert.rejects(slow.changes.next(), { code: "busy" });
});
