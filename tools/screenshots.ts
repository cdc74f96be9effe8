/**
 * `deno run -A tools/screenshots.ts`: takes pictures of the demo for docs/images/:
 * a real cluster of five nodes that has had two leaders, with one node cut off.
 * Look at them before they are committed.
 */

import { launchChromium } from "../tests/browser/browser.ts";
import { DemoPage, DemoServer } from "../tests/browser/demo.ts";
import { ROOT } from "./run.ts";

const MAX_BYTES = 200_000;

/** Fills every part of the picture. */
async function makeScene(demo: DemoPage): Promise<void> {
  const first = await demo.leader();
  await demo.page.getByRole("button", { name: "Put", exact: true }).click();
  await demo.page.locator(".answer").filter({ hasText: "colour is now" }).waitFor();
  await demo.do(`kill("${first}")`);
  await demo.leader(first);
  await demo.page.getByRole("button", { name: "Get", exact: true }).click();
  await demo.do(`restart("${first}")`);
  for (let added = 0; added < 2; added++) await demo.do("addNode()");
  for (const [key, value] of [["fruit", "pear"], ["size", "large"], ["shape", "round"]]) await demo.put(key!, value!);
  const [follower] = await demo.followers();
  await demo.do(`isolate("${follower}", true)`);
  await demo.until(`seen.nodes["${follower}"].role === "preCandidate"`);
  await demo.put("weight", "heavy");
}

async function shoot(demo: DemoPage, name: string, width: number, height: number, dark: boolean): Promise<void> {
  await demo.page.setViewportSize({ width, height });
  await demo.page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
  // It takes a moment until messages are under way.
  await demo.page.waitForTimeout(700);
  const file = `docs/images/${name}.png`;
  const { length } = await demo.page.screenshot({ path: ROOT + file });
  console.log(`${file}: ${(length / 1000).toFixed(0)} kB`);
  if (length >= MAX_BYTES) throw new Error(`${file} is too large: choose a smaller window`);
}

async function main(): Promise<void> {
  await using server = new DemoServer();
  const browser = await launchChromium();
  try {
    const context = await browser.newContext();
    const demo = await DemoPage.open(context, await server.url());
    await makeScene(demo);
    await shoot(demo, "demo-light", 1240, 860, false);
    await shoot(demo, "demo-dark", 1240, 860, true);
    await shoot(demo, "demo-phone", 390, 844, false);
  } finally {
    await browser.close();
  }
}

if (import.meta.main) await main();
