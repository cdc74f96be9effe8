import assert from "node:assert/strict";
import { launchChromium } from "./browser.ts";
import { DemoPage, DemoServer, inOrder } from "./demo.ts";

/** Returns the address at which another tab joins. */
async function inviteUrl(demo: DemoPage): Promise<string> {
  return await demo.page.evaluate("raftDemo.inviteUrl") as string;
}

Deno.test("the demo: tabs join a cluster, leave it, and return", async (test) => {
  const step = inOrder(test);
  await using server = new DemoServer();
  const url = await server.url();
  const browser = await launchChromium();
  const context = await browser.newContext();
  const pages: DemoPage[] = [];
  const open = async (at: string): Promise<DemoPage> => {
    const demo = await DemoPage.open(context, at);
    pages.push(demo);
    return demo;
  };
  try {
    const first = await open(url);
    await first.leader();
    let second: DemoPage;

    await step("a second tab joins with a node of its own, and both see all nodes", async () => {
      second = await open(await inviteUrl(first));
      await second.voters("n1", "n2", "n3", "n4");
      await first.voters("n1", "n2", "n3", "n4");
      assert.equal((await second.node("n4")).home, "this page");
      assert.equal((await second.node("n1")).home, "another tab");
      assert.equal((await first.node("n4")).home, "another tab");
      assert.match(second.page.url(), /nodes=n4$/);
    });

    await step("a link from elsewhere asks before a node joins", async () => {
      const page = await context.newPage();
      for (const link of [await first.page.evaluate("raftDemo.shareUrl") as string, `${url}?nodes=n1,n9`]) {
        await page.goto(link);
        await page.getByRole("heading", { name: "Join this cluster?" }).waitFor();
      }
      assert.match(await page.locator("main").innerText(), /run n9 of the cluster demo-/);
      await page.close();
      await first.voters("n1", "n2", "n3", "n4");
    });

    await step("a value from one tab is read in the other", async () => {
      await second.put("from", "the second tab");
      assert.equal(await first.get("from"), "the second tab");
    });

    await step("a node of another tab is paused, killed and restarted from here", async () => {
      await first.do(`pause("n4", true)`);
      await second.life("n4", "paused");
      await first.do(`pause("n4", false)`);
      await second.life("n4", "running");
      await first.do(`kill("n4")`);
      await second.life("n4", "killed");
      await first.life("n4", "killed");
      await first.until(`seen.events.some(({ node, what }) => node === "n4" && what.life === "killed")`);
      await first.do(`restart("n4")`);
      await second.life("n4", "running");
      assert.equal((await second.node("n4")).home, "this page");
    });

    await step("a link is cut for all tabs", async () => {
      await second.do(`isolate("n4", true)`);
      await first.until(`Object.values(seen.links).filter(({ cut }) => cut).length === 6`);
      await first.do("heal()");
      await second.until(`Object.values(seen.links).every(({ cut }) => !cut)`);
    });

    await step("a closed tab's node is away, and the cluster continues", async () => {
      await first.do(`transferLeadership("n4")`);
      await first.until(`seen.nodes.n4.role === "leader"`);
      const address = second.page.url();
      await second.page.close();
      await first.life("n4", "away");
      await first.leader("n4");
      await first.put("while", "it was away");
      second = await open(address);
      await second.until(`seen.nodes.n4?.home === "this page" && seen.nodes.n4.commitIndex > 0`);
      await second.until(`seen.nodes.n4.appliedIndex >= seen.nodes.n1.appliedIndex`);
      await first.voters("n1", "n2", "n3", "n4");
      assert.equal(await second.get("while"), "it was away");
    });

    await step("a duplicated tab runs no node, shows the reason, and may add a node of its own", async () => {
      const duplicate = await open(second.page.url());
      await duplicate.page.waitForFunction(
        "document.querySelector('#notice').textContent.includes('n4 runs in another tab')",
      );
      await duplicate.until(`seen.nodes.n4?.home === "another tab" && seen.nodes.n4.life === "running"`);
      assert.equal((await second.node("n4")).home, "this page");
      assert.equal(await duplicate.get("while"), "it was away");
      assert.equal(await duplicate.do<string>("addNode()"), "n5");
      await first.voters("n1", "n2", "n3", "n4", "n5");
      await duplicate.page.close();
    });

    await step("a node whose tab is closed is taken over, and removed", async () => {
      await first.life("n5", "away");
      await first.do(`restart("n5")`);
      await first.until(`seen.nodes.n5.life === "running" && seen.nodes.n5.home === "this page"`);
      await first.do(`removeNode("n5")`);
      await first.voters("n1", "n2", "n3", "n4");
      await second.until("seen.nodes.n5 === undefined");
    });

    await step("the cluster survives a reload of the first tab", async () => {
      await first.page.reload();
      await first.observe();
      await first.leader();
      assert.equal((await first.nodes()).filter(({ home }) => home === "this page").length, 3);
      assert.equal(await second.get("from"), "the second tab");
    });

    await step("all consoles are empty", () => {
      for (const page of pages) page.requireQuiet();
    });
  } finally {
    await browser.close();
  }
});

Deno.test("the demo: eight tabs at once are one cluster", async () => {
  await using server = new DemoServer();
  const url = await server.url();
  const browser = await launchChromium();
  const context = await browser.newContext();
  try {
    const first = await DemoPage.open(context, url);
    await first.leader();
    const invite = await inviteUrl(first);
    const others = await Promise.all(Array.from({ length: 7 }, () => DemoPage.open(context, invite)));
    const ids = Array.from({ length: 10 }, (_, i) => `n${i + 1}`);
    for (const demo of [first, ...others]) await demo.voters(...ids);
    await Promise.all(others.map((demo, i) => demo.put(`tab ${i}`, "here")));
    for (const [i, demo] of others.entries()) assert.equal(await demo.get(`tab ${(i + 1) % 7}`), "here");
    for (const demo of [first, ...others]) demo.requireQuiet();
  } finally {
    await browser.close();
  }
});
