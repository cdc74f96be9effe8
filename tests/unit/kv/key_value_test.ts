import assert from "node:assert/strict";
import {
  decodeCommand,
  decodeGetAnswer,
  decodeListAnswer,
  decodeWriteAnswer,
  encodeDelete,
  encodeGet,
  encodeList,
  encodePut,
  type ExpectedVersion,
  KEY_MAX_BYTES,
  type ListQuery,
  VALUE_MAX_BYTES,
  type WriteAnswer,
} from "../../../lib/kv/commands.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import { seededRandom } from "../../support/virtual_host.ts";
import { collect, recut, sameBytes } from "../../support/snapshots.ts";

const utf8 = new TextEncoder();
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

class Machine {
  readonly kv: KeyValue;
  index = 0;

  constructor(kv = new KeyValue()) {
    this.kv = kv;
  }

  run(data: Uint8Array): WriteAnswer {
    return decodeWriteAnswer(this.kv.apply({ index: ++this.index, term: 1, data }));
  }

  put(key: string, value: string, expected?: ExpectedVersion): WriteAnswer {
    return this.run(encodePut(utf8.encode(key), utf8.encode(value), expected));
  }

  delete(key: string, expected?: ExpectedVersion): WriteAnswer {
    return this.run(encodeDelete(utf8.encode(key), expected));
  }

  get(key: string | Uint8Array): { value: string; version: number } | null {
    const bytes = typeof key === "string" ? utf8.encode(key) : key;
    const answer = decodeGetAnswer(this.kv.query(encodeGet(bytes)));
    assert.ok(answer.ok);
    assert.equal(answer.revision, this.index);
    return answer.entry && { value: text(answer.entry.value), version: answer.entry.version };
  }

  list(query: Partial<Omit<ListQuery, "type">> = {}): { keys: string[]; more: boolean } {
    const answer = decodeListAnswer(this.kv.query(encodeList({ prefix: new Uint8Array(0), ...query })));
    assert.ok(answer.ok);
    return { keys: answer.entries.map(({ key }) => text(key)), more: answer.more };
  }
}

Deno.test("kv: a value's version is the log index of its last change", () => {
  const machine = new Machine();
  machine.index = 41;
  assert.deepEqual(machine.put("a", "1"), { ok: true, version: 42, previousVersion: 0 });
  assert.deepEqual(machine.put("a", ""), { ok: true, version: 43, previousVersion: 42 });
  assert.deepEqual(machine.get("a"), { value: "", version: 43 });
  assert.deepEqual(machine.delete("b"), { ok: true, version: 44, previousVersion: 0 });
  assert.deepEqual(machine.delete("a"), { ok: true, version: 45, previousVersion: 43 });
  assert.equal(machine.get("a"), null);
  assert.equal(machine.kv.version, 45);
});

Deno.test("kv: compare-and-set by version, absence and presence", () => {
  const machine = new Machine();
  assert.deepEqual(machine.put("a", "x", "any"), { ok: false, reason: "conflict", currentVersion: 0 });
  assert.deepEqual(machine.put("a", "x", 1), { ok: false, reason: "conflict", currentVersion: 0 });
  assert.equal(machine.put("a", "x", 0).ok, true);
  assert.deepEqual(machine.put("a", "y", 0), { ok: false, reason: "conflict", currentVersion: 3 });
  assert.deepEqual(machine.delete("a", 2), { ok: false, reason: "conflict", currentVersion: 3 });
  assert.deepEqual(machine.get("a"), { value: "x", version: 3 });
  assert.equal(machine.put("a", "y", 3).ok, true);
  assert.equal(machine.put("a", "z", "any").ok, true);
  assert.equal(machine.delete("a", 7).ok, true);
  assert.equal(machine.get("a"), null);
});

Deno.test("kv: keys of any bytes, ordered by bytes, and up to their limits", () => {
  const machine = new Machine();
  const keys = [[0], [0, 0], [0, 255], [1], [127], [128], [159], [255], [255, 0]].map((key) => new Uint8Array(key));
  for (const key of [...keys].reverse()) machine.run(encodePut(key, key));
  const answer = decodeListAnswer(machine.kv.query(encodeList({ prefix: new Uint8Array(0) })));
  assert.ok(answer.ok);
  assert.deepEqual(answer.entries.map(({ key }) => [...key]), keys.map((key) => [...key]));
  assert.deepEqual(answer.entries.map(({ value }) => [...value]), keys.map((key) => [...key]));
  const longest = new Uint8Array(KEY_MAX_BYTES).fill(200);
  const largest = new Uint8Array(VALUE_MAX_BYTES).map((_, i) => i);
  assert.equal(machine.run(encodePut(longest, largest)).ok, true);
  const found = decodeGetAnswer(machine.kv.query(encodeGet(longest)));
  assert.ok(found.ok && found.entry !== null && sameBytes(found.entry.value, largest));
});

