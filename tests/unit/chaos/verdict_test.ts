import assert from "node:assert/strict";
import type { Step, UniqueWrite } from "../../chaos/clients.ts";
import { judge } from "../../chaos/verdict.ts";

const UNIQUE: UniqueWrite[] = [
  { key: "unique/1", value: "one", outcome: "done", version: 3 },
  { key: "unique/2", value: "two", outcome: "unknown" },
  { key: "unique/3", value: "three", outcome: "rejected" },
];
const HISTORY: Step[] = [{
  client: "c1",
  input: { type: "put", key: "shared/1", value: "a" },
  output: { version: 5, previousVersion: 0 },
  call: 1,
  return: 2,
}];
const LAST_READ = [10, 11] as const;

function held(entries: Readonly<Record<string, readonly [string, number]>>) {
  const all = { "unique/1": ["one", 3], "shared/1": ["a", 5], ...entries } as const;
  return new Map(Object.entries(all).map(([key, [value, version]]) => [key, { value, version }]));
}

Deno.test("acknowledged writes are present, unknown ones may be", () => {
  for (const [entries, unknownDone] of [[held({}), 0], [held({ "unique/2": ["two", 4] }), 1]] as const) {
    const verdict = judge(HISTORY, UNIQUE, entries, LAST_READ);
    assert.deepEqual([verdict.lost, verdict.wrong, verdict.unknownDone, verdict.keys], [[], [], unknownDone, 1]);
    assert.equal(verdict.linearizability.verdict, "linearizable");
  }
});

Deno.test("an acknowledged unique key that is missing is reported as lost", () => {
  const without = held({});
  without.delete("unique/1");
  assert.deepEqual(judge(HISTORY, UNIQUE, without, LAST_READ).lost, ["unique/1, acknowledged as version 3"]);
});

Deno.test("an acknowledged write of a shared key that is missing is not linearizable", () => {
  const without = held({});
  without.delete("shared/1");
  assert.equal(judge(HISTORY, UNIQUE, without, LAST_READ).linearizability.verdict, "violation");
});

const WRONG: Readonly<Record<string, Readonly<Record<string, readonly [string, number]>>>> = {
  "a second application": { "unique/1": ["one", 9] },
  "another's value": { "unique/1": ["two", 3] },
  "a rejected write": { "unique/3": ["three", 6] },
  "a key that no client wrote": { "unique/4": ["four", 7] },
};

for (const [what, entries] of Object.entries(WRONG)) {
  Deno.test(`${what} is found`, () => {
    const { wrong, lost } = judge(HISTORY, UNIQUE, held(entries), LAST_READ);
    assert.deepEqual([wrong.length, lost.length], [1, 0], wrong.join("\n"));
  });
}
