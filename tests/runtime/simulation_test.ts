import assert from "node:assert/strict";
import { ROOT, run } from "../../tools/run.ts";
import { runtimes } from "../../tools/runtimes.ts";
import { traceHashes } from "../support/trace_hashes.ts";

const hashes = traceHashes();

Deno.test("the same seed gives the same trace twice in one process", async () => {
  const first = await hashes;
  assert.equal(await traceHashes(), first);
});

for (const name of ["node", "bun"] as const) {
  Deno.test(`the same seed gives the same trace in Deno and in ${name}`, async () => {
    const ran = await run([(await runtimes())[name], `${ROOT}tests/runtime/print_trace_hashes.ts`], { quiet: true });
    assert.ok(ran.ok, ran.output);
    assert.equal(ran.output.trim(), await hashes);
  });
}
