import assert from "node:assert/strict";
import { Decisions } from "../../../simulation/decisions.ts";

/** Returns the decisions of a stream for `items` items, with `extra` draws for each. */
function struck(decisions: Decisions, name: string, items: number, extra = 0): boolean[] {
  const stream = decisions.stream(name);
  return Array.from({ length: items }, () => {
    stream.next();
    for (let i = 0; i < extra; i++) stream.unit();
    return stream.strikes("fault", 0.3);
  });
}

Deno.test("decisions follow from seed, name and item alone", () => {
  assert.deepEqual(struck(new Decisions(1), "a", 100), struck(new Decisions(1), "a", 100));
  assert.notDeepEqual(struck(new Decisions(1), "a", 100), struck(new Decisions(2), "a", 100));
  assert.notDeepEqual(struck(new Decisions(1), "a", 100), struck(new Decisions(1), "b", 100));
  // Draws of another stream in between have no effect.
  const both = new Decisions(1);
  const stream = both.stream("a");
  const beside = Array.from({ length: 100 }, () => {
    struck(both, "b", 3, 2);
    return stream.next().strikes("fault", 0.3);
  });
  assert.deepEqual(beside, struck(new Decisions(1), "a", 100));
});

Deno.test("probabilities are met, and whole numbers stay in their bounds", () => {
  const hits = struck(new Decisions(7), "a", 10_000).filter((hit) => hit).length;
  assert.ok(hits > 2800 && hits < 3200, `${hits} of 10000`);
  const stream = new Decisions(7).stream("b");
  const drawn = new Set(Array.from({ length: 1000 }, () => stream.next().between(3, 6)));
  assert.deepEqual([...drawn].sort(), [3, 4, 5, 6]);
  assert.deepEqual(stream.next().shuffled([1, 2, 3, 4]).sort(), [1, 2, 3, 4]);
});

Deno.test("a replay makes exactly the kept decisions; leaving one out changes no other", () => {
  const first = new Decisions(3);
  const all = struck(first, "a", 200);
  assert.ok(first.made.length > 30);
  assert.deepEqual(struck(new Decisions(3, new Set(first.made)), "a", 200), all);
  const [gone, ...rest] = first.made;
  const without = new Decisions(3, new Set(rest));
  const left = struck(without, "a", 200);
  assert.deepEqual(without.made, rest);
  assert.deepEqual(left.map((hit, at) => hit !== all[at]).filter((differs) => differs).length, 1, gone);
});
