/** The relay, with pages in a real browser and the real server. */

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { startServer } from "../../server/server.ts";
import type { Server, ServerOptions } from "../../server/server.ts";
import { MemoryStorage } from "../../storage/memory.ts";
import { eventually, freePort } from "../support/server_processes.ts";
import { serveNothing } from "../unit/transport/connect/connect_fixture.ts";
import { launchChromium, listen, Site } from "./browser.ts";
import { runChecks } from "./suite.ts";

const quiet = { info() {}, warn() {}, error() {} };

async function serve(options: Partial<ServerOptions>): Promise<Server> {
  const port = await freePort();
  return await startServer({
    id: "n1",
    data: "memory",
    storage: new MemoryStorage(),
    peers: [{ id: "n1", address: `http://127.0.0.1:${port}` }],
    logger: quiet,
    ...options,
  });
}

interface RelayState {
  readonly state: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

const stateOf = (page: Page) => page.evaluate("globalThis.relayState?.() ?? null") as Promise<RelayState | null>;
const ask = (page: Page, other: string) => page.evaluate(`globalThis.ask("${other}")`) as Promise<string>;

Deno.test("transport over the relay, in Chromium", async (test) => {
  await using site = new Site();
  await using server = await serve({ allowOrigin: [site.origin] });
  const hanging = await serveNothing();
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const said = listen(page);
    const query = new URLSearchParams({ server: server.address, hanging: `http://${hanging.address}` });
    await page.goto(`${site.page("tests/browser/relay_page.ts")}?${query}`);
    await runChecks(test, page);
    assert.deepEqual(said, []);
  } finally {
    await browser.close();
    await hanging.close();
  }
});

Deno.test("of eight tabs four are attached, the others report that they wait, and one takes over when one closes", async () => {
  await using site = new Site();
  await using server = await serve({ allowOrigin: [site.origin] });
  const browser = await launchChromium();
  try {
    const context = await browser.newContext();
    const tabs = new Map<string, Page>();
    for (let n = 1; n <= 8; n++) {
      const query = new URLSearchParams({ server: server.address, name: `t${n}` });
      const page = await context.newPage();
      await page.goto(`${site.page("tests/browser/relay_tab_page.ts")}?${query}`);
      tabs.set(`t${n}`, page);
    }
    const byState = async () => {
      const names = new Map<string, string[]>([["attached", []], ["waiting", []], ["connecting", []]]);
      for (const [name, page] of tabs) names.get((await stateOf(page))?.state ?? "connecting")?.push(name);
      return { attached: names.get("attached")!, waiting: names.get("waiting")! };
    };
    const { attached, waiting } = await eventually("four are attached", async () => {
      const now = await byState();
      return now.attached.length + now.waiting.length === 8 ? now : null;
    });
    assert.deepEqual([attached.length, waiting.length], [4, 4]);
    for (const name of waiting) {
      const { code, message, hint } = (await stateOf(tabs.get(name)!))!;
      assert.equal(code, "busy");
      assert.match(message, /other tabs hold all slots for streams/);
      assert.match(hint, /Close one of them, or serve over HTTPS/);
    }
    for (const name of attached) {
      for (const other of attached) {
        if (name !== other) assert.equal(await ask(tabs.get(name)!, other), `${other} heard ${name}`);
      }
      // A tab that waits is not reachable, and a call to it fails soon.
      assert.match(await ask(tabs.get(name)!, waiting[0]!), /RaftError/);
    }

    const [first = "", second = ""] = attached;
    await tabs.get(first)!.close();
    tabs.delete(first);
    const taker = await eventually("another one is attached", async () => {
      const now = await byState();
      return now.attached.find((name) => waiting.includes(name));
    });
    assert.equal(await ask(tabs.get(second)!, taker), `${taker} heard ${second}`);
    assert.equal(await ask(tabs.get(taker)!, second), `${second} heard ${taker}`);
    assert.equal((await byState()).waiting.length, 3);
  } finally {
    await browser.close();
  }
});

Deno.test("a page of another origin is refused with advice, and the server continues", async () => {
  await using site = new Site();
  await using server = await serve({ allowOrigin: ["http://another.example"] });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const query = new URLSearchParams({ server: server.address, name: "t1" });
    await page.goto(`${site.page("tests/browser/relay_tab_page.ts")}?${query}`);
    const { code, hint } = await eventually("it fails", async () => {
      const now = await stateOf(page);
      return now?.state === "failed" ? now : null;
    });
    assert.equal(code, "unreachable");
    assert.match(hint, /--allow-origin/);
    assert.match(await (await fetch(`${server.address}/metrics`)).text(), /^raft_relay_pages 0$/m);
  } finally {
    await browser.close();
  }
});

Deno.test("tabs attach again to a server that restarts, and reach each other as before", async () => {
  await using site = new Site();
  const port = await freePort();
  const options = {
    peers: [{ id: "n1", address: `http://127.0.0.1:${port}` }],
    allowOrigin: [site.origin],
  };
  const server = await serve(options);
  const browser = await launchChromium();
  try {
    const pages = await Promise.all(["t1", "t2"].map(async (name) => {
      const page = await browser.newPage();
      const query = new URLSearchParams({ server: server.address, name });
      await page.goto(`${site.page("tests/browser/relay_tab_page.ts")}?${query}`);
      return page;
    }));
    const [one, two] = pages as [Page, Page];
    const heard = () => eventually("they hear each other", async () => await ask(one, "t2") === "t2 heard t1");
    await heard();
    await server.close();
    await eventually("both notice", async () => {
      const states = await Promise.all([one, two].map(stateOf));
      return states.every((now) => now?.state !== "attached");
    });
    assert.match(await ask(one, "t2"), /unreachable|no node is reachable/);
    await using _again = await serve(options);
    await heard();
  } finally {
    await browser.close();
    await server.close();
  }
});
