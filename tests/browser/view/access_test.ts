import assert from "node:assert/strict";
import axe from "axe-core";
import type { Demo } from "./view_suite.ts";
import { viewSuite } from "./view_suite.ts";

/** Returns all violations that axe-core finds, in words. */
async function violations(demo: Demo): Promise<string[]> {
  await demo.page.evaluate(axe.source);
  const found = await demo.page.evaluate("axe.run()") as {
    violations: { id: string; nodes: { target: string[]; failureSummary: string }[] }[];
  };
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`)
  );
}

/** A cluster with everything that the view can show. */
const MIXED = `
  s.elect("n1");
  await s.put("colour", "blue");
  s.isolate("n3", true);
  s.setLink({ from: "n1", to: "n2", cut: false, delayMs: 200, loss: 0.1 });
  await s.takeSnapshot("n2");
  await s.kill("n4");
  s.set("n5", { role: "candidate", term: 4, votes: [{ from: "n5", granted: true }, { from: "n3", granted: false }] });
  s.happen("n3", { type: "voteDenied", to: "n5", term: 4, preVote: false, reason: "logBehind" });
`;

const LOOKS = [
  { name: "light", context: { colorScheme: "light" } },
  { name: "dark", context: { colorScheme: "dark" } },
  { name: "a phone's width, light", context: { colorScheme: "light", viewport: { width: 360, height: 740 } } },
  { name: "a phone's width, dark", context: { colorScheme: "dark", viewport: { width: 360, height: 740 } } },
] as const;

viewSuite("accessibility of the view", [
  ...LOOKS.map(({ name, context }) => ({
    name: `axe-core finds nothing: ${name}`,
    query: "nodes=5&runs",
    context,
    async run(demo: Demo): Promise<void> {
      await demo.script(MIXED);
      await demo.says("raft-feed li", /n3 refused its vote/);
      await demo.script("s.failure = new demo.RaftError('busy', 'too much is under way', { hint: 'Wait.' })");
      await demo.button("Add a node").click();
      await demo.says(".notice", /Wait/);
      assert.deepEqual(await violations(demo), []);
      const wide = await demo.page.evaluate("document.documentElement.scrollWidth - innerWidth");
      assert.equal(wide, 0, "the page is wider than the screen");
    },
  })),
  {
    name: "by keyboard alone: put, kill the leader, get, select a node and an entry, cut a link",
    query: "nodes=3&runs",
    async run(demo) {
      await demo.script("s.elect('n1')");
      await demo.says("h1", /n1 leads/);
      const { keyboard } = demo.page;
      /** Presses the tab key until an element of this name has the focus. */
      const reach = async (name: RegExp): Promise<void> => {
        for (let steps = 0; steps < 120; steps++) {
          await keyboard.press("Tab");
          const focused = await demo.page.evaluate(
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.labels?.[0]?.textContent ?? " +
              "document.activeElement.textContent",
          ) as string;
          if (name.test(focused.trim())) {
            const outline = await demo.page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
            assert.equal(outline, "solid", `the focus on ${name} can't be seen`);
            return;
          }
        }
        throw new Error(`the tab key does not reach ${name}`);
      };
      await reach(/^n2 term/);
      await keyboard.press("Enter");
      await demo.page.waitForFunction(`document.querySelector("raft-node-panel select").value === "n2"`);
      await reach(/^Value$/);
      await keyboard.type("red");
      await keyboard.press("Enter");
      await demo.says(".answer", /colour is now “red”/);
      await reach(/^Kill the leader \(n1\)$/);
      await keyboard.press("Space");
      await demo.says("h1", /n2 leads 3 nodes in term 2/);
      await reach(/^Isolate: n2$/);
      await reach(/^Cut$/);
      await keyboard.press("Space");
      await reach(/^Entry 3$/);
      await keyboard.press("ArrowLeft");
      await demo.says(".entry-words", /^Entry 2: put colour = red/);
      const names = (await demo.calls()).map(([name]) => name);
      assert.deepEqual(names, ["put", "kill", "setLink"]);
    },
  },
  {
    name: "important events are announced in the live region, one at a time",
    async run(demo) {
      await demo.script(`s.elect("n1"); await s.kill("n3")`);
      await demo.says('[role="status"].visually-hidden', /^n1 leads in term 1/);
      await demo.says('[role="status"].visually-hidden', /^n3 was killed/);
    },
  },
  {
    name: "with reduced motion nothing flies: a message lights up its lane, and does not move",
    context: { reducedMotion: "reduce" },
    async run(demo) {
      const picture = `document.querySelector("canvas").toDataURL()`;
      await demo.script(`for (const id of ["n1", "n2", "n3"]) s.set(id, { electionTimer: null });`);
      const frame = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";
      await demo.page.evaluate(frame);
      const empty = JSON.stringify(await demo.page.evaluate(picture));
      await demo.script(`s.send("n1", "n2", "AppendEntries"); s.advance(250)`);
      await demo.page.waitForFunction(`${picture} !== ${empty}`);
      const lit = await demo.page.evaluate(picture);
      await demo.script("s.advance(200)");
      await demo.page.evaluate(frame);
      assert.equal(await demo.page.evaluate(picture), lit);
      await demo.script("s.advance(10_000)");
      await demo.page.waitForFunction(`${picture} === ${empty}`);
    },
  },
  {
    name: "the theme can be switched",
    context: { colorScheme: "light" },
    async run(demo) {
      const ground = `getComputedStyle(document.querySelector(".raft-demo")).backgroundColor`;
      assert.equal(await demo.page.evaluate(ground), "rgb(246, 246, 243)");
      await demo.button("Dark or light").click();
      assert.equal(await demo.page.evaluate(ground), "rgb(15, 18, 23)");
      await demo.button("Dark or light").click();
      assert.equal(await demo.page.evaluate(ground), "rgb(246, 246, 243)");
    },
  },
]);
