// Acknowledged batches survive a crash of a worker or of the whole browser;
// a batch under way is stored as a whole or not at all.

import assert from "node:assert/strict";
import { listen, Site } from "./browser.ts";
import type { Lives } from "./indexeddb_crash_page.ts";
import { onDisk, Profile } from "./profile.ts";

const PAGE = "tests/browser/indexeddb_crash_page.ts";

Deno.test("a worker that is killed in the middle of its writes loses nothing that it acknowledged", async () => {
  await onDisk(PAGE, async (page) => {
    for (const seed of [1, 2, 3]) {
      const { steps, cut, more } = await page.evaluate(`killWorkers(${seed}, 40)`) as Lives;
      assert.equal(cut + more, 40);
      assert.ok(steps > 120, `${steps} steps`);
    }
  });
});

Deno.test("a browser that is killed in the middle of its writes loses nothing that it acknowledged", async () => {
  await using site = new Site();
  await using profile = await Profile.make();
  let acknowledged = 0;
  for (let life = 0; life < 6; life++) {
    const context = await profile.launch();
    const page = await context.newPage();
    const enough = Promise.withResolvers<void>();
    let last = Infinity;
    await page.exposeFunction("acknowledge", (step: number | string) => {
      if (typeof step === "string") return enough.reject(new Error(step));
      acknowledged = step;
      if (step >= last) enough.resolve();
    });
    const said = listen(page);
    await page.goto(site.page(PAGE));
    const step = await page.evaluate(`writeOn(4, ${acknowledged}, acknowledge)`) as number;
    assert.ok(step >= acknowledged);
    acknowledged = Math.max(acknowledged, step);
    last = step + 5 + life * 3;
    if (life === 5) await context.close();
    else {
      await enough.promise;
      await profile.kill(context);
    }
    assert.deepEqual(said, []);
  }
  assert.ok(acknowledged > 50, `${acknowledged} steps`);
});
