/** Browsers with their data on a disk (any other Chromium keeps IndexedDB in memory), and their kills. */

import type { BrowserContext, Page } from "playwright-core";
import { launchProfile, listen, Site } from "./browser.ts";

/** A folder for a browser's data, removed at the end. */
export class Profile implements AsyncDisposable {
  readonly #folder: string;

  /** Use {@linkcode Profile.make}. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  static async make(): Promise<Profile> {
    return new Profile(await Deno.makeTempDir({ prefix: "raft-profile-" }));
  }

  /** Starts a browser on it; one at a time. */
  launch(args: readonly string[] = []): Promise<BrowserContext> {
    return launchProfile(this.#folder, args);
  }

  /** Kills the whole browser, without time to write anything. */
  async kill(context: BrowserContext): Promise<void> {
    const closed = new Promise((resolve) => context.once("close", resolve));
    for (const pid of await this.#processes()) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It ended with its parent.
      }
    }
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }

  /** Returns the processes that were started with this folder. */
  async #processes(): Promise<number[]> {
    const found: number[] = [];
    for await (const { name } of Deno.readDir("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      const command = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
      if (command.includes(`--user-data-dir=${this.#folder}\0`)) found.push(Number(name));
    }
    if (found.length === 0) throw new Error(`no browser has ${this.#folder} open`);
    return found;
  }
}

/** Works like {@linkcode inChromium}, in a browser with its data on a disk. */
export async function onDisk(module: string, work: (page: Page, site: Site) => Promise<void>): Promise<void> {
  await using site = new Site();
  await using profile = await Profile.make();
  const context = await profile.launch();
  try {
    const page = await context.newPage();
    const said = listen(page);
    await page.goto(site.page(module));
    await work(page, site);
    if (said.length > 0) throw new Error(`the page said:\n${said.join("\n")}`);
  } finally {
    await context.close();
  }
}