Deno.test("kv: a bad command is an answer, and changes nothing but the state's version", () => {
  const machine = new Machine();
  machine.put("a", "1");
  const good = encodePut(utf8.encode("a"), utf8.encode("2"), 300);
  const reason = (answer: WriteAnswer): string => answer.ok ? "ok" : answer.reason;
  for (let length = 0; length < good.length; length++) {
    assert.equal(reason(machine.run(good.slice(0, length))), "invalid");
  }
  assert.equal(reason(machine.run(new Uint8Array([...good, 0]))), "invalid");
  assert.equal(reason(machine.run(new Uint8Array([9, 0, 1, 65]))), "invalid");
  assert.equal(reason(machine.run(new Uint8Array([1, 9, 1, 65, 0]))), "invalid");
  // A length of 2^56 and one that has no end.
  assert.equal(reason(machine.run(new Uint8Array([1, 0, ...Array(8).fill(0xff), 1]))), "invalid");
  assert.equal(reason(machine.run(encodePut(new Uint8Array(0), new Uint8Array(0)))), "invalid");
  assert.equal(reason(machine.run(encodePut(new Uint8Array(KEY_MAX_BYTES + 1), new Uint8Array(0)))), "too_large");
  assert.equal(reason(machine.run(encodePut(utf8.encode("a"), new Uint8Array(VALUE_MAX_BYTES + 1)))), "too_large");
  assert.deepEqual(machine.get("a"), { value: "1", version: 1 });
  assert.equal(machine.kv.version, machine.index);
  for (const query of [[], [7], [1], [1, 0], [2, 9, 1, 0], [2, 1, 1, 0]]) {
    const answer = decodeGetAnswer(machine.kv.query(new Uint8Array(query)));
    assert.equal(answer.ok, false);
  }
});

Deno.test("kv: a command's bytes may be reused after apply", () => {
  const machine = new Machine();
  for (const size of [10, 1000]) {
    const command = encodePut(utf8.encode("a"), new Uint8Array(size).fill(65));
    machine.run(command);
    command.fill(0);
    assert.equal(machine.get("a")?.value, "A".repeat(size));
  }
});

Deno.test("kv: commands survive encoding and decoding", () => {
  const key = utf8.encode("k");
  const value = utf8.encode("v");
  assert.deepEqual(decodeCommand(encodePut(key, value)), { key, value, expectedVersion: undefined });
  assert.deepEqual(decodeCommand(encodePut(key, value, 0)), { key, value, expectedVersion: 0 });
  const version = Number.MAX_SAFE_INTEGER;
  assert.deepEqual(decodeCommand(encodeDelete(key, version)), { key, value: null, expectedVersion: version });
  assert.deepEqual(decodeCommand(encodeDelete(key, "any")), { key, value: null, expectedVersion: "any" });
});

Deno.test("kv: list by prefix, with limit, start and without values", () => {
  const machine = new Machine();
  for (const key of ["a", "b/1", "b/2", "b/3", "b/30", "b0", "c"]) machine.put(key, "v" + key);
  const prefix = utf8.encode("b/");
  assert.deepEqual(machine.list({ prefix }), { keys: ["b/1", "b/2", "b/3", "b/30"], more: false });
  assert.deepEqual(machine.list({ prefix, limit: 2 }), { keys: ["b/1", "b/2"], more: true });
  assert.deepEqual(machine.list({ prefix, limit: 4 }), { keys: ["b/1", "b/2", "b/3", "b/30"], more: false });
  assert.deepEqual(machine.list({ prefix, limit: 0 }), { keys: [], more: true });
  assert.deepEqual(machine.list({ prefix, startAfter: utf8.encode("b/2") }), { keys: ["b/3", "b/30"], more: false });
  assert.deepEqual(machine.list({ prefix, startAfter: utf8.encode("a") }).keys.length, 4);
  assert.deepEqual(machine.list({ prefix, startAfter: utf8.encode("c") }), { keys: [], more: false });
  assert.equal(machine.list().keys.length, 7);
  const bare = decodeListAnswer(machine.kv.query(encodeList({ prefix, keysOnly: true })));
  assert.ok(bare.ok && bare.entries.every(({ value, version }) => value.length === 0 && version > 1));
});

Deno.test("kv: a list's answer is bounded by its bytes, and none is left out by asking on", () => {
  const machine = new Machine();
  for (let i = 0; i < 10; i++) machine.put(`k${i}`, "x".repeat(300_000));
  const seen: string[] = [];
  for (let more = true; more;) {
    const startAfter = seen.length === 0 ? {} : { startAfter: utf8.encode(seen.at(-1)!) };
    const part = machine.list(startAfter);
    assert.ok(part.keys.length >= 1 && part.keys.length <= 3);
    seen.push(...part.keys);
    more = part.more;
  }
  assert.deepEqual(seen, Array.from({ length: 10 }, (_, i) => `k${i}`));
});

