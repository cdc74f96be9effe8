/**
 * A page in Chromium that runs a module of this project.
 *
 * @module
 */

import { chromium } from "playwright-core";
import type { Page } from "playwright-core";
import { chromium as findChromium } from "../../tools/chromium.ts";
import { ROOT, run } from "../../tools/run.ts";

/** Bundles a module for browsers. */
async function bundle(module: string): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".js" });
  try {
    const command = [Deno.execPath(), "bundle", "--quiet", "--no-lock", "--platform", "browser", "--output", file];
    const ran = await run([...command, ROOT + module], { quiet: true });
    if (!ran.ok) throw new Error(`${module} can't be bundled:\n${ran.output}`);
    return await Deno.readTextFile(file);
  } finally {
    await Deno.remove(file);
  }
}

/** Opens a page that runs `module`, does `work` with it, and closes everything. What the page says on its console is an error. */
export async function inChromium(module: string, work: (page: Page) => Promise<void>): Promise<void> {
  const script = await bundle(module);
  const html = { "content-type": "text/html; charset=utf-8" };
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () =>
      new Response(
        `<!doctype html><title>test</title><script type="module">${
          script.replaceAll("</script", "<\\/script")
        }</script>`,
        {
          headers: html,
        },
      ),
  );
  // Chromium has no sandbox for root.
  const args = Deno.uid() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath: await findChromium(), args });
  try {
    const page = await browser.newPage();
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    await page.goto(`http://127.0.0.1:${server.addr.port}/`);
    await work(page);
    if (said.length > 0) throw new Error(`the page said:\n${said.join("\n")}`);
  } finally {
    await browser.close();
    await server.shutdown();
  }
}
