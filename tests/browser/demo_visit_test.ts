import assert from "node:assert/strict";
import { launchChromium } from "./browser.ts";
import { DemoPage, DemoServer, PATIENCE_MS } from "./demo.ts";

Deno.test("the demo: a visitor puts a value, kills the leader, gets the value, and opens another tab", async () => {
  await using server = new DemoServer();
  const browser = await launchChromium();
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    context.setDefaultTimeout(PATIENCE_MS);
    const demo = await DemoPage.open(context, await server.url());
    const { page } = demo;
    const says = (selector: string, text: RegExp) => page.locator(selector).filter({ hasText: text }).first().waitFor();
    const click = (name: string | RegExp) => page.getByRole("button", { name }).first().click();

    await says("h1", /^n\d leads 3 nodes in term \d+$/);
    const leader = await demo.leader();
    await click("Put");
    await says(".answer", new RegExp(`colour is now “blue”.*by ${leader}`));
    await click(`Kill the leader (${leader})`);
    await says(`[data-node="${leader}"]`, /killed/);
    await click("Get");
    await says(".answer", /colour is “blue”.*by n\d/);
    assert.notEqual(await demo.leader(leader), leader);
    await click(`Start ${leader} again`);
    await says(`[data-node="${leader}"]`, /colour = blue/);

    const link = page.getByRole("link", { name: "Open another tab" });
    const [opened] = await Promise.all([context.waitForEvent("page"), link.click()]);
    const other = new DemoPage(opened);
    await other.observe();
    await other.voters("n1", "n2", "n3", "n4");
    await says("h1", /^n\d leads 4 nodes in term \d+$/);
    demo.requireQuiet();
    other.requireQuiet();
  } finally {
    await browser.close();
  }
});
