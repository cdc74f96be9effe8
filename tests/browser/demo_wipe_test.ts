import assert from "node:assert/strict";
import { launchChromium } from "./browser.ts";
import { DemoPage, DemoServer, inOrder } from "./demo.ts";

/** Records that a node's disk is being wiped, like a page that closes before it is. */
function recordWipe(id: string): string {
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

Deno.test("the demo: a node that was wiped or removed returns as a new one, in spite of interruptions", async (test) => {
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
    await step("its page closed after the wipe was recorded, and before the disk was deleted", async () => {
      await demo.leader();
      const [id = ""] = await demo.followers();
      const before = await incarnation(id);
      await demo.do(`kill("${id}")`);
      await demo.page.evaluate(recordWipe(id));
      await demo.do(`restart("${id}")`);
      await demo.until(`seen.nodes["${id}"].life === "running"`);
      await demo.voters("n1", "n2", "n3");
      await demo.until(`seen.nodes["${id}"].appliedIndex >= 4`);
      assert.notEqual(await incarnation(id), before);
    });

    /** Removes a node, and returns a new page that should run it. */
    const removeAndReopen = async (id: string): Promise<DemoPage> => {
      await demo.do(`removeNode("${id}")`);
      await demo.voters(...["n1", "n2", "n3"].filter((other) => other !== id));
      const other = await DemoPage.open(context, demo.page.url().replace(/nodes=.*/, `nodes=${id}`));
      await other.life(id, "running");
      await demo.voters("n1", "n2", "n3");
      return other;
    };

    await step("it was removed, and a page is opened for it", async () => {
      const [id = ""] = await demo.followers();
      const other = await removeAndReopen(id);
      await other.page.close();
      await demo.life(id, "away");
    });

    await step("it was removed while no page ran it", async () => {
      const id = (await demo.nodes()).find(({ life }) => life === "away")!.id;
      const other = await removeAndReopen(id);
      other.requireQuiet();
    });
    demo.requireQuiet();
  } finally {
    await browser.close();
  }
});

Deno.test("the demo: a node that is started twice at once runs, and never shows as stopped", async () => {
  await using server = new DemoServer();
  const browser = await launchChromium();
  try {
    const demo = await DemoPage.open(await browser.newContext(), await server.url());
    await demo.leader();
    const [id = ""] = await demo.followers();
    await demo.do(`kill("${id}")`);
    const since = (await demo.events()).length;
    await demo.page.evaluate(`Promise.allSettled([1, 2].map(() => raftDemo.restart("${id}")))`);
    await demo.life(id, "running");
    await demo.until(`seen.nodes["${id}"].leader !== null`);
    const lives = (await demo.events()).slice(since).map(({ what }) => what.type === "life" ? what.life : "");
    assert.ok(!lives.includes("stopped"), lives.join());
    demo.requireQuiet();
  } finally {
    await browser.close();
  }
});

Deno.test("the demo: a cluster that has outlived its founders still answers", async () => {
  await using server = new DemoServer();
  const browser = await launchChromium();
  try {
    const context = await browser.newContext();
    const first = await DemoPage.open(context, await server.url());
    await first.leader();
    const second = await DemoPage.open(context, await first.page.evaluate("raftDemo.inviteUrl") as string);
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
