/**
 * `deno task chaos`, for some seconds: it finds no violation, and had faults to find
 * one.
 */

import assert from "node:assert/strict";
import { runnerOf } from "../../support/run_main.ts";

const chaos = runnerOf("chaos/main.ts");

Deno.test("five processes under faults for 20 seconds: nothing is lost, and all answers are those of one copy", async () => {
  const { code, text } = await chaos("--minutes", "0.33", "--seed", "7");
  assert.equal(code, 0, text);
  assert.match(text, /^lost +0 of [1-9]/m);
  assert.match(text, /^linearizable +yes: [1-9]/m);
  // At least one fault, even on the slowest machine.
  assert.match(text, /^ {2}all +[1-9]\d*$/m);
});

Deno.test("wrong usage is reported, with exit code 2", async () => {
  for (const args of [["--minutes", "x"], ["--nodes", "2"], ["--seed", "1.5"], ["--faults", "flood"], ["--no"]]) {
    const { code, text } = await chaos(...args);
    assert.equal(code, 2, text);
    assert.match(text, /deno task chaos/);
  }
});
