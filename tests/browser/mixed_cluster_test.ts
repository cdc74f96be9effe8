/**
 * One cluster of a server under Deno, a server under Node and a browser tab.
 * Each of them leads, is killed, and returns, while clients write and read.
 */

import assert from "node:assert/strict";
import type { BrowserContext, Page } from "playwright-core";
import type { NodeStatus } from "../../lib/node/types.ts";
import type { KeyValueInput, KeyValueOutput } from "../../simulation/linearizability/mod.ts";
import { runtimes } from "../../tools/runtimes.ts";
import { Clients, connect, readAll, type Step } from "../chaos/clients.ts";
import { judge } from "../chaos/verdict.ts";
import { commandOf, eventually, type Node, Nodes } from "../support/server_processes.ts";
import { seededRandom } from "../support/virtual_host.ts";
import { launchChromium, Site } from "./browser.ts";

/** The history of the tab's client, with the times of this process. */
class TabHistory {
  readonly #steps: (Step & { rejected?: true })[] = [];

  /** Functions for pages: a recorded start is before the real one, and a recorded end after it. */
  readonly functions = {
    begun: (input: KeyValueInput): number =>
      this.#steps.push({ client: `tab.${this.#steps.length}`, input, call: performance.now(), return: Infinity }) - 1,
    ended: (operation: number, output: KeyValueOutput): void => {
      this.#steps[operation] = { ...this.#steps[operation]!, output, return: performance.now() };
    },
    failed: (operation: number, outcome: "rejected" | "unknown"): void => {
      if (outcome === "rejected") this.#steps[operation] = { ...this.#steps[operation]!, rejected: true };
    },
  };

  /** Returns the operations that were not rejected. One without an end may take effect at any time after its start. */
  get steps(): Step[] {
    return this.#steps.filter(({ rejected }) => rejected === undefined);
  }

  get acknowledged(): number {
    return this.#steps.filter((step) => step.return !== Infinity).length;
  }
}

/** The tab, which can be closed and opened again. */
class Tab {
  readonly #context: BrowserContext;
  readonly #url: string;
  #page: Page | null = null;
  #opened = 0;

  constructor(context: BrowserContext, url: string) {
    this.#context = context;
    this.#url = url;
  }

  async open(): Promise<void> {
    this.#page = await this.#context.newPage();
    await this.#page.goto(this.#url);
    await this.#page.waitForFunction("globalThis.begin !== undefined");
    await this.#page.evaluate(`globalThis.begin(${++this.#opened})`);
  }

  /** Ends the page as if its process were killed, without a goodbye. */
  async kill(): Promise<void> {
    const page = this.#page!;
    this.#page = null;
    const crashed = page.waitForEvent("crash");
    const session = await this.#context.newCDPSession(page);
    session.send("Page.crash").catch(() => {});
    await crashed;
    await page.close();
  }

  async status(): Promise<NodeStatus | null> {
    return await this.#page?.evaluate("globalThis.nodeStatus()") as NodeStatus | undefined ?? null;
  }

  /** Stops its client, after the requests under way. */
  async stop(): Promise<void> {
    await this.#page!.evaluate("globalThis.finish()");
  }

  async held(keys: readonly string[]): Promise<(string | null)[]> {
    return await this.#page!.evaluate(`globalThis.held(${JSON.stringify(keys)})`) as (string | null)[];
  }
}

/** One of the three members. */
interface Member {
  readonly id: string;
  kill(): Promise<unknown>;
  restart(): Promise<void> | void;
  status(): Promise<{ readonly appliedIndex: number; readonly role: string } | null>;
}

function memberOf(nodes: Nodes, node: Node): Member {
  return {
    id: node.id,
    kill: () => node.end("SIGKILL"),
    restart: () => nodes.start(node),
    status: () => node.status(),
  };
}

