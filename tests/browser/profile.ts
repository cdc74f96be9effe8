/** Browsers with their data on a disk (any other Chromium keeps IndexedDB in memory), and their kills. */

import type { BrowserContext, Page } from "playwright-core";
import { eventually } from "../support/server_processes.ts";
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

  /** Kills the whole browser, without time to write anything, and waits until all of its processes have ended. */
  async kill(context: BrowserContext): Promise<void> {
    const closed = new Promise((resolve) => context.once("close", resolve));
    const pids = await this.#processes();
    for (const pid of pids) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It ended with its parent.
      }
    }
    await closed;
    // One that outlives the browser would still hold the data when the next browser opens it.
    await eventually("the browser's processes end", async () => {
      const states = await Promise.all(pids.map((pid) => Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "")));
      return states.every((stat) => stat === "" || / [ZX] /.test(stat));
    });
    for (const log of await this.databaseLogs()) await cutTornRecord(log);
  }

  /** Returns the logs that LevelDB, under Chromium's IndexedDB, writes to now; the browser must not run. */
  async databaseLogs(): Promise<string[]> {
    const found: string[] = [];
    const folder = `${this.#folder}/Default/IndexedDB`;
    for await (const database of Deno.readDir(folder)) {
      for await (const { name } of Deno.readDir(`${folder}/${database.name}`)) {
        if (name.endsWith(".log")) found.push(`${folder}/${database.name}/${name}`);
      }
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }

  /** Returns the processes that were started with this folder, and all of their descendants. */
  async #processes(): Promise<number[]> {
    const found = new Set<number>();
    const parents = new Map<number, number>();
    for await (const { name } of Deno.readDir("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      const command = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
      if (command.includes(`--user-data-dir=${this.#folder}\0`)) found.add(Number(name));
      const status = await Deno.readTextFile(`/proc/${name}/status`).catch(() => "");
      parents.set(Number(name), Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]));
    }
    if (found.size === 0) throw new Error(`no browser has ${this.#folder} open`);
    for (let before = 0; before < found.size;) {
      before = found.size;
      for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
    }
    return [...found];
  }
}

/** The bytes of a LevelDB record before its data: checksum, length and type. */
const headerBytes = 7;
const blockBytes = 32 * 1024;

/**
 * Cuts off a record that LevelDB was writing when it was killed. It writes the header
 * and the data one after the other. If only the header is there, it ignores it at the
 * next start and goes on behind it, and the start after that finds a checksum that is
 * wrong. Chromium then deletes the whole database: a fault of theirs that would hide
 * ours. (node_storage_test.ts has what a node says then.)
 */
async function cutTornRecord(log: string): Promise<void> {
  const bytes = await Deno.readFile(log);
  const view = new DataView(bytes.buffer);
  let at = 0;
  while (at < bytes.length) {
    const left = blockBytes - at % blockBytes;
    if (left < headerBytes) at += left;
    else if (at + headerBytes > bytes.length) break;
    else {
      const end = at + headerBytes + view.getUint16(at + 4, true);
      if (end > bytes.length) break;
      at = end;
    }
  }
  if (at < bytes.length) await Deno.truncate(log, at);
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
