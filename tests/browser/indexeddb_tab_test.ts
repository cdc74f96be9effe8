import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { onDisk } from "./profile.ts";

Deno.test("an exhausted quota refuses writes, keeps the data, and is not a permanent failure", async () => {
  await onDisk("tests/browser/indexeddb_tab_page.ts", async (page, { origin }) => {
    // First of all: Chromium relies for a while on the space that it was once given.
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1_000_000 });
    await page.evaluate("begin()");

    const refused = await page.evaluate("writeEntry(3_000_000)");
    assert.match(String(refused), /^storage, unchanged, rejected: .*no more space \(QuotaExceededError\) Free space/);
    assert.equal(await page.evaluate("writeEntry(1000)"), "", "a smaller one fits");
    assert.equal(await page.evaluate("restart()"), "1 n1");
    assert.match(String(await page.evaluate("writeSnapshot(3_000_000)")), /^storage, unchanged, rejected: .*Quota/);
    assert.equal(await page.evaluate("restart()"), "1 n1");

    await devtools.send("Storage.overrideQuotaForOrigin", { origin });
    assert.equal(await page.evaluate("writeEntry(3_000_000)"), "");
    assert.equal(await page.evaluate("writeSnapshot(3_000_000)"), "");
    assert.equal(await page.evaluate("restart()"), "1 n1");
  });
});

Deno.test("a write under way while the browser clears the site's data leaves the disk in doubt", async () => {
  await onDisk("tests/browser/indexeddb_tab_page.ts", async (page, { origin }) => {
    await page.evaluate("begin()");
    const devtools = await page.context().newCDPSession(page);
    const ended = page.evaluate("writeUntilRefused(300_000)");
    await page.waitForFunction("written() > 5", undefined, { timeout: 20_000 });
    await devtools.send("Storage.clearDataForOrigin", { origin, storageTypes: "indexeddb" });
    assert.match(String(await ended), /^storage, in_doubt, unknown: /);
    await page.waitForFunction("errors.length > 0", undefined, { timeout: 20_000 });
    assert.match(String(await page.evaluate("writeEntry(10)")), /^storage, in_doubt, unknown: /);
  });
});

Deno.test("site data that the browser clears is lost to the storage at once", async () => {
  await onDisk("tests/browser/indexeddb_tab_page.ts", async (page, { origin }) => {
    await page.evaluate("begin()");
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Storage.clearDataForOrigin", { origin, storageTypes: "indexeddb" });
    await page.waitForFunction("errors.length > 0", undefined, { timeout: 20_000 });
    assert.match(String(await page.evaluate("writeEntry(10)")), /^storage, in_doubt, unknown: .* is lost: the browser/);
    assert.equal(await page.evaluate("errors.length"), 1);
  });
});

Deno.test("a duplicated tab gets the node only when the first one is closed, or has crashed", async () => {
  await onDisk("tests/browser/indexeddb_tab_page.ts", async (first, site) => {
    await first.evaluate("begin()");
    const open = async (): Promise<Page> => {
      const page = await first.context().newPage();
      await page.goto(site.page("tests/browser/indexeddb_tab_page.ts"));
      await assert.rejects(page.evaluate("begin()"), /the storage is locked: another tab or worker has/);
      return page;
    };
    const second = await open();
    await first.close();
    await second.evaluate("begin(20_000)");
    assert.equal(await second.evaluate("writeEntry(100)"), "");

    const third = await open();
    const devtools = await first.context().newCDPSession(second);
    const crashed = second.waitForEvent("crash");
    devtools.send("Page.crash").catch(() => {});
    await crashed;
    await third.evaluate("begin(20_000)");
    assert.equal(await third.evaluate("restart()"), "1 n1");
  });
});