/** Waits until all running servers follow one leader other than `dead`. */
async function leaderOf(nodes: Nodes, dead?: string): Promise<string> {
  return await eventually("a leader that the servers follow", async () => {
    const up = nodes.all.filter(({ id }) => id !== dead);
    const leaders = new Set((await Promise.all(up.map((node) => node.status()))).map((status) => status?.leader?.id));
    const [leader] = leaders;
    return leaders.size === 1 && leader !== dead ? leader : undefined;
  });
}

/** Transfers leadership to `member`, kills it, and starts it again. */
async function loseAndRegain(nodes: Nodes, member: Member, acknowledged: () => number): Promise<void> {
  const asked = nodes.all.find(({ id }) => id !== member.id)!;
  await eventually(`${member.id} leads`, async () => {
    if (await leaderOf(nodes) === member.id) return true;
    await asked.call("AdminService/TransferLeadership", { to: member.id });
    return false;
  });
  const progress = async (what: string): Promise<void> => {
    const before = acknowledged();
    await eventually(what, () => acknowledged() >= before + 50);
  };
  await progress(`${member.id} leads, and clients are answered`);
  await member.kill();
  await leaderOf(nodes, member.id);
  await progress(`clients are answered without ${member.id}`);
  const { commitIndex } = (await eventually("a status", () => asked.status()))!;
  await member.restart();
  await eventually(`${member.id} catches up`, async () => {
    const status = await member.status();
    return status !== null && status.appliedIndex >= commitIndex;
  });
}

Deno.test("a Deno server, a Node server and a tab each lead, fail and return, and the history is linearizable", async () => {
  await using site = new Site();
  const { deno, node } = await runtimes();
  const browser = await launchChromium();
  const history = new TabHistory();
  try {
    const context = await browser.newContext();
    for (const [name, body] of Object.entries(history.functions)) await context.exposeFunction(name, body);
    const flags = ["--allow-admin-origin", site.origin];
    await Nodes.run([commandOf("deno", deno), commandOf("node", node)], async (nodes) => {
      const servers = nodes.endpoints.join(",");
      const tab = new Tab(context, `${site.page("tests/browser/mixed_cluster_page.ts")}?servers=${servers}`);
      await tab.open();
      await eventually("the tab is a voter", async () => {
        const status = await nodes.all[0]!.status();
        return status?.members.some(({ id, suffrage }) => id === "t1" && suffrage === "voter");
      });

      const options = { endpoints: nodes.endpoints, endpointOf: (address: string) => address };
      const clients = new Clients({ ...options, random: seededRandom(1), clients: 1 });
      const acknowledged = () => clients.acknowledged;
      const members: Member[] = [
        { id: "t1", kill: () => tab.kill(), restart: () => tab.open(), status: () => tab.status() },
        ...nodes.all.map((server) => memberOf(nodes, server)),
      ];
      for (const member of members) await loseAndRegain(nodes, member, acknowledged);

      await Promise.all([clients.stop(), tab.stop()]);
      assert.deepEqual(clients.failures, []);
      const from = performance.now();
      const reader = connect(options);
      const held = await readAll(reader);
      await reader.close();
      const steps = [...clients.history, ...history.steps];
      const verdict = judge(steps, clients.unique, held, [from, performance.now()]);
      assert.deepEqual(verdict.lost, []);
      assert.deepEqual(verdict.wrong, []);
      assert.equal(verdict.linearizability.verdict, "linearizable", JSON.stringify(verdict.linearizability));
      // The tab's own disk has the same state.
      const keys = [...held.keys()];
      const values = keys.map((key) => held.get(key)!.value);
      await eventually("the tab holds what the cluster holds", async () => {
        return JSON.stringify(await tab.held(keys)) === JSON.stringify(values);
      });
      assert.ok(history.acknowledged > 50, `the tab's client had ${history.acknowledged} answers`);
      assert.ok(clients.unique.length > 20);
    }, flags);
  } finally {
    await browser.close();
  }
});
