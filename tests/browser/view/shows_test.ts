import assert from "node:assert/strict";
import { viewSuite } from "./view_suite.ts";

/** The cells of a node's log, as their terms and classes. */
const CELLS = (row: number): string =>
  `[...document.querySelectorAll(".log tbody tr:nth-child(${row}) td:not([hidden])")].map((cell) => ` +
  "`${cell.querySelector('.box').textContent} ${cell.className}`)";

viewSuite("what the view shows", [
  {
    name: "each state of a node has its word and its shape",
    query: "nodes=7",
    async run(demo) {
      await demo.script(`
        s.set("n1", { role: "leader", term: 3, leader: "n1", electionTimer: null });
        s.set("n2", { role: "candidate", term: 3 });
        s.set("n3", { role: "preCandidate" });
        s.set("n4", { life: "paused" });
        s.set("n5", { life: "killed" });
        s.set("n6", { membership: { ...s.view("n6").membership, voters: ["n1"], learners: ["n6"] } });
        s.set("n7", { home: "server", votedFor: "n2", term: 3 });
      `);
      const words = [
        /leader/,
        /candidate/,
        /pre-candidate/,
        /paused/,
        /killed/,
        /learner/,
        /follower\s+server\s+voted for n2/,
      ];
      for (const [index, word] of words.entries()) await demo.says(`[data-node="n${index + 1}"]`, word);
      const shown = async (id: string): Promise<string[]> =>
        await demo.page.evaluate(
          `[...document.querySelectorAll('[data-node="${id}"] .shape > *')].filter((one) => ` +
            `getComputedStyle(one).display !== "none").map((one) => one.getAttribute("class"))`,
        ) as string[];
      assert.deepEqual(await shown("n1"), ["round", "crown", "votes"]);
      assert.deepEqual(await shown("n2"), ["diamond", "votes"]);
      assert.deepEqual(await shown("n4"), ["round", "bars", "votes"]);
      assert.deepEqual(await shown("n5"), ["round", "cross", "votes"]);
    },
  },
  {
    name: "a campaign shows a tick for each voter",
    async run(demo) {
      await demo.script(`s.set("n1", { role: "candidate", term: 2, votes: [{ from: "n1", granted: true },
        { from: "n2", granted: false }] })`);
      await demo.page.locator('[data-node="n1"] .vote').nth(2).waitFor();
      const ticks = await demo.page.locator('[data-node="n1"] .vote').evaluateAll((all) =>
        all.map((one) => one.getAttribute("class"))
      );
      assert.deepEqual(ticks, ["vote granted", "vote denied", "vote open"]);
      await demo.script(`s.set("n1", { role: "follower", votes: [] })`);
      await demo.page.locator('[data-node="n1"] .vote').first().waitFor({ state: "detached" });
    },
  },
  {
    name: "the logs show terms, commit, applied, durable, the snapshot's end, and match and next",
    async run(demo) {
      await demo.script(`
        const entries = [1, 1, 2, 2].map((term, at) => ({ index: at + 1, term, type: "command", label: "put k = " + at }));
        const log = { entries, lastIndex: 4, durableIndex: 4, commitIndex: 3, appliedIndex: 3 };
        const progress = [{ id: "n2", matchIndex: 2, nextIndex: 4, state: "replicate" }];
        s.set("n1", { ...log, role: "leader", term: 2, progress });
        s.set("n2", { ...log, firstIndex: 3, entries: entries.slice(2, 3), lastIndex: 3, durableIndex: 2, commitIndex: 2,
          appliedIndex: 1, snapshot: { index: 2, term: 1 } });
      `);
      await demo.says(".entry-words", /^Entry 4: put k = 3 \(term 2\), in the log of n1\. Not committed\.$/);
      assert.deepEqual(await demo.page.evaluate(CELLS(1)), [
        "1 entry committed applied durable command",
        "1 entry committed applied durable command",
        "2 entry committed applied durable command",
        "2 entry durable command",
        " none",
        " none",
      ]);
      assert.deepEqual((await demo.page.evaluate(CELLS(2)) as string[]).slice(0, 3), [
        "· compacted committed applied durable",
        "· compacted committed durable boundary",
        "2 entry command",
      ]);
      const marks = await demo.page.locator(".log tbody tr:nth-child(2) .marks").allTextContents();
      assert.deepEqual(marks.slice(0, 5), ["", "m", "", "n", ""]);
      const title = await demo.page.locator(".log tbody tr:nth-child(1) td").nth(3).getAttribute("title");
      assert.equal(title, "4: put k = 3, term 2, durable");
    },
  },
  {
    name: "the logs follow their tail",
    query: "nodes=3",
    async run(demo) {
      await demo.script("s.elect('n1'); for (let at = 0; at < 60; at++) s.append('command', 'put k = ' + at)");
      await demo.says(".log thead button", /^62$/);
      const heads = await demo.page.locator(".log thead button").allTextContents();
      assert.deepEqual([heads[0], heads.at(-1)], ["33", "62"]);
    },
  },
  {
    name: "on a phone, too, the tail of the logs is visible",
    context: { viewport: { width: 360, height: 740 } },
    async run(demo) {
      await demo.script("s.elect('n1'); for (let at = 0; at < 60; at++) s.append('command', 'put k = ' + at)");
      await demo.says(".log thead button", /^62$/);
      const box = await demo.page.locator(".log thead button", { hasText: /^61$/ }).boundingBox();
      assert.ok(box !== null && box.x > 100 && box.x + box.width <= 360, JSON.stringify(box));
      const wide = await demo.page.evaluate("document.documentElement.scrollWidth");
      assert.equal(wide, 360);
    },
  },
  {
    name: "nodes and messages are tables too",
    async run(demo) {
      await demo.script(
        `s.elect("n1"); s.send("n1", "n2", "RequestVote", { label: "pre-vote", term: 7, fate: "cut" })`,
      );
      const row = demo.page.getByRole("row", { name: /^n1 this page leader 1 n1 n1/ });
      await row.waitFor();
      await demo.page.getByRole("row", { name: "n1 n2 RequestVote 7 pre-vote cut" }).waitFor();
    },
  },
  {
    name: "the feed gives reasons, links to the section, and pauses on request",
    async run(demo) {
      await demo.script(
        `s.happen("n3", { type: "voteDenied", to: "n1", term: 2, preVote: false, reason: "logBehind" })`,
      );
      await demo.says("raft-feed li", /n3 refused its vote to n1: its own log is more up to date/);
      const link = demo.page.locator("raft-feed li a").first();
      assert.equal(await link.textContent(), "§5.4.1");
      assert.equal(await link.getAttribute("href"), "https://raft.github.io/raft.pdf");
      await demo.button("Hold").click();
      await demo.script(`s.happen("n2", { type: "logTruncated", from: 4 })`);
      await demo.page.evaluate("new Promise((done) => setTimeout(done, 300))");
      assert.equal(await demo.page.locator("raft-feed li").count(), 1);
      await demo.button("Hold").click();
      await demo.says("raft-feed li", /n2 deleted its log from entry 4 on/);
    },
  },
  {
    name: "an entry that waits is explained in the feed and at the logs",
    query: "nodes=3&runs",
    async run(demo) {
      await demo.script(
        `s.elect("n1"); s.isolate("n2", true); s.isolate("n3", true); s.append("command", "put a = 1")`,
      );
      const why = /^Entry 2 is on n1 only: 1 of 3, and 2 are needed; n2 and n3 are cut off from n1\. §5\.3$/;
      await demo.says("raft-log-table .why", why);
      await demo.says("raft-feed .said", why);
      await demo.script(`s.heal(); s.append("command", "put b = 2")`);
      await demo.page.waitForFunction(`document.querySelector("raft-log-table .why").textContent === ""`);
    },
  },
  {
    name: "a node that is gone leaves the picture, the logs and the tables",
    async run(demo) {
      await demo.page.locator(".log tbody tr").nth(2).waitFor();
      await demo.script(`await s.removeNode("n2")`);
      await demo.page.locator('[data-node="n2"]').waitFor({ state: "detached" });
      await demo.page.waitForFunction(`document.querySelectorAll(".log tbody tr").length === 2`);
      assert.equal(await demo.page.locator(".link").count(), 1);
    },
  },
  {
    name: "messages are drawn on their way",
    async run(demo) {
      await demo.script(`s.send("n1", "n2", "AppendEntries"); s.advance(250)`);
      const painted = `(() => { const canvas = document.querySelector("canvas");
        return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((one) => one > 0); })()`;
      await demo.page.waitForFunction(painted);
    },
  },
]);
