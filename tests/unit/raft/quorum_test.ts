import assert from "node:assert/strict";
import { electionResult, hasQuorum, majority, quorumValue } from "../../../lib/raft/quorum.ts";
import { joint, membership } from "./harness.ts";

Deno.test("§5.2: a majority is more than half", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7].map(majority), [1, 2, 2, 3, 3, 4, 4]);
});

Deno.test("§4.1, figure 4.3: any two majorities overlap, across a change of one voter too", () => {
  for (let n = 1; n <= 9; n++) {
    assert.ok(2 * majority(n) > n);
    assert.ok(majority(n) + majority(n + 1) > n + 1);
  }
});

Deno.test("§5.3: quorumValue is the value that a majority has reached", () => {
  const value = (reached: Record<string, number>) =>
    quorumValue(membership(Object.keys(reached)), (id) => reached[id]!);
  assert.equal(value({ a: 7 }), 7);
  assert.equal(value({ a: 7, b: 3 }), 3);
  assert.equal(value({ a: 7, b: 3, c: 5 }), 5);
  assert.equal(value({ a: 9, b: 9, c: 1, d: 1 }), 1);
  assert.equal(value({ a: 10, b: 9, c: 8, d: 1, e: 2 }), 8);
});

Deno.test("quorumValue compares numbers as numbers", () => {
  const reached: Record<string, number> = { a: 9, b: 10, c: 100 };
  assert.equal(quorumValue(membership(["a", "b", "c"]), (id) => reached[id]!), 10);
});

Deno.test("§4.3: a joint configuration needs a majority of each half", () => {
  const both = joint(["a", "b", "c"], ["c", "d", "e"]);
  const has = (...ids: string[]) => hasQuorum(both, (id) => ids.includes(id));
  assert.equal(has("a", "b"), false);
  assert.equal(has("d", "e"), false);
  assert.equal(has("a", "c"), false);
  assert.equal(has("a", "c", "d"), true);
  assert.equal(has("a", "b", "d", "e"), true);
  const reached: Record<string, number> = { a: 9, b: 9, c: 1, d: 5, e: 4 };
  assert.equal(quorumValue(both, (id) => reached[id]!), 4);
});

Deno.test("no voters are not a quorum", () => {
  const nobody = { voters: [], outgoing: [], learners: [], learnersNext: [], members: [] };
  assert.equal(hasQuorum(nobody, () => true), false);
  assert.equal(quorumValue(nobody, () => 9), 0);
});

Deno.test("§5.2: an election is lost once a quorum can no longer be reached", () => {
  const three = membership(["a", "b", "c"]);
  const result = (votes: [string, boolean][]) => electionResult(three, new Map(votes));
  assert.equal(result([]), "pending");
  assert.equal(result([["a", true]]), "pending");
  assert.equal(result([["a", true], ["b", false]]), "pending");
  assert.equal(result([["a", true], ["b", false], ["c", true]]), "won");
  assert.equal(result([["b", false], ["c", false]]), "lost");
  assert.equal(result([["x", true], ["y", true]]), "pending", "strangers have no vote");
  const four = membership(["a", "b", "c", "d"]);
  assert.equal(electionResult(four, new Map([["a", false], ["b", false]])), "lost");
});

Deno.test("§4.3: a joint election is lost when one half can't agree", () => {
  const both = joint(["a", "b", "c"], ["d"]);
  assert.equal(electionResult(both, new Map([["d", false]])), "lost");
  assert.equal(electionResult(both, new Map([["a", true], ["b", true]])), "pending");
  assert.equal(electionResult(both, new Map([["a", true], ["b", true], ["d", true]])), "won");
});
