/** Runs the checks that a page offers, each as a step of one test. */

import { inChromium } from "./browser.ts";

/** A test whose steps are the checks of `module`, which calls `offer` of suite_page.ts. */
export function pageSuite(name: string, module: string): void {
  Deno.test(name, async (test) => {
    await inChromium(module, async (page) => {
      await page.waitForFunction("globalThis.checks !== undefined");
      const checks = await page.evaluate("globalThis.checks") as string[];
      if (checks.length === 0) throw new Error(`${module} offers no checks`);
      for (const check of checks) {
        await test.step(check, async () => {
          const failure = await page.evaluate(`globalThis.runCheck(${JSON.stringify(check)})`) as string;
          if (failure !== "") throw new Error(failure);
        });
      }
    });
  });
}
