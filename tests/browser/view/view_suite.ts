/** Tests of the view, each on a page of its own with a fake cluster; steps of one test, in one browser. */

import type { BrowserContextOptions, Page } from "playwright-core";
import { launchChromium, listen, Site } from "../browser.ts";

/** The page of a step. */
export class Demo {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Runs lines on the page; `s` is the source. */
  async script(lines: string): Promise<unknown> {
    return await this.page.evaluate(`(async () => { const s = globalThis.demo.source; ${lines} })()`);
  }

  /** Returns the calls of the view, except those that read each node's value. */
  async calls(): Promise<unknown[][]> {
    const all = await this.script("return s.calls") as unknown[][];
    return all.filter(([name, , consistency]) => !(name === "get" && consistency === "stale"));
  }

  /** Waits until an element's text matches. */
  async says(selector: string, text: RegExp): Promise<void> {
    await this.page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout: 20_000 });
  }

  button(name: string | RegExp) {
    return this.page.getByRole("button", typeof name === "string" ? { name, exact: true } : { name });
  }
}

/** A step. */
export interface ViewStep {
  readonly name: string;
  /** The query of the page. @default "nodes=3" */
  readonly query?: string;
  readonly context?: BrowserContextOptions;
  run(demo: Demo): Promise<void>;
}

/** Registers a test of these steps. Any message on the console is an error. */
export function viewSuite(name: string, steps: readonly ViewStep[]): void {
  Deno.test(name, async (test) => {
    await using site = new Site();
    const browser = await launchChromium();
    try {
      for (const step of steps) {
        await test.step(step.name, async () => {
          const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...step.context });
          const page = await context.newPage();
          const said = listen(page);
          await page.goto(`${site.page("tests/browser/view/view_page.ts")}?${step.query ?? "nodes=3"}`);
          await page.waitForFunction("globalThis.demo !== undefined");
          await step.run(new Demo(page));
          await context.close();
          if (said.length > 0) throw new Error(`the page said:\n${said.join("\n")}`);
        });
      }
    } finally {
      await browser.close();
    }
  });
}
