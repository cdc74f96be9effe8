import assert from "node:assert/strict";
import type { KeyValueAnswer } from "../../browser-demo/source.ts";
import { launchChromium } from "./browser.ts";
import { DemoPage, DemoServer, inOrder } from "./demo.ts";

Deno.test("the demo: a cluster of three nodes in a tab, and every control", async (test) => {
  await using server = new DemoServer();
  const url = await server.url();
  const browser = await launchChromium();
  const context = await browser.newContext();
  const demo = await DemoPage.open(context, url);
  const step = inOrder(test);
  try {
    await step("a leader is elected within seconds", async () => {
      await demo.leader();
      console.log(`a cluster of three runs ${(demo.ageMs / 1000).toFixed(1)} s after the page was opened`);
      assert.equal(
        (await demo.nodes()).filter(({ home, life }) => home === "this page" && life === "running").length,
        3,
      );
    });

    await step("a value survives the death of the leader", async () => {
      const leader = await demo.leader();
      const answer = await demo.put("colour", "green");
      assert.equal(answer.servedBy, leader);
      await demo.do(`kill("${leader}")`);
      await demo.life(leader, "killed");
      const read = await demo.do<KeyValueAnswer>(`get("colour", "linearizable")`);
      assert.equal(read.value, "green");
      assert.equal(read.version, answer.version);
      assert.notEqual(read.servedBy, leader);
      await demo.leader(leader);
      await demo.do(`restart("${leader}")`);
      await demo.until(
        `seen.nodes["${leader}"].life === "running" && seen.nodes["${leader}"].commitIndex >= ${answer.version}`,
      );
      assert.ok((await demo.node(leader)).entries.some(({ label }) => label === "colour = green"));
    });

    await step("messages to a killed node are shown as lost", async () => {
      const [follower] = await demo.followers();
      await demo.do(`kill("${follower}")`);
      await demo.until(`seen.messages.some((one) => one.to === "${follower}" && one.fate === "lost")`);
      await demo.do(`restart("${follower}")`);
      await demo.life(follower!, "running");
    });

    await step("a paused leader is replaced, and follows after it is resumed", async () => {
      const leader = await demo.leader();
      await demo.do(`pause("${leader}", true)`);
      await demo.life(leader, "paused");
      const next = await demo.leader(leader);
      assert.equal((await demo.node(leader)).role, "leader");
      await demo.do(`pause("${leader}", false)`);
      await demo.until(`seen.nodes["${leader}"].life === "running" && seen.nodes["${leader}"].leader === "${next}"`);
    });

    await step("a key is removed, and a stale read is answered by the chosen node", async () => {
      await demo.put("fruit", "pear");
      const [follower] = await demo.followers();
      await demo.until(`seen.nodes["${follower}"].appliedIndex === seen.nodes["${await demo.leader()}"].appliedIndex`);
      const stale = await demo.do<KeyValueAnswer>(`get("fruit", "stale", "${follower}")`);
      assert.equal(stale.value, "pear");
      assert.equal(stale.servedBy, follower);
      await demo.do(`remove("fruit")`);
      assert.equal(await demo.get("fruit"), null);
    });

    await step("leadership is transferred to the chosen node", async () => {
      const [follower] = await demo.followers();
      await demo.do(`transferLeadership("${follower}")`);
      await demo.until(`seen.nodes["${follower}"].role === "leader"`);
    });

    await step("a snapshot is taken", async () => {
      const leader = await demo.leader();
      await demo.do(`takeSnapshot("${leader}")`);
      const snapshot = await demo.until<number>(`seen.nodes["${leader}"].snapshot?.index`);
      assert.ok(snapshot >= 4);
      await demo.until(`seen.events.some(({ what }) => what.type === "snapshot" && what.index === ${snapshot})`);
    });

    await step("an isolated leader is replaced, and follows after it is reconnected", async () => {
      const leader = await demo.leader();
      await demo.do(`isolate("${leader}", true)`);
      await demo.until(`Object.values(seen.links).filter(({ cut }) => cut).length === 4`);
      await demo.leader(leader);
      await demo.until(`seen.nodes["${leader}"].role !== "leader"`);
      await demo.until(`seen.messages.some((one) => one.to === "${leader}" && one.fate === "cut")`);
      await demo.do("heal()");
      await demo.until(`Object.values(seen.links).every(({ cut }) => !cut)`);
      await demo.until(`seen.nodes["${leader}"].leader !== null`);
    });

    await step("a link that is cut one way carries messages the other way", async () => {
      const leader = await demo.leader();
      const [follower] = await demo.followers();
      await demo.do(`setLink({ from: "${leader}", to: "${follower}", cut: true, delayMs: 0, loss: 0 })`);
      await demo.until(`seen.nodes["${follower}"].role === "preCandidate"`);
      await demo.until(`seen.messages.some((one) => one.from === "${follower}" && one.to === "${leader}" &&
        one.type === "RequestVote" && one.fate === "delivered")`);
      assert.equal(await demo.leader(), leader);
      await demo.do("heal()");
      await demo.until(`seen.nodes["${follower}"].leader === "${leader}"`);
    });

    await step("a slow link delays an answer", async () => {
      const leader = await demo.leader();
      for (const follower of await demo.followers()) {
        await demo.do(`setLink({ from: "${leader}", to: "${follower}", cut: false, delayMs: 400, loss: 0 })`);
      }
      await demo.until(`Object.values(seen.links).filter(({ delayMs }) => delayMs === 400).length === 2`);
      assert.ok((await demo.put("slow", "yes")).tookMs >= 400);
      await demo.do("heal()");
      await demo.until(`Object.values(seen.links).every(({ delayMs }) => delayMs === 0)`);
    });

    await step("a lossy link loses messages, and the cluster continues", async () => {
      const leader = await demo.leader();
      const [follower] = await demo.followers();
      await demo.do(`setLink({ from: "${leader}", to: "${follower}", cut: false, delayMs: 0, loss: 0.5 })`);
      await demo.until(`seen.messages.some((one) => one.to === "${follower}" && one.fate === "lost")`);
      await demo.put("lossy", "yes");
      await demo.do("heal()");
      await demo.until(`Object.values(seen.links).every(({ loss }) => loss === 0)`);
    });

    await step("a wiped node comes back as a new one", async () => {
      const leader = await demo.leader();
      const [follower = ""] = await demo.followers();
      const incarnation =
        `seen.nodes["${leader}"].membership.members.find(({ id }) => id === "${follower}")?.incarnation`;
      const before = await demo.until<string>(incarnation);
      await demo.do(`wipe("${follower}")`);
      await demo.until(`seen.nodes["${follower}"].life === "killed" && seen.nodes["${follower}"].lastIndex === 0`);
      await demo.do(`restart("${follower}")`);
      await demo.voters("n1", "n2", "n3");
      assert.notEqual(await demo.until<string>(incarnation), before);
      await demo.until(`seen.nodes["${follower}"].appliedIndex >= 4`);
    });

    await step(
      "a node whose database was deleted stops, can't return as the same member, but can join as a new one",
      async () => {
        const [follower = ""] = await demo.followers();
        await demo.page.evaluate(`indexedDB.databases().then((all) => {
        indexedDB.deleteDatabase(all.find(({ name }) => name.endsWith("${follower}")).name);
      })`);
        await demo.until(`seen.nodes["${follower}"].life === "stopped" && seen.nodes["${follower}"].lifeReason !== ""`);
        await demo.do(`restart("${follower}")`);
        await demo.until(`seen.nodes["${follower}"].life === "stopped" &&
        seen.nodes["${follower}"].lifeReason.includes("vote")`);
        await demo.do(`wipe("${follower}")`);
        await demo.do(`restart("${follower}")`);
        await demo.until(`seen.nodes["${follower}"].life === "running" && seen.nodes["${follower}"].appliedIndex >= 4`);
        await demo.voters("n1", "n2", "n3");
      },
    );

    await step("a node is added, takes part, and is removed with its disk", async () => {
      const added = await demo.do<string>("addNode()");
      assert.equal(added, "n4");
      await demo.voters("n1", "n2", "n3", "n4");
      assert.match(demo.page.url(), /nodes=n1,n2,n3,n4$/);
      const databases = "indexedDB.databases().then((all) => all.filter(({ name }) => name.includes('n4')).length)";
      assert.equal(await demo.page.evaluate(databases), 1);
      await demo.do(`removeNode("n4")`);
      await demo.voters("n1", "n2", "n3");
      await demo.until(`seen.nodes.n4 === undefined`);
      assert.match(demo.page.url(), /nodes=n1,n2,n3$/);
      assert.equal(await demo.page.evaluate(databases), 0);
      await demo.put("still", "here");
    });

    await step("the page comes back with its nodes and its data", async () => {
      const { term } = await demo.node(await demo.leader());
      await demo.page.reload();
      await demo.observe();
      await demo.leader();
      assert.equal(await demo.get("still"), "here");
      assert.ok((await demo.node(await demo.leader())).term > term);
    });

    await step("the console is empty", () => demo.requireQuiet());
  } finally {
    await browser.close();
  }
});
