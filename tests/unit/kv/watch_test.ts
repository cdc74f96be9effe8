import assert from "node:assert/strict";
import { encodeDelete, encodePut } from "../../../lib/kv/commands.ts";
import { KeyValue, type KeyValueOptions } from "../../../lib/kv/key_value.ts";
import { ChangeHistory, type KeyValueChange } from "../../../lib/kv/watch.ts";
import { settle } from "../../support/virtual_host.ts";

const utf8 = new TextEncoder();
const text = (bytes: Uint8Array | null): string | null => bytes && new TextDecoder().decode(bytes);

class Watched {
  readonly kv: KeyValue;
  index = 0;

  constructor(options?: KeyValueOptions) {
    this.kv = new KeyValue(options);
  }

  put(key: string, value = "v"): void {
    this.kv.apply({ index: ++this.index, term: 1, data: encodePut(utf8.encode(key), utf8.encode(value)) });
  }

  delete(key: string): void {
    this.kv.apply({ index: ++this.index, term: 1, data: encodeDelete(utf8.encode(key)) });
  }

  watch(prefix: string, fromVersion: number, signal?: AbortSignal): AsyncIterableIterator<KeyValueChange> {
    return this.kv.watch(utf8.encode(prefix), fromVersion, signal ? { signal } : {});
  }
}

async function next(watch: AsyncIterator<KeyValueChange>): Promise<string> {
  const { done, value } = await watch.next();
  if (done) return "done";
  return `${value.version} ${value.type} ${text(value.key)} ${text(value.value)}`;
}

Deno.test("watch: past changes, then those to come, in order, by prefix", async () => {
  const watched = new Watched();
  watched.put("a/1", "one");
  watched.put("b/1");
  watched.put("a/2", "two");
  const watch = watched.watch("a/", 2);
  assert.equal(await next(watch), "3 put a/2 two");
  const coming = [next(watch), next(watch)];
  watched.put("b/2");
  watched.delete("a/1");
  // Nothing was there to remove: no change.
  watched.delete("a/1");
  watched.put("a/3", "");
  assert.deepEqual(await Promise.all(coming), ["5 delete a/1 null", "7 put a/3 "]);
});

Deno.test("watch: from 0 means from the first change, in a new store, too", async () => {
  const watched = new Watched();
  const changes = watched.watch("", 0);
  watched.put("a");
  assert.equal((await changes.next()).value?.version, 1);
});

Deno.test("watch: one that begins before the history gets `compacted`, then ends", async () => {
  const watched = new Watched({ historyChanges: 3 });
  for (let i = 1; i <= 5; i++) watched.put(`k${i}`);
  const late = watched.watch("", 2);
  await assert.rejects(late.next(), { name: "RaftError", code: "compacted" });
  assert.equal(await next(late), "done");
  const inTime = watched.watch("", 3);
  assert.equal(await next(inTime), "3 put k3 v");
});

Deno.test("watch: the history is bounded by bytes too", async () => {
  const watched = new Watched({ historyBytes: 1000 });
  for (let i = 1; i <= 5; i++) watched.put(`k${i}`, "x".repeat(398));
  await assert.rejects(watched.watch("", 3).next(), { code: "compacted" });
  assert.match(await next(watched.watch("", 4)), /^4 put k4/);
  watched.put("large", "x".repeat(5000));
  assert.match(await next(watched.watch("", 6)), /^6 put large/);
});

Deno.test("watch: a slow watcher gets `compacted`; one that waits misses nothing however much passes by", async () => {
  const watched = new Watched({ historyChanges: 4 });
  const slow = watched.watch("k", 1);
  const idle = watched.watch("rare", 1);
  watched.put("k1");
  assert.equal(await next(slow), "1 put k1 v");
  const rare = next(idle);
  for (let i = 2; i <= 100; i++) watched.put(`k${i}`);
  watched.put("rare");
  assert.equal(await rare, "101 put rare v");
  await assert.rejects(slow.next(), { code: "compacted" });
});

Deno.test("watch: a restored snapshot ends the watches that miss what lies between", async () => {
  const source = new Watched();
  for (let i = 1; i <= 10; i++) source.put(`k${i}`);
  const watched = new Watched();
  watched.put("k1");
  const behind = next(watched.watch("", 2));
  const ahead = next(watched.watch("", 11));
  await watched.kv.restore(source.kv.snapshot());
  watched.index = 10;
  await assert.rejects(behind, { code: "compacted" });
  watched.put("k11");
  assert.equal(await ahead, "11 put k11 v");
});

Deno.test("watch: a signal ends it with `aborted`, and leaving the loop ends it even while it waits", async () => {
  const watched = new Watched();
  const controller = new AbortController();
  const waiting = next(watched.watch("", 1, controller.signal));
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, { code: "aborted" });
  await assert.rejects(watched.watch("", 1, controller.signal).next(), { code: "aborted" });

  const left = watched.watch("", 1);
  const pending = next(left);
  await left.return?.();
  assert.equal(await pending, "done");
  watched.put("k1");
  await settle();
  assert.equal(await next(left), "done");

  for await (const change of watched.watch("", 1)) {
    assert.equal(change.version, 1);
    break;
  }
});

Deno.test("watch: one that begins in the future skips the changes before, those of its prefix included", async () => {
  const watched = new Watched();
  const watch = watched.watch("a", 4);
  const coming = [next(watch), next(watch)];
  for (const key of ["a1", "a2", "b", "a4", "a5"]) watched.put(key);
  assert.deepEqual(await Promise.all(coming), ["4 put a4 v", "5 put a5 v"]);
});

/** A signal that counts its listeners. */
class CountedSignal extends EventTarget {
  listeners = 0;
  aborted = false;
  readonly reason = new Error("aborted");

  override addEventListener(...args: Parameters<EventTarget["addEventListener"]>): void {
    this.listeners++;
    super.addEventListener(...args);
  }

  override removeEventListener(...args: Parameters<EventTarget["removeEventListener"]>): void {
    this.listeners--;
    super.removeEventListener(...args);
  }
}

Deno.test("watch: nothing is left of one that has ended, however it ended", async () => {
  const ends: Record<string, (watch: AsyncIterator<unknown>, signal: CountedSignal, history: ChangeHistory) => void> = {
    "a return": (watch) => void watch.return?.(),
    "a signal": (_, signal) => {
      signal.aborted = true;
      signal.dispatchEvent(new Event("abort"));
    },
    "a restore": (_, __, history) => history.reset(9),
  };
  for (const [how, end] of Object.entries(ends)) {
    const history = new ChangeHistory(10, 1000);
    const signal = new CountedSignal();
    const watch = history.watch(new Uint8Array(0), 1, { signal: signal as unknown as AbortSignal });
    const waiting = watch.next().catch(() => {});
    assert.deepEqual([signal.listeners, history.idle.size], [1, 1], how);
    end(watch, signal, history);
    await waiting;
    assert.deepEqual([signal.listeners, history.idle.size], [0, 0], how);
  }
});
