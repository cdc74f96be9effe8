import assert from "node:assert/strict";
import type { Page, Request } from "playwright-core";
import { startServer } from "../../server/mod.ts";
import type { Server } from "../../server/mod.ts";
import { freePort } from "../support/server_processes.ts";
import { launchChromium } from "./browser.ts";
import { DemoPage, DemoServer, inOrder } from "./demo.ts";

const logger = { info() {}, warn() {}, error() {} };

/** Starts three servers that allow a page's origin. */
async function startServers(data: string, origin: string): Promise<Server[]> {
  const ids = ["s1", "s2", "s3"];
  const peers = await Promise.all(
    ids.map(async (id) => ({ id, address: `http://127.0.0.1:${await freePort()}` })),
  );
  return await Promise.all(ids.map(async (id) => {
    const server = await startServer({ id, data: `${data}/${id}`, peers, logger, allowAdminOrigin: [origin] });
    return server;
  }));
}

/** Opens a link, and checks that the page asks what it is to do, and does none of it. */
async function requireQuestion(page: Page, link: string, servers: readonly Server[]): Promise<void> {
  const requested: string[] = [];
  const note = (request: Request): void => void requested.push(request.url());
  page.on("request", note);
  await page.goto("about:blank");
  await page.goto(link);
  await page.getByRole("heading", { name: "Join this cluster?" }).waitFor();
  const text = await page.locator("main").innerText();
  for (const { address } of servers) assert.ok(text.includes(address), text);
  assert.match(text, /stores (a new node|t1), with a copy of the cluster's data, in this browser/);
  assert.equal(await page.evaluate("globalThis.raftDemo === undefined"), true);
  const site = new URL(link).origin;
  assert.deepEqual(requested.filter((url) => !url.startsWith(site) && url !== "about:blank"), []);
  page.off("request", note);
}

Deno.test("the demo: a tab joins a running cluster of servers through the relay", async (test) => {
  const step = inOrder(test);
  await using demoServer = new DemoServer();
  const url = await demoServer.url();
  const data = await Deno.makeTempDir();
  const servers = await startServers(data, new URL(url).origin);
  await Promise.all(servers.map(({ running }) => running));
  const browser = await launchChromium();
  const context = await browser.newContext();
  try {
    const addresses = servers.map(({ address }) => address).join(",");
    const link = `${url}?servers=${addresses}`;
    const demo = new DemoPage(await context.newPage());
    let own = "";

    await step("a link asks first, and connects, stores and adds nothing before the user agrees", async () => {
      for (const address of [link, `${link}&join`, `${link}&join=guessed`, `${link}&nodes=t1`]) {
        await requireQuestion(demo.page, address, servers);
      }
      await demo.page.goto(link);
      await demo.page.getByRole("button", { name: "Join with a node" }).click();
      await demo.observe();
    });

    await step("it is a learner, and shows the servers", async () => {
      own = await demo.until<string>(`Object.values(seen.nodes).find((node) => node.home === "this page" &&
        node.life === "running" && node.membership.learners.includes(node.id))?.id`);
      await demo.until(`["s1", "s2", "s3"].every((id) => seen.nodes[id]?.home === "server" &&
        seen.nodes[id].life === "running")`);
      await demo.page.waitForURL(/servers=.*&nodes=t\w+$/);
    });

    await step("it reads and writes, and has the log", async () => {
      const answer = await demo.put("from", "a tab");
      assert.match(answer.servedBy, /^s[123]$/);
      assert.equal(await demo.get("from"), "a tab");
      await demo.until(`seen.nodes["${own}"].entries.some(({ label }) => label === "from = a tab")`);
      await demo.until(`seen.messages.some((one) => one.to === "${own}" && one.type === "AppendEntries")`);
      await demo.until(`seen.nodes.s1.entries.some(({ label }) => label === "from = a tab")`);
    });

    await step("it controls neither links between servers nor their lives", async () => {
      const between = `{ from: "s1", to: "s2", cut: true, delayMs: 0, loss: 0 }`;
      const refused = await demo.page.evaluate(
        `(() => { try { raftDemo.setLink(${between}) } catch (e) { return e.code } })()`,
      );
      assert.equal(refused, "refused");
      assert.equal(await demo.failure(`kill("s1")`), "refused");
      assert.equal(await demo.failure(`restart("s1")`), "refused");
    });

    await step("messages from a server are cut on arrival", async () => {
      const leader = await demo.leader();
      await demo.do(`setLink({ from: "${leader}", to: "${own}", cut: true, delayMs: 0, loss: 0 })`);
      await demo.until(`seen.messages.some((one) => one.to === "${own}" && one.fate === "cut")`);
      await demo.until(`seen.links["${leader}>${own}"].cut`);
      await demo.put("while", "it was cut off");
      const behind = await demo.node(own);
      assert.ok(!behind.entries.some(({ label }) => label.startsWith("while")));
      await demo.do("heal()");
      await demo.until(`seen.nodes["${own}"].entries.some(({ label }) => label.startsWith("while"))`);
    });

    await step("after a reload it continues from its disk", async () => {
      await demo.page.reload();
      await demo.observe();
      await demo.until(`seen.nodes["${own}"]?.life === "running" && seen.nodes["${own}"].commitIndex > 2`);
      assert.equal(await demo.get("from"), "a tab");
    });

    await step(
      "the same link asks again, and so does the one to share, but not a further tab of this page",
      async () => {
        const page = await context.newPage();
        await requireQuestion(page, link, servers);
        await requireQuestion(page, await demo.page.evaluate("raftDemo.shareUrl") as string, servers);
        await page.close();
      },
    );

    await step("another tab joins, too", async () => {
      const other = await DemoPage.open(context, await demo.page.evaluate("raftDemo.inviteUrl") as string);
      await other.until(`Object.values(seen.nodes).filter((node) => node.life === "running").length === 5`);
      await demo.until(`Object.values(seen.nodes).filter((node) => node.life === "running").length === 5`);
      other.requireQuiet();
    });

    await step("it leaves the cluster", async () => {
      await demo.do(`removeNode("${own}")`);
      await demo.until(`seen.nodes["${own}"] === undefined`);
      assert.ok(servers[0]!.status().members.every(({ id }) => id !== own));
      demo.requireQuiet();
    });
  } finally {
    await browser.close();
    await Promise.all(servers.map((server) => server.close()));
    await Deno.remove(data, { recursive: true });
  }
});
