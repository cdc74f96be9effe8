import assert from "node:assert/strict";
import { decodeListAnswer, encodeList, encodePut, KEY_MAX_BYTES, VALUE_MAX_BYTES } from "../../../lib/kv/commands.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import { collect, recut, sameBytes } from "../../support/snapshots.ts";
import { seededRandom } from "../../support/virtual_host.ts";

const utf8 = new TextEncoder();

function filledStore(sizes: Iterable<readonly [key: string, bytes: number]>): KeyValue {
  const store = new KeyValue();
  let index = 0;
  for (const [key, bytes] of sizes) {
    store.apply({ index: ++index, term: 1, data: encodePut(utf8.encode(key), new Uint8Array(bytes).fill(index)) });
  }
  return store;
}

async function restored(snapshot: Uint8Array): Promise<KeyValue> {
  const store = new KeyValue();
  await store.restore(recut(snapshot, seededRandom(5)));
  return store;
}

Deno.test("kv: a snapshot of many blocks is restored with every key, those at the borders of blocks included", async () => {
  const states: [string, Iterable<readonly [string, number]>][] = [
    ["small values", Array.from({ length: 9000 }, (_, i) => [`key-${i}`, i % 50] as const)],
    ["values of 1 kB", Array.from({ length: 400 }, (_, i) => [`key-${i}`, 1000] as const)],
    ["values larger than a block", Array.from({ length: 5 }, (_, i) => [`key-${i}`, 100_000] as const)],
  ];
  for (const [what, sizes] of states) {
    const store = filledStore(sizes);
    const bytes = await collect(store.snapshot());
    assert.ok(bytes.length > 3 * 64 * 1024, what);
    const copy = await restored(bytes);
    assert.equal(copy.size, store.size, what);
    assert.ok(sameBytes(await collect(copy.snapshot()), bytes), what);
  }
});

Deno.test("kv: the largest key and value are restored behind a block that is nearly full", async () => {
  for (let filling = 65_440; filling <= 65_536; filling += 8) {
    const store = filledStore([["a", filling], ["b".repeat(KEY_MAX_BYTES), VALUE_MAX_BYTES], ["c", 1]]);
    const copy = await restored(await collect(store.snapshot()));
    assert.equal(copy.size, 3, `behind ${filling} bytes`);
  }
});

Deno.test("kv: blocks of a snapshot in another order are refused", async () => {
  const bytes = await collect(filledStore(Array.from({ length: 400 }, (_, i) => [`key-${1000 + i}`, 1000])).snapshot());
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = 4 + new DataView(bytes.buffer, at).getUint32(0);
    blocks.push(bytes.subarray(at, at + length));
    at += length;
  }
  assert.ok(blocks.length > 4);
  [blocks[1], blocks[2]] = [blocks[2]!, blocks[1]!];
  const swapped = new Uint8Array(bytes.length);
  let offset = 0;
  for (const block of blocks) {
    swapped.set(block, offset);
    offset += block.length;
  }
  await assert.rejects(restored(swapped), { code: "damaged" });
});

function list(store: KeyValue, query: Omit<Parameters<typeof encodeList>[0], "prefix">, prefix = "") {
  const answer = decodeListAnswer(store.query(encodeList({ prefix: utf8.encode(prefix), ...query })));
  assert.ok(answer.ok);
  return { keys: answer.entries.map(({ key }) => new TextDecoder().decode(key)), more: answer.more };
}

Deno.test("kv: a list continues after a key, whether the key is before the prefix, in it, or between others", () => {
  const store = filledStore(["a", "a1", "b", "b1", "b11", "b2", "c"].map((key) => [key, 1]));
  const after = (key: string, limit?: number) => list(store, { startAfter: utf8.encode(key), limit }, "b");
  assert.deepEqual(after("a").keys, ["b", "b1", "b11", "b2"]);
  assert.deepEqual(after("b").keys, ["b1", "b11", "b2"]);
  assert.deepEqual(after("b1", 1), { keys: ["b11"], more: true });
  assert.deepEqual(after("b10").keys, ["b11", "b2"]);
  assert.deepEqual(after("b11", 1), { keys: ["b2"], more: false });
});

Deno.test("kv: the sizes of values don't limit a list of keys alone", () => {
  const store = filledStore(Array.from({ length: 20 }, (_, i) => [`key-${10 + i}`, 1_200_000]));
  assert.equal(list(store, { limit: 100 }).keys.length, 1);
  assert.deepEqual(list(store, { limit: 20, keysOnly: true }).keys.length, 20);
  const rest = list(store, { limit: 20, keysOnly: true, startAfter: utf8.encode("key-14") });
  assert.deepEqual([rest.keys.length, rest.keys[0], rest.more], [15, "key-15", false]);
});

Deno.test("kv: a list never has more than 10,000 entries, and tells of the others", () => {
  const store = filledStore(Array.from({ length: 10_001 }, (_, i) => [String(100_000 + i), 0]));
  const first = list(store, { limit: 20_000 });
  assert.deepEqual([first.keys.length, first.more], [10_000, true]);
  const rest = list(store, { limit: 20_000, startAfter: utf8.encode(first.keys.at(-1)!) });
  assert.deepEqual(rest, { keys: ["110000"], more: false });
});

Deno.test("kv: bytes that a watcher received are its own; the state is not changed through them", async () => {
  const store = filledStore([["k", 5], ["large", 5000]]);
  const changes = store.watch(new Uint8Array(0), 1);
  for (const key of ["k", "large"]) {
    const { value: change } = await changes.next();
    change!.value!.fill(99);
    change!.key.fill(99);
    assert.deepEqual(list(store, {}).keys, ["k", "large"]);
    const answer = decodeListAnswer(store.query(encodeList({ prefix: utf8.encode(key) })));
    assert.ok(answer.ok && answer.entries[0]!.value.every((byte) => byte < 3));
  }
  await changes.return?.();
});

Deno.test("kv: after a restore the changes up to the snapshot are gone, those after it are watched", async () => {
  const source = filledStore([["a", 1], ["b", 1], ["a", 1], ["a", 1], ["b", 1]]);
  const store = await restored(await collect(source.snapshot()));
  for (const revision of [1, 3, 5]) {
    await assert.rejects(store.watch(new Uint8Array(0), revision).next(), { code: "compacted" });
  }
  const next = store.watch(new Uint8Array(0), 6).next();
  store.apply({ index: 6, term: 1, data: encodePut(utf8.encode("a"), new Uint8Array(1)) });
  assert.equal((await next).value?.version, 6);
});
