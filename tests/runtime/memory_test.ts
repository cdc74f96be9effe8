import assert from "node:assert/strict";
import { ROOT, run } from "../../tools/run.ts";
import { runtimes } from "../../tools/runtimes.ts";

for (const name of ["deno", "node", "bun"] as const) {
  Deno.test(`an idle process above the soft limit gives garbage back, in ${name}`, async () => {
    const program = (await runtimes())[name];
    // Without a permission for more than to read the program.
    const flags = name === "deno" ? ["run", "--no-check", "--allow-read"] : [];
    const ran = await run([program, ...flags, `${ROOT}tests/runtime/drop_memory.ts`], { quiet: true });
    assert.equal(ran.output.trim(), "given back");
  });
}
