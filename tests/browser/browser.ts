/**
 * Modules of this project on pages in Chromium. The address of a page is the path of its module:
 * `/tests/browser/some_page.html` runs `/tests/browser/some_page.js`, which is the bundle of
 * `tests/browser/some_page.ts`. The same goes for a worker's script.
 *
 * @module
 */

import { chromium } from "playwright-core";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { chromium as findChromium } from "../../tools/chromium.ts";
import { ROOT, run } from "../../tools/run.ts";

const bundles = new Map<string, Promise<string>>();

/** Bundles a module of the project as one script for browsers, once. */
function bundle(module: string): Promise<string> {
  let made = bundles.get(module);
  if (made === undefined) bundles.set(module, made = makeBundle(module));
  return made;
}

async function makeBundle(module: string): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".js" });
  try {
    const command = [Deno.execPath(), "bundle", "--quiet", "--no-lock", "--platform", "browser", "--output", file];
    const ran = await run([...command, ROOT + module], { quiet: true });
    if (!ran.ok) throw new Error(`can't bundle ${module}:\n${ran.output}`);
    return await Deno.readTextFile(file);
  } finally {
    await Deno.remove(file);
  }
}

async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const [, path = "", kind = ""] = /^\/([\w/]+)\.(html|js)$/.exec(pathname) ?? [];
  if (kind === "html") {
    const html = `<!doctype html><title>${path}</title><link rel="icon" href="data:,">` +
      `<script type="module" src="/${path}.js"></script>`;
    return new Response(html, { headers: { "content-type": "text/html; charset=utf-8" } });
  }
  if (kind !== "js") return new Response("not found", { status: 404 });
  const script = await bundle(`${path}.ts`);
  return new Response(script, { headers: { "content-type": "text/javascript; charset=utf-8" } });
}

/** Serves bundles of this project's modules, at an origin of its own. */
export class Site implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** @param first may answer a request before the modules do */
  constructor(first: (request: Request) => Promise<Response | null> = () => Promise.resolve(null)) {
    const handler = async (request: Request): Promise<Response> => await first(request) ?? await answer(request);
    const onError = (error: unknown) => new Response(String(error), { status: 500 });
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {}, onError }, handler);
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Returns the address of the page that runs a module. */
  page(module: string): string {
    return `${this.origin}/${module.replace(/\.ts$/, ".html")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** The arguments of Chromium, which has no sandbox for root. */
async function launchOptions(args: readonly string[]): Promise<{ executablePath: string; args: string[] }> {
  return { executablePath: await findChromium(), args: [...args, ...(Deno.uid() === 0 ? ["--no-sandbox"] : [])] };
}

/** Launches a Chromium that forgets everything when it ends. */
export async function launchChromium(args: readonly string[] = []): Promise<Browser> {
  return await chromium.launch(await launchOptions(args));
}

/** Arguments of Playwright that let pages never notice that they are hidden. */
const NEVER_HIDDEN = [
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];

/**
 * Launches a Chromium as users have it: its pages are hidden and throttled when another is in front, and can be frozen.
 * Playwright lets all other pages believe that they have the focus. The pages are those of the first context.
 */
export async function launchWithHiddenPages(port: number): Promise<Browser> {
  const options = await launchOptions([`--remote-debugging-port=${port}`]);
  const launched = await chromium.launch({ ...options, ignoreDefaultArgs: NEVER_HIDDEN });
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
  browser.once("disconnected", () => void launched.close());
  return browser;
}

/** Launches a Chromium with its data in `profile`, where they outlive it. */
export async function launchProfile(profile: string, args: readonly string[] = []): Promise<BrowserContext> {
  return await chromium.launchPersistentContext(profile, await launchOptions(args));
}

/** Collects a page's console messages, workers included, and its uncaught errors. */
export function listen(page: Page): string[] {
  const said: string[] = [];
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(String(error)));
  return said;
}

/** Opens a page that runs `module`, does `work` with it, and closes everything. Any message on its console is an error. */
export async function inChromium(module: string, work: (page: Page) => Promise<void>): Promise<void> {
  await using site = new Site();
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const said = listen(page);
    await page.goto(site.page(module));
    await work(page);
    if (said.length > 0) throw new Error(`the page said:\n${said.join("\n")}`);
  } finally {
    await browser.close();
  }
}