function randomStep(machine: Machine, model: Map<string, { value: string; version: number }>, random: () => number) {
  const key = "k" + Math.floor(random() * 300);
  const current = model.get(key)?.version ?? 0;
  const expected = random() < 0.5 ? undefined : random() < 0.5 ? current : Math.floor(random() * machine.index);
  const met = expected === undefined || expected === current;
  if (random() < 0.4) {
    const answer = machine.delete(key, expected);
    assert.equal(answer.ok, met);
    if (met) model.delete(key);
  } else {
    const value = String.fromCharCode(97 + Math.floor(random() * 26)).repeat(Math.floor(random() * 600));
    const answer = machine.put(key, value, expected);
    assert.equal(answer.ok, met);
    if (met) model.set(key, { value, version: machine.index });
  }
}

for (const seed of [1, 2, 3]) {
  Deno.test(`kv: random commands give what a simple model gives, and so does each snapshot (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const machine = new Machine();
    const model = new Map<string, { value: string; version: number }>();
    const captured: { stream: AsyncIterable<Uint8Array>; index: number; model: typeof model }[] = [];
    for (let step = 0; step < 3000; step++) {
      randomStep(machine, model, random);
      if (step % 500 === 250) {
        captured.push({ stream: machine.kv.snapshot(), index: machine.index, model: new Map(model) });
      }
    }
    // Read only now: what came later must not show.
    for (const { stream, index, model } of captured) {
      const bytes = await collect(stream);
      const restored = new Machine();
      await restored.kv.restore(recut(bytes, random));
      restored.index = index;
      assert.equal(restored.kv.size, model.size);
      for (const [key, entry] of model) assert.deepEqual(restored.get(key), entry);
      assert.ok(sameBytes(await collect(restored.kv.snapshot()), bytes));
    }
  });
}

Deno.test("kv: equal states give equal snapshots, whatever their history", async () => {
  const straight = new Machine();
  const detour = new Machine();
  for (let i = 0; i < 5000; i++) detour.put(`x${i * 7919 % 5000}`, "gone");
  for (let i = 0; i < 5000; i++) detour.delete(`x${i}`);
  const first = detour.index;
  straight.index = first;
  const keys = Array.from({ length: 2000 }, (_, i) => `k${i * 733 % 2000}`);
  for (const key of keys) {
    straight.put(key, "v" + key);
    detour.put(key, "v" + key);
  }
  assert.ok(sameBytes(await collect(straight.kv.snapshot()), await collect(detour.kv.snapshot())));
});

Deno.test("kv: chunks of a snapshot are bounded, values larger than a chunk included", async () => {
  const machine = new Machine();
  machine.run(encodePut(utf8.encode("large"), new Uint8Array(VALUE_MAX_BYTES)));
  for (let i = 0; i < 3000; i++) machine.put(`k${i}`, "v".repeat(100));
  let total = 0;
  for await (const chunk of machine.kv.snapshot()) {
    assert.ok(chunk.length <= 64 * 1024);
    total += chunk.length;
  }
  assert.ok(total > VALUE_MAX_BYTES + 300_000);
});

Deno.test("kv: a snapshot that is cut, changed or of another version is refused, and the state stays", async () => {
  const source = new Machine();
  for (let i = 0; i < 50; i++) source.put(`k${i}`, "v");
  const bytes = await collect(source.kv.snapshot());
  const target = new Machine();
  target.put("mine", "1");
  const restore = (damaged: Uint8Array) => target.kv.restore(recut(damaged, seededRandom(1)));
  for (let length = 0; length < bytes.length; length += 7) {
    await assert.rejects(restore(bytes.slice(0, length)), { code: "damaged" });
  }
  await assert.rejects(restore(new Uint8Array([...bytes, 0])), { code: "damaged" });
  await assert.rejects(restore(bytes.map((byte, i) => i === 8 ? byte ^ 1 : byte)), { code: "damaged" });
  await assert.rejects(restore(bytes.map((byte, i) => i === 0 ? 0x7f : byte)), { code: "damaged" });
  const versionAt = 4 + 1 + "raft-core.kv".length;
  await assert.rejects(restore(bytes.map((byte, i) => i === versionAt ? 2 : byte)), { code: "unsupported_version" });
  assert.deepEqual(target.get("mine"), { value: "1", version: 1 });
  await restore(bytes);
  target.index = source.index;
  assert.equal(target.get("mine"), null);
  assert.deepEqual(target.get("k7"), { value: "v", version: 8 });
});
