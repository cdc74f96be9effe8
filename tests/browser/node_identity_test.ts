import assert from "node:assert/strict";
import { eventually } from "../support/server_processes.ts";
import { launchChromium, Site } from "./browser.ts";
import { Browsing } from "./node_tab.ts";

const MEMBERS = ["n1", "n2", "n3"];

Deno.test("a node whose database was deleted gets no vote under the old id, but advice that works", async () => {
  await using browsing = await Browsing.start();
  await browsing.begin(MEMBERS);
  const leader = await browsing.leader();
  const there = browsing.of(leader);
  const wiped = MEMBERS.find((id) => id !== leader)!;
  await there.call("put", leader, "a", "1");
  await browsing.closeTab(wiped);
  await there.call("deleteDatabase", `raft-core:tabs:${wiped}`);

  const tab = await browsing.open({ id: wiped, bootstrap: { members: MEMBERS } });
  const refused = await tab.failure("running", wiped);
  assert.deepEqual([refused.code, refused.outcome], ["refused", "rejected"]);
  assert.match(refused.message, /could vote twice/);
  assert.match(refused.hint, /evicted by the browser.*admin\.remove.*join/);
  assert.equal((await tab.call("life", wiped)).life, "stopped");
  await tab.call("close", wiped);

  await there.call("removeMember", leader, wiped);
  await tab.call("open", { id: wiped, join: { as: "voter" } });
  await tab.call("running", wiped);
  assert.equal(await tab.call("get", wiped, "a"), "1");
  const { members } = await tab.call("status", wiped);
  assert.deepEqual(members.map(({ suffrage }) => suffrage), ["voter", "voter", "voter"]);
  browsing.checkConsoles();
});

Deno.test("a tab that joins is a learner, gets the log, and becomes a voter when it is promoted", async () => {
  await using browsing = await Browsing.start();
  await browsing.begin(["n1"]);
  await browsing.of("n1").call("put", "n1", "a", "1");
  const tab = await browsing.open({ id: "n2", join: {} });
  await tab.call("running", "n2");
  const part = async () => (await tab.call("status", "n2")).members.find(({ id }) => id === "n2")?.suffrage;
  assert.equal(await part(), "learner");
  await eventually("it has the log", async () => await tab.call("get", "n2", "a", "stale") === "1");
  await tab.call("promoteMember", "n2", "n2");
  await eventually("it is a voter", async () => await part() === "voter");
  await tab.call("transferLeadership", "n2", "n2");
  assert.equal(await browsing.leader(), "n2");
  browsing.checkConsoles();
});

Deno.test("a duplicated tab doesn't open the node a second time: its page gets `locked`", async () => {
  await using browsing = await Browsing.start();
  await browsing.begin(["n1"]);
  const duplicate = await browsing.tab();
  const locked = await duplicate.failure("open", { id: "n1", bootstrap: { members: ["n1"] } });
  assert.equal(locked.code, "locked");
  assert.match(locked.hint, /tab/);
  assert.ok(await browsing.of("n1").call("put", "n1", "a", "1") > 0);

  await browsing.closeTab("n1");
  await duplicate.call("open", { id: "n1" });
  assert.equal(await duplicate.call("get", "n1", "a"), "1");
  browsing.checkConsoles();
});

Deno.test("a reloaded page gets its node back, even if the previous page has only just released it", async () => {
  await using browsing = await Browsing.start();
  await browsing.begin(["n1"]);
  const tab = browsing.of("n1");
  await tab.call("put", "n1", "a", "1");
  for (let i = 0; i < 5; i++) {
    await tab.page.reload();
    await tab.page.waitForFunction("globalThis.callNodes !== undefined");
    await tab.call("open", { id: "n1" });
    assert.equal(await tab.call("get", "n1", "a"), "1");
  }
  browsing.checkConsoles();
});

Deno.test("a private window has a node as long as it is open", async () => {
  const browser = await launchChromium();
  const site = new Site();
  try {
    for (let time = 0; time < 2; time++) {
      // A context of Playwright is like a private window.
      const context = await browser.newContext();
      const browsing = new Browsing(context, () => context.close(), site);
      const tab = await browsing.tab();
      const without = await tab.failure("open", { id: "n1" });
      assert.match(without.message, /the storage is empty/);
      await tab.call("open", { id: "n1", bootstrap: { members: ["n1"] } });
      assert.ok(await tab.call("put", "n1", "a", "1") > 0);
      await tab.page.reload();
      await tab.page.waitForFunction("globalThis.callNodes !== undefined");
      await tab.call("open", { id: "n1" });
      assert.equal(await tab.call("get", "n1", "a"), "1");
      browsing.checkConsoles();
      await context.close();
    }
  } finally {
    await browser.close();
    await site[Symbol.asyncDispose]();
  }
});
