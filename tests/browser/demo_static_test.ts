import assert from "node:assert/strict";
import { writeSite } from "../../browser-demo/site.ts";
import { launchChromium } from "./browser.ts";
import { DemoPage } from "./demo.ts";

/** Serves files below a path, like the simplest of web hosts. */
function serveFiles(folder: string, base: string): Deno.HttpServer<Deno.NetAddr> {
  const types: Record<string, string> = { html: "text/html", js: "text/javascript", css: "text/css" };
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith(base)) return new Response("not found", { status: 404 });
    const name = pathname.slice(base.length) || "index.html";
    try {
      const type = types[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
      return new Response(await Deno.readFile(`${folder}/${name}`), { headers: { "content-type": type } });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
}

Deno.test("the demo's static files work from any path of any web host", async () => {
  const folder = await Deno.makeTempDir();
  await writeSite(folder);
  const base = "/some/where/raft/";
  await using server = serveFiles(folder, base);
  const browser = await launchChromium();
  try {
    const context = await browser.newContext();
    const demo = await DemoPage.open(context, `http://127.0.0.1:${server.addr.port}${base}`);
    await demo.leader();
    await demo.put("from", "a sub-path");
    const other = await DemoPage.open(context, await demo.page.evaluate("raftDemo.inviteUrl") as string);
    await other.voters("n1", "n2", "n3", "n4");
    assert.equal(await other.get("from"), "a sub-path");
    assert.match(other.page.url(), /\/some\/where\/raft\/\?cluster=/);
    demo.requireQuiet();
    other.requireQuiet();
  } finally {
    await browser.close();
    await Deno.remove(folder, { recursive: true });
  }
});
