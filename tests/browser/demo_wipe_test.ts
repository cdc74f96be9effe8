import assert from "node:assert/strict";
import { launchChromium } from "./browser.ts";
import { DemoPage, DemoServer, inOrder } from "./demo.ts";

/** Notes that a node's disk is being wiped, as a page does that goes away before it has done so. */
function noteWiped(id: string): string {
  return `new Promise((resolve, reject) => {
    const opening = indexedDB.open("raft-demo");
    opening.onsuccess = () => {
      const transaction = opening.result.transaction("clusters", "readwrite");
      transaction.oncomplete = () => resolve(opening.result.close());
      transaction.onerror = reject;
      const store = transaction.objectStore("clusters");
      store.openCursor(IDBKeyRange.bound("cluster ", "cluster ~")).onsuccess = ({ target: { result } }) =>
        result.update({ ...result.value, wiped: ["${id}"] });
    };
  })`;
}

Deno.test("the demo: a node that was wiped or removed comes back as a new one, whatever came in between", async (test) => {
  const step = inOrder(test);
  await using server = new DemoServer();
  const url = await server.url();
  const browser = await launchChromium();
  const context = await browser.newContext();
  const demo = await DemoPage.open(context, url);
  const incarnation = (id: string): Promise<string> =>
    demo.until<string>(`Object.values(seen.nodes).find(({ role }) => role === "leader")?.membership.members
      .find(({ id }) => id === "${id}")?.incarnation`);
  try {
    await step("its page went away after the wipe was noted, and before the disk was deleted", async () => {
      await demo.leader();
      const [id = ""] = await demo.followers();
      const before = await incarnation(id);
      await demo.do(`kill("${id}")`);
      await demo.page.evaluate(noteWiped(id));
      await demo.do(`restart("${id}")`);
      await demo.until(`seen.nodes["${id}"].life === "running"`);
      await demo.voters("n1", "n2", "n3");
      await demo.until(`seen.nodes["${id}"].appliedIndex >= 4`);
      assert.notEqual(await incarnation(id), before);
    });

    /** Removes a node, and opens a page that is to run it; gives that page. */
    const removeAndAskFor = async (id: string): Promise<DemoPage> => {
      await demo.do(`removeNode("${id}")`);
      await demo.voters(...["n1", "n2", "n3"].filter((other) => other !== id));
      const other = await DemoPage.open(context, demo.page.url().replace(/nodes=.*/, `nodes=${id}`));
      await other.life(id, "running");
      await demo.voters("n1", "n2", "n3");
      return other;
    };

    await step("it was removed, and is asked for by a page again", async () => {
      const [id = ""] = await demo.followers();
      const other = await removeAndAskFor(id);
      await other.page.close();
      await demo.life(id, "away");
    });

    await step("it was removed while no page ran it", async () => {
      const id = (await demo.nodes()).find(({ life }) => life === "away")!.id;
      const other = await removeAndAskFor(id);
      other.requireQuiet();
    });
    demo.requireQuiet();
  } finally {
    await browser.close();
  }
});

Deno.test("the demo: a node that is started twice at once runs, and nobody says that it has stopped", async () => {
  await using server = new DemoServer();
  const browser = await launchChromium();
  try {
    const demo = await DemoPage.open(await browser.newContext(), await server.url());
    await demo.leader();
    const [id = ""] = await demo.followers();
    await demo.do(`kill("${id}")`);
    const since = (await demo.happened()).length;
    await demo.page.evaluate(`Promise.allSettled([1, 2].map(() => raftDemo.controls.restart("${id}")))`);
    await demo.life(id, "running");
    await demo.until(`seen.nodes["${id}"].leader !== null`);
    const lives = (await demo.happened()).slice(since).map(({ what }) => what.type === "life" ? what.life : "");
    assert.ok(!lives.includes("stopped"), lives.join());
    demo.requireQuiet();
  } finally {
    await browser.close();
  }
});

Deno.test("the demo: a cluster that has outlived those who began it still answers", async () => {
  await using server = new DemoServer();
  const browser = await launchChromium();
  try {
    const context = await browser.newContext();
    const first = await DemoPage.open(context, await server.url());
    await first.leader();
    const second = await DemoPage.open(context, await first.page.evaluate("raftDemo.controls.inviteUrl") as string);
    await second.voters("n1", "n2", "n3", "n4");
    await second.put("a", "1");
    for (const id of ["n1", "n2", "n3"]) await second.do(`removeNode("${id}")`);
    await second.voters("n4");
    await first.page.close();
    assert.equal(await second.get("a"), "1");
    const third = await DemoPage.open(context, second.page.url().replace(/nodes=.*/, "nodes="));
    assert.equal(await third.get("a"), "1");
  } finally {
    await browser.close();
  }
});
