/**
 * `deno task chaos`, for some seconds: it finds no violation, and had faults to find
 * one.
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../chaos/main.ts", import.meta.url));

async function chaos(...args: readonly string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", MAIN, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

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
