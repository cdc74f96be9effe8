import assert from "node:assert/strict";
import { simulate } from "../../simulation/mod.ts";
import { FOUND } from "./seeds.ts";

for (const { history, mutant: _, ...options } of FOUND) {
  Deno.test(`seed ${options.seed}: ${history}`, async () => {
    const { violation } = await simulate(options);
    assert.equal(violation, null);
  });
}
