import assert from "node:assert/strict";
import { SortedMap } from "../../../lib/kv/sorted_map.ts";
import { seededRandom } from "../../support/virtual_host.ts";

function contents(map: SortedMap<number>, from = ""): [string, number][] {
  const found: [string, number][] = [];
  map.scan(from, (key, value) => found.push([key, value]) > 0);
  return found;
}

function sorted(model: Map<string, number>, from = ""): [string, number][] {
  return [...model].filter(([key]) => key >= from).sort(([a], [b]) => a < b ? -1 : 1);
}

for (const [seed, keySpace] of [[1, 40], [2, 700], [3, 5000], [4, 100_000]] as const) {
  Deno.test(`a sorted map and its copies equal a simple model (seed ${seed}, ${keySpace} keys)`, () => {
    const random = seededRandom(seed);
    let map = new SortedMap<number>();
    let model = new Map<string, number>();
    const copies: { map: SortedMap<number>; expected: [string, number][] }[] = [];
    for (let step = 0; step < 20_000; step++) {
      const key = String(Math.floor(random() * keySpace));
      // Long phases of growth and of shrinking, so that nodes split and merge again.
      const shrinking = Math.floor(step / 4000) % 2 === 1;
      if (random() < (shrinking ? 0.8 : 0.2)) {
        assert.equal(map.delete(key), model.get(key));
        model.delete(key);
      } else {
        assert.equal(map.set(key, step), model.get(key));
        model.set(key, step);
      }
      if (step % 3001 === 0) {
        copies.push({ map: map.clone(), expected: sorted(model) });
        // Both sides may be written: continue with the copy now and then.
        if (random() < 0.5) {
          const copy = copies.at(-1)!;
          [map, copy.map] = [copy.map, map];
        }
      }
      if (step % 997 === 0) {
        assert.equal(map.size, model.size);
        assert.deepEqual(contents(map), sorted(model));
        assert.deepEqual(contents(map, key), sorted(model, key));
      }
    }
    for (const copy of copies) {
      assert.deepEqual(contents(copy.map), copy.expected);
      assert.equal(copy.map.size, copy.expected.length);
    }
    for (const key of [...model.keys()]) map.delete(key);
    model = new Map();
    assert.deepEqual(contents(map), []);
    assert.equal(map.size, 0);
  });
}

Deno.test("keys that come in order, up or down, are all found", () => {
  for (const direction of [1, -1]) {
    const map = new SortedMap<number>();
    for (let i = 0; i < 10_000; i++) map.set(String(50_000 + direction * i), i);
    for (let i = 0; i < 10_000; i++) assert.equal(map.get(String(50_000 + direction * i)), i);
    assert.equal(map.get("7"), undefined);
    assert.equal(map.size, 10_000);
  }
});

Deno.test("a copy keeps its keys while nodes of the original are merged, in any order of removal", () => {
  const orders: Record<string, (i: number) => number> = {
    up: (i) => i,
    down: (i) => 1999 - i,
    "every seventh": (i) => i * 7 % 2000,
    "from the middle": (i) => (i + 1000) % 2000,
  };
  for (const [order, at] of Object.entries(orders)) {
    const map = new SortedMap<number>();
    const model = new Map<string, number>();
    const key = (i: number) => String(10_000 + at(i));
    for (let i = 0; i < 2000; i++) {
      map.set(key(i), i);
      model.set(key(i), i);
    }
    for (let i = 0; i < 2000; i++) {
      const copy = i % 9 === 0 ? map.clone() : null;
      const before = copy === null ? [] : sorted(model);
      map.delete(key(i));
      model.delete(key(i));
      if (copy !== null) assert.deepEqual(contents(copy), before, `${order}, ${i} removed`);
    }
    assert.deepEqual([map.size, contents(map)], [0, []], order);
  }
});

Deno.test("a scan stops when its visitor says so", () => {
  const map = new SortedMap<number>();
  for (let i = 0; i < 500; i++) map.set(String(1000 + i), i);
  const seen: string[] = [];
  map.scan("1200", (key) => seen.push(key) < 3);
  assert.deepEqual(seen, ["1200", "1201", "1202"]);
});
