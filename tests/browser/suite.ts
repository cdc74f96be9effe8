/** Runs the checks that a page offers, each as a step of one test. */

import type { Page } from "playwright-core";
import { inChromium } from "./browser.ts";

/** Registers a test whose steps are the checks of `module`, which calls `offer` of suite_page.ts. */
export function pageSuite(name: string, module: string): void {
  Deno.test(name, (test) => inChromium(module, (page) => runChecks(test, page)));
}

/** Runs the checks of an open page. */
export async function runChecks(test: Deno.TestContext, page: Page): Promise<void> {
  await page.waitForFunction("globalThis.checks !== undefined");
  const checks = await page.evaluate("globalThis.checks") as string[];
  if (checks.length === 0) throw new Error(`${page.url()} offers no checks`);
  for (const check of checks) {
    await test.step(check, async () => {
      const failure = await page.evaluate(`globalThis.runCheck(${JSON.stringify(check)})`) as string;
      if (failure !== "") throw new Error(failure);
    });
  }
}
