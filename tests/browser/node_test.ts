import assert from "node:assert/strict";
import { eventually } from "../support/server_processes.ts";
import { Browsing } from "./node_tab.ts";

Deno.test("a single node runs in a worker on IndexedDB", async () => {
  await using browsing = await Browsing.start();
  const tab = await browsing.open({ id: "n1", bootstrap: { members: ["n1"] } });
  await tab.call("running", "n1");
  assert.ok(await tab.call("put", "n1", "a", "1") > 0);
  await tab.call("close", "n1");
  await tab.call("open", { id: "n1" });
  assert.equal(await tab.call("get", "n1", "a"), "1");
  browsing.checkConsoles();
});

Deno.test("three nodes run in three workers of one page; when the leader's worker is killed, another leads", async () => {
  await using browsing = await Browsing.start();
  const tab = await browsing.tab();
  const members = ["n1", "n2", "n3"];
  for (const id of members) {
    await tab.call("open", { id, bootstrap: { members } });
    browsing.tabs.set(id, tab);
  }
  for (const id of members) await tab.call("running", id);
  const first = await browsing.leader();
  await tab.call("put", first, "a", "1");
  await tab.call("kill", first);
  browsing.tabs.delete(first);
  const second = await browsing.leader();
  assert.equal(await tab.call("get", second, "a"), "1");
  await tab.call("open", { id: first });
  await tab.call("put", second, "b", "2");
  await eventually("the killed node has both again", async () => {
    const both = [await tab.call("get", first, "a", "stale"), await tab.call("get", first, "b", "stale")];
    return both.join() === "1,2";
  });
  browsing.checkConsoles();
});

Deno.test("three tabs form a cluster; one is closed and reopened, and recovers from its disk", async () => {
  await using browsing = await Browsing.start();
  const members = ["n1", "n2", "n3"];
  await browsing.begin(members);
  const leader = await browsing.leader();
  const other = members.find((id) => id !== leader)!;
  await browsing.of(leader).call("put", leader, "a", "1");
  const before = await browsing.of(other).call("status", other);
  await eventually("the other has the write", async () => {
    return await browsing.of(other).call("get", other, "a", "stale") === "1";
  });
  await browsing.closeTab(other);
  await browsing.of(leader).call("put", leader, "b", "2");
  const again = await browsing.open({ id: other, bootstrap: { members } });
  await again.call("running", other);
  assert.equal((await again.call("status", other)).incarnation, before.incarnation);
  await eventually("what it had", async () => await again.call("get", other, "a", "stale") === "1");
  await eventually("what it missed", async () => await again.call("get", other, "b", "stale") === "2");
  assert.deepEqual(await again.call("list", other), { a: "1", b: "2" });
  browsing.checkConsoles();
});

Deno.test("when the leader's tab is closed, another leads, and no acknowledged write is lost", async () => {
  await using browsing = await Browsing.start();
  const members = ["n1", "n2", "n3"];
  await browsing.begin(members);
  const acknowledged: Record<string, string> = {};
  for (let round = 0; round < 3; round++) {
    const leader = await browsing.leader();
    for (let i = 0; i < 5; i++) {
      const key = `${round}.${i}`;
      await browsing.of(leader).call("put", leader, key, key);
      acknowledged[key] = key;
    }
    await browsing.closeTab(leader);
    const next = await browsing.leader();
    assert.notEqual(next, leader);
    assert.deepEqual(await browsing.of(next).call("list", next), acknowledged);
    await browsing.open({ id: leader, bootstrap: { members } });
  }
  browsing.checkConsoles();
});

Deno.test("when all tabs are closed and reopened, the cluster recovers from its disks", async () => {
  await using browsing = await Browsing.start();
  const members = ["n1", "n2", "n3"];
  await browsing.begin(members);
  const leader = await browsing.leader();
  await browsing.of(leader).call("put", leader, "a", "1");
  for (const id of members) await browsing.closeTab(id);
  for (const id of members) await browsing.open({ id, bootstrap: { members } });
  const next = await browsing.leader();
  assert.equal(await browsing.of(next).call("get", next, "a"), "1");
  browsing.checkConsoles();
});
