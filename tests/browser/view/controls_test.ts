import assert from "node:assert/strict";
import type { Demo } from "./view_suite.ts";
import { viewSuite } from "./view_suite.ts";

/** Chooses a node in the picture. */
async function choose(demo: Demo, id: string): Promise<void> {
  await demo.page.locator(`[data-node="${id}"]`).click();
  await demo.says("raft-node-panel .facts", /./);
  await demo.page.waitForFunction(`document.querySelector("raft-node-panel select").value === "${id}"`);
}

/** Presses, and waits for the call. */
async function asks(demo: Demo, press: () => Promise<void>, ...call: unknown[]): Promise<void> {
  await press();
  const wanted = JSON.stringify(call);
  await demo.page.waitForFunction(`JSON.stringify(globalThis.demo.source.calls).includes(${JSON.stringify(wanted)})`);
}

async function started(demo: Demo): Promise<void> {
  await demo.script("s.elect('n1')");
  await demo.says("h1", /n1 leads/);
}

const link = (from: string, to: string, cut: boolean, delayMs = 0, loss = 0) => ({ from, to, cut, delayMs, loss });

viewSuite("the controls of the view", [
  {
    name: "put, get and delete pass on key, value and consistency",
    query: "nodes=3&runs",
    async run(demo) {
      await started(demo);
      await demo.page.getByRole("textbox", { name: "Key" }).fill("size");
      await demo.page.getByRole("textbox", { name: "Value" }).fill("9");
      await asks(demo, () => demo.button("Put").click(), "put", "size", "9");
      await asks(demo, () => demo.button("Get").click(), "get", "size", "linearizable");
      await asks(demo, () => demo.button("Delete").click(), "remove", "size");
      await demo.page.getByRole("radio", { name: /stale/ }).check();
      await demo.page.getByLabel("Node that answers a stale read").selectOption("n3");
      await demo.button("Get").click();
      await demo.says(".answer", /by n3/);
    },
  },
  {
    name: "an error is shown with its hint and outcome, and the next answer replaces it",
    query: "nodes=3&runs",
    async run(demo) {
      await started(demo);
      await demo.script(
        "s.failure = new demo.RaftError('timeout', 'no answer in time', " +
          "{ hint: 'Ask again.', outcome: 'unknown' })",
      );
      await demo.button("Put").click();
      await demo.says(
        ".answer",
        /Put colour did not work\. No answer in time\. It may have been carried out nevertheless\. Ask again\./,
      );
      await demo.button("Put").click();
      await demo.says(".answer", /colour is now “blue”/);
    },
  },
  {
    name: "each button of a node calls its control",
    query: "nodes=3&runs",
    async run(demo) {
      await started(demo);
      await choose(demo, "n2");
      await asks(demo, () => demo.button("Pause: n2").click(), "pause", "n2", true);
      await asks(demo, () => demo.button("Resume: n2").click(), "pause", "n2", false);
      await asks(demo, () => demo.button("Isolate: n2").click(), "isolate", "n2", true);
      await asks(demo, () => demo.button("Reconnect: n2").click(), "isolate", "n2", false);
      await asks(demo, () => demo.button("Take a snapshot: n2").click(), "takeSnapshot", "n2");
      await asks(demo, () => demo.button("Make it leader: n2").click(), "transferLeadership", "n2");
      await demo.says("h1", /n2 leads/);
      await choose(demo, "n3");
      await asks(demo, () => demo.button("Kill: n3").click(), "kill", "n3");
      await asks(demo, () => demo.button("Start again: n3").click(), "restart", "n3");
      await asks(demo, () => demo.button("Wipe its disk: n3").click(), "wipe", "n3");
      await demo.says("raft-node-panel .reason", /Its disk was wiped\./);
      await asks(demo, () => demo.button("Remove: n3").click(), "removeNode", "n3");
      await demo.page.locator('[data-node="n3"]').waitFor({ state: "detached" });
    },
  },
  {
    name: "an action that is not possible shows the reason, and calls nothing",
    query: "nodes=3&runs",
    async run(demo) {
      await started(demo);
      await demo.script("s.set('n3', { home: 'server' })");
      await choose(demo, "n3");
      await demo.button("Kill: n3").press("Enter");
      await demo.says("raft-node-panel .reason", /n3 runs on a server\./);
      // Longer than until the next heartbeat.
      await demo.page.evaluate("new Promise((done) => setTimeout(done, 400))");
      await demo.says("raft-node-panel .reason", /n3 runs on a server\./);
      await choose(demo, "n1");
      await demo.button("Make it leader: n1").press("Enter");
      await demo.says("raft-node-panel .reason", /n1 is the leader already\./);
      await demo.script("s.set('n1', { home: 'another tab' })");
      await demo.page.locator('.deeds [aria-disabled="true"]').waitFor();
      await demo.page.locator('.deeds [aria-disabled="true"]').press("Enter");
      await demo.says(".answer", /n1 runs in another tab: close that tab/);
      assert.deepEqual(await demo.calls(), []);
    },
  },
  {
    name: "a link is cut one way and both ways, delayed, made lossy, restored, and healed",
    query: "nodes=3&runs",
    async run(demo) {
      await started(demo);
      await demo.page.getByLabel("Which link").selectOption("n2 ↔ n3");
      const there = demo.page.getByRole("group", { name: "n2 → n3" });
      const back = demo.page.getByRole("group", { name: "n3 → n2" });
      await asks(demo, () => there.getByLabel("Cut").check(), "setLink", link("n2", "n3", true));
      await demo.page.locator('.lane[data-state="cut"]').waitFor({ state: "attached" });
      await asks(demo, () => there.getByLabel("Cut").uncheck(), "setLink", link("n2", "n3", false));
      await asks(demo, () => back.getByLabel("Delay").fill("250"), "setLink", link("n3", "n2", false, 250));
      await asks(demo, () => back.getByLabel("Loss").fill("20"), "setLink", link("n3", "n2", false, 250, 0.2));
      await demo.says(".lane-label", /250 ms −20 %/);
      await asks(demo, () => demo.button("Cut both ways").click(), "setLink", link("n3", "n2", true));
      await demo.page.locator('.link[data-cut="both"]').waitFor();
      await asks(demo, () => demo.button("Restore").click(), "setLink", link("n3", "n2", false));
      await asks(demo, () => demo.button("Cut both ways").click(), "setLink", link("n2", "n3", true));
      await asks(demo, () => demo.button("Heal all links").click(), "heal");
      await demo.page.locator(".link[data-cut]").waitFor({ state: "detached" });
    },
  },
  {
    name: "a click on a line selects its link",
    query: "nodes=3&runs",
    async run(demo) {
      await started(demo);
      await demo.page.locator('[data-link="n2 n3"] .hit').click({ force: true });
      await demo.page.waitForFunction(`document.querySelector("raft-link-panel select").value === "n2 ↔ n3"`);
    },
  },
  {
    name: "a node is added, and another tab invited",
    query: "nodes=3&runs",
    context: { permissions: ["clipboard-read", "clipboard-write"] },
    async run(demo) {
      await started(demo);
      await asks(demo, () => demo.button("Add a node").click(), "addNode");
      await demo.page.locator('[data-node="n4"]').waitFor();
      await demo.says("h1", /leads 4 nodes/);
      await demo.button("Copy link").click();
      await demo.button("Copied").waitFor();
      // A link for others asks them before it joins; the own tab was asked already.
      assert.equal(await demo.page.evaluate("navigator.clipboard.readText()"), "http://localhost/?join");
      assert.equal(
        await demo.page.getByRole("link", { name: "Open another tab" }).getAttribute("href"),
        "http://localhost/?join=demo",
      );
    },
  },
  {
    name: "a failure is shown with its hint, until it is dismissed",
    query: "nodes=3&runs",
    async run(demo) {
      await started(demo);
      await demo.script("s.failure = new demo.RaftError('busy', 'too much is under way', { hint: 'Wait a moment.' })");
      await demo.button("Add a node").click();
      await demo.says(".notice", /Adding a node did not work\. Too much is under way\. Wait a moment\./);
      await demo.button("Dismiss").click();
      await demo.page.locator(".notice").waitFor({ state: "hidden" });
    },
  },
]);
