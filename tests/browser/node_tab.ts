/** Tabs with nodes, from the test's side. */

import type { BrowserContext, Page } from "playwright-core";
import { launchChromium, launchWithHiddenPages, listen, Site } from "./browser.ts";
import type { NodePageCalls, ToldError } from "./node_page.ts";
import { eventually, freePort } from "../support/server_processes.ts";

/** The page of every tab here. */
export const NODE_PAGE = "tests/browser/node_page.ts";

type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: ToldError };

/** A RaftError of a page. */
export class PageError extends Error {
  readonly code: string;
  readonly outcome: string;
  readonly hint: string;

  constructor({ code, message, outcome, hint }: ToldError) {
    super(message);
    this.code = code;
    this.outcome = outcome;
    this.hint = hint;
  }
}

/** One tab. */
export class NodeTab {
  readonly page: Page;
  /** Its console messages. */
  readonly said: string[];

  private constructor(page: Page) {
    this.page = page;
    this.said = listen(page);
  }

  /** Opens a tab of the site. */
  static async open(context: BrowserContext, site: Site): Promise<NodeTab> {
    const tab = new NodeTab(await context.newPage());
    await tab.page.goto(site.page(NODE_PAGE));
    await tab.page.waitForFunction("globalThis.callNodes !== undefined");
    return tab;
  }

  /** Calls a function of node_page.ts. @throws {PageError} */
  async call<K extends keyof NodePageCalls>(
    name: K,
    ...args: Parameters<NodePageCalls[K]>
  ): Promise<Awaited<ReturnType<NodePageCalls[K]>>> {
    const script = `globalThis.callNodes(${JSON.stringify(name)}, ${JSON.stringify(args)})`;
    const answer = await this.page.evaluate(script) as Answer;
    if (!answer.ok) throw new PageError(answer.error);
    return answer.value as Awaited<ReturnType<NodePageCalls[K]>>;
  }

  /** Returns the error of a call that must fail. */
  async failure<K extends keyof NodePageCalls>(name: K, ...args: Parameters<NodePageCalls[K]>): Promise<PageError> {
    const error = await this.call(name, ...args).then(() => null, (error) => error as unknown);
    if (!(error instanceof PageError)) throw new Error(`${name} did not fail as a RaftError: ${error}`);
    return error;
  }
}

/** A browser with tabs of one site. */
export class Browsing implements AsyncDisposable {
  readonly site: Site;
  readonly context: BrowserContext;
  /** By node. */
  readonly tabs = new Map<string, NodeTab>();
  /** Every tab that was opened, even if it is closed. */
  readonly all: NodeTab[] = [];
  readonly #end: () => Promise<void>;

  /** @param site a site that outlives this browser */
  constructor(context: BrowserContext, end: () => Promise<void>, site?: Site) {
    this.context = context;
    this.site = site ?? new Site();
    this.#end = async () => {
      await end();
      if (site === undefined) await this.site[Symbol.asyncDispose]();
    };
  }

  static async start(): Promise<Browsing> {
    const browser = await launchChromium();
    return new Browsing(await browser.newContext(), () => browser.close());
  }

  /** Launches a browser whose pages are hidden when another is in front. */
  static async startHiding(): Promise<Browsing> {
    const browser = await launchWithHiddenPages(await freePort());
    return new Browsing(browser.contexts()[0]!, () => browser.close());
  }

  /** Opens a tab without a node. */
  async tab(): Promise<NodeTab> {
    const tab = await NodeTab.open(this.context, this.site);
    this.all.push(tab);
    return tab;
  }

  /** Opens a tab with this node. */
  async open(options: Parameters<NodePageCalls["open"]>[0]): Promise<NodeTab> {
    const tab = await this.tab();
    await tab.call("open", options);
    this.tabs.set(options.id, tab);
    return tab;
  }

  /** Starts a cluster, each node in a tab of its own. */
  async begin(members: readonly string[], options: Partial<Parameters<NodePageCalls["open"]>[0]> = {}): Promise<void> {
    for (const id of members) await this.open({ id, bootstrap: { members }, ...options });
    for (const id of members) await this.of(id).call("running", id);
    await this.leader();
  }

  of(id: string): NodeTab {
    const tab = this.tabs.get(id);
    if (tab === undefined) throw new Error(`no tab has ${id}`);
    return tab;
  }

  /** Closes a tab as a user does. */
  async closeTab(id: string): Promise<void> {
    await this.of(id).page.close();
    this.tabs.delete(id);
  }

  /** Returns the node that considers itself leader. */
  leader(...but: readonly string[]): Promise<string> {
    return eventually("a node leads", async () => {
      for (const [id, tab] of this.tabs) {
        if (but.includes(id)) continue;
        const { role, lifecycle, membershipCommitted } = await tab.call("status", id);
        if (role === "leader" && lifecycle === "running" && membershipCommitted) return id;
      }
      return undefined;
    });
  }

  /** @throws {Error} if a page's console has an unexpected message */
  checkConsoles(expected = /^$/): void {
    const said = this.all.flatMap((tab) => tab.said).filter((line) => !expected.test(line));
    if (said.length > 0) throw new Error(`pages said:\n${said.join("\n")}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end();
  }
}
