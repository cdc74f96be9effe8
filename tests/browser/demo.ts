/**
 * The demo, as `deno task demo` serves it, in Chromium: a visitor's actions, and the
 * state of the cluster after them.
 *
 * @module
 */

import type { BrowserContext, Page } from "playwright-core";
import type { ClusterEvent, KeyValueAnswer, NodeView } from "../../browser-demo/source.ts";
import { ROOT } from "../../tools/run.ts";
import { listen } from "./browser.ts";

/** Generous: the machine may be busy. */
export const PATIENCE_MS = 20_000;
/** Messages and events that a page remembers. */
const REMEMBERED = 2000;

/** Returns a runner of steps that build on each other: after one that failed there are no more. */
export function inOrder(test: Deno.TestContext): (name: string, run: () => Promise<void> | void) => Promise<void> {
  return async (name, run) => {
    if (!await test.step(name, run)) throw new Error(`the steps after "${name}" were left out`);
  };
}

/** `deno task demo` as a process of its own. */
export class DemoServer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  #url = "";

  constructor() {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "demo", "--port", "0"],
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  }

  /** Returns the address that it prints. */
  async url(): Promise<string> {
    const decoder = new TextDecoder();
    let output = "";
    for await (const bytes of this.#process.stdout.values({ preventCancel: true })) {
      output += decoder.decode(bytes, { stream: true });
      this.#url = /http:\/\/\S+/.exec(output)?.[0] ?? "";
      if (this.#url !== "") return this.#url;
    }
    throw new Error(`deno task demo printed no address: ${output}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stdout.cancel();
    this.#process.kill("SIGTERM");
    await this.#process.status;
  }
}

/** Remembers everything from the source, for {@linkcode DemoPage}. Runs on the page. */
const REMEMBER = `(() => {
  const seen = globalThis.seen = { nodes: {}, links: {}, messages: [], events: [] };
  const keep = (list, one) => { list.push(one); if (list.length > ${REMEMBERED}) list.shift(); };
  raftDemo.subscribe({
    node: (view) => seen.nodes[view.id] = view,
    gone: (id) => delete seen.nodes[id],
    link: (link) => seen.links[link.from + ">" + link.to] = link,
    message: (message) => keep(seen.messages, message),
    event: (event) => keep(seen.events, event),
  });
})()`;

/** A tab with the demo. */
export class DemoPage {
  readonly page: Page;
  /** Its console messages and errors. */
  readonly said: string[];
  readonly #openedMs = performance.now();

  constructor(page: Page) {
    this.page = page;
    this.said = listen(page);
  }

  /** Opens a tab. */
  static async open(context: BrowserContext, url: string): Promise<DemoPage> {
    const demo = new DemoPage(await context.newPage());
    await demo.page.goto(url);
    await demo.observe();
    return demo;
  }

  /** Begins to observe the source; again after a reload. */
  async observe(): Promise<void> {
    await this.page.waitForFunction("globalThis.raftDemo !== undefined", undefined, { timeout: PATIENCE_MS });
    await this.page.evaluate(REMEMBER);
  }

  /** The time since it was opened. */
  get ageMs(): number {
    return performance.now() - this.#openedMs;
  }

  /** Calls a control of the source, as the view does: `kill("n1")`. */
  async do<T = void>(call: string): Promise<T> {
    return await this.page.evaluate(`raftDemo.${call}`) as T;
  }

  /** Returns the code of the error that a control ends with; empty if it succeeds. */
  async failure(call: string): Promise<string> {
    return await this.page.evaluate(`raftDemo.${call}.then(() => "", (error) => error.code)`) as string;
  }

  /** Waits until an expression over `seen` is truthy, and returns its value. */
  async until<T = unknown>(expression: string): Promise<T> {
    const found = await this.page.waitForFunction(expression, undefined, { timeout: PATIENCE_MS, polling: 50 })
      .catch(async (error) => {
        const seen = JSON.stringify(await this.page.evaluate("seen.nodes"), null, 1).slice(0, 8000);
        throw new Error(`still not true: ${expression}\n${seen}\n${this.said.join("\n")}`, { cause: error });
      });
    return await found.jsonValue() as T;
  }

  async node(id: string): Promise<NodeView> {
    return await this.page.evaluate(`seen.nodes[${JSON.stringify(id)}]`) as NodeView;
  }

  async nodes(): Promise<NodeView[]> {
    return await this.page.evaluate("Object.values(seen.nodes)") as NodeView[];
  }

  async events(): Promise<ClusterEvent[]> {
    return await this.page.evaluate("seen.events") as ClusterEvent[];
  }

  /** Waits for a leader that a majority of all voters follows, and returns its name. */
  async leader(except = ""): Promise<string> {
    return await this.until<string>(`(() => {
      const nodes = Object.values(seen.nodes).filter((node) => node.life === "running");
      const leader = nodes.filter((node) => node.role === "leader").sort((a, b) => b.term - a.term)[0];
      if (leader === undefined || leader.id === ${JSON.stringify(except)} || leader.commitIndex < 2) return null;
      const followers = nodes.filter((node) => node.leader === leader.id && node.term === leader.term);
      return 2 * followers.length > leader.membership.voters.length ? leader.id : null;
    })()`);
  }

  /** Returns the running nodes that do not lead. */
  async followers(): Promise<string[]> {
    const leader = await this.leader();
    return (await this.nodes()).filter(({ id, life }) => id !== leader && life === "running").map(({ id }) => id);
  }

  /** Waits until these are the voters on every node that runs. */
  async voters(...ids: string[]): Promise<void> {
    await this.until(`(() => {
      const running = Object.values(seen.nodes).filter((node) => node.life === "running");
      return running.length > 0 && running.every((node) => node.membership.voters.join() === "${ids.sort().join()}");
    })()`);
  }

  async life(id: string, life: string): Promise<void> {
    await this.until(`seen.nodes["${id}"]?.life === "${life}"`);
  }

  async put(key: string, value: string): Promise<KeyValueAnswer> {
    return await this.do<KeyValueAnswer>(`put(${JSON.stringify(key)}, ${JSON.stringify(value)})`);
  }

  async get(key: string): Promise<string | null> {
    return (await this.do<KeyValueAnswer>(`get(${JSON.stringify(key)}, "linearizable")`)).value;
  }

  /** Fails if the console had any message. */
  requireQuiet(): void {
    if (this.said.length > 0) throw new Error(`the page said:\n${this.said.join("\n")}`);
  }
}
