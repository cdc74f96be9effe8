/**
 * `deno task fuzz`, for some seconds: three runtimes withstand odd inputs, and a problem
 * would be found.
 */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { runnerOf } from "../../support/run_main.ts";

const fuzz = runnerOf("fuzz/main.ts");

Deno.test("Deno, Node and Bun withstand 400 odd inputs, and clients beside them lose nothing", async () => {
  // By number and not by time, so that a fast machine sends no others. How many are under way at once depends on it.
  const { code, text } = await fuzz("--only", "0-400", "--seed", "7");
  assert.equal(code, 0, text);
  assert.match(text, /^after the inputs +0 of [1-9]\d* writes lost, linearizable$/m);
  assert.match(text, /^after a restart +0 of [1-9]\d* writes lost, linearizable$/m);
  assert.match(text, /^ {2}all +401$/m);
});

Deno.test("a limit that is exceeded is reported with the last inputs, and the evidence is kept", async () => {
  const { code, text } = await fuzz("--minutes", "1", "--seed", "7", "--max-mib", "1");
  assert.equal(code, 1, text);
  assert.match(text, /^PROBLEM {2}n1 had more than 1 MiB of memory: /m);
  assert.match(text, /^The last inputs, those under way last:$/m);
  const folder = /^The evidence is in (\S*raft-fuzz-kept-\S+)$/m.exec(text)?.[1];
  assert.ok(folder, text);
  assert.match(Deno.readTextFileSync(`${folder}/n1.log`), /Listening on/);
  rmSync(folder, { recursive: true });
});

Deno.test("wrong usage is reported, with exit code 2", async () => {
  for (const args of [["--minutes", "x"], ["--seed", "1.5"], ["--only", "3-1"], ["--runtimes", "deno"], ["--no"]]) {
    const { code, text } = await fuzz(...args);
    assert.equal(code, 2, text);
    assert.match(text, /deno task fuzz/);
  }
});
