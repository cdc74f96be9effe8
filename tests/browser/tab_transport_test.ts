import { launchChromium, Site } from "./browser.ts";
import { pageSuite } from "./suite.ts";

pageSuite("transports between tabs, within one page in Chromium", "tests/browser/tab_near_page.ts");
pageSuite("transports between tabs, workers and pages in Chromium", "tests/browser/tab_far_page.ts");

Deno.test("a tab whose process dies is gone for the others, and a reloaded one takes its place again", async () => {
  await using site = new Site();
  const browser = await launchChromium();
  try {
    const context = await browser.newContext();
    const [a, b] = [await context.newPage(), await context.newPage()];
    const url = site.page("tests/browser/tab_watch_page.ts");
    await a.goto(`${url}?id=a`);
    await b.goto(`${url}?id=b`);
    const sees = (peers: string) => a.waitForFunction(`globalThis.peers?.().join() === "${peers}"`);
    await sees("tab:b");
    await b.reload();
    await b.waitForFunction("globalThis.peers?.().length === 1");
    await sees("tab:b");
    await b.goto("chrome://crash").catch(() => {});
    await sees("");
  } finally {
    await browser.close();
  }
});
