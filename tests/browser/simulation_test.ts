import assert from "node:assert/strict";
import { traceHashes } from "../support/trace_hashes.ts";
import { inChromium } from "./browser.ts";

Deno.test("the same seed gives the same trace in Deno and in Chromium", async () => {
  await inChromium("tests/browser/trace_hashes_page.ts", async (page) => {
    const found = await page.evaluate("globalThis.traceHashes");
    assert.equal(found, await traceHashes());
  });
});
