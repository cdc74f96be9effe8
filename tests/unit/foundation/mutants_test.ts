import assert from "node:assert/strict";
import { ROOT } from "../../../tools/run.ts";
import { parseSeeds } from "../../../tools/mutants/seed_runner.ts";
import { table, violations } from "../../../tools/mutants/table.ts";
import { FOUND } from "../../seeds/seeds.ts";
import { mutants } from "../../mutants/mod.ts";

Deno.test("each mutant applies to the present source", () => {
  const broken: string[] = [];
  for (const { name, edits } of mutants) {
    for (const { file, find, replace } of edits) {
      const found = Deno.readTextFileSync(ROOT + file).split(find).length - 1;
      if (found !== 1) broken.push(`${name}: ${file} has ${found} places like ${JSON.stringify(find)}`);
      if (find === replace) broken.push(`${name}: an edit changes nothing`);
    }
  }
  assert.deepEqual(broken, [], "change the edits in tests/mutants together with the source");
});

Deno.test("names of mutants are unique, and short enough for a line", () => {
  const names = mutants.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z]+(-[a-z]+)*$/);
});

/** Returns the names of the tests that a file registers. */
async function testNames(file: string): Promise<string[]> {
  const names: string[] = [];
  const deno = Deno as { test: unknown };
  const { test } = deno;
  const register = (test: string | { readonly name: string }): void =>
    void names.push(typeof test === "string" ? test : test.name);
  deno.test = Object.assign(register, { ignore: () => {}, only: register });
  try {
    await import(ROOT + file);
  } finally {
    deno.test = test;
  }
  return names;
}

Deno.test("each mutant has a directed test of exactly this name", async () => {
  const names = new Map<string, string[]>();
  const missing: string[] = [];
  for (const { name, test } of mutants) {
    const found = names.get(test.file) ?? await testNames(test.file);
    names.set(test.file, found);
    if (!found.includes(test.name)) missing.push(`${name}: ${test.file} has no test "${test.name}"`);
  }
  assert.deepEqual(missing, []);
});

Deno.test("the seeds of mutants are a range or a list", () => {
  assert.deepEqual(parseSeeds("3..6"), [3, 4, 5, 6]);
  assert.deepEqual(parseSeeds("17,3"), [17, 3]);
  for (const wrong of ["", "1..x", "a", "6..3", "1,,2"]) {
    assert.throws(() => parseSeeds(wrong), /Expected seeds/, wrong);
  }
});

Deno.test("the table of mutants shows how each was killed, and violations are counted", () => {
  const [mutant] = mutants;
  const by = "election safety";
  const results = [
    {
      mutant: mutant!,
      verdict: { result: "killed", by, message: "two leaders", seed: 7, seeds: 7, story: "" },
      seconds: 1,
    },
    {
      mutant: mutant!,
      verdict: { result: "killed", by: "a test", message: "", seed: null, seeds: 0, story: "" },
      seconds: 1,
    },
    { mutant: mutant!, verdict: { result: "survived", why: "9 seeds passed" }, seconds: 1 },
  ] as const;
  const rows = table(results).split("\n").slice(2);
  assert.match(rows[0]!, /election safety, after 7 seeds/);
  assert.match(rows[1]!, /test "a test"/);
  assert.match(rows[2]!, /survived/);
  assert.deepEqual([...violations(results, [by, "liveness"])], [[by, 1], ["liveness", 0]]);
});

Deno.test("each run that has found a bug names a mutant that exists", () => {
  const names = new Set(mutants.map(({ name }) => name));
  for (const { mutant, history } of FOUND) assert.ok(names.has(mutant), history);
});
