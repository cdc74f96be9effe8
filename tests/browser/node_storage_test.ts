import assert from "node:assert/strict";
import { eventually } from "../support/server_processes.ts";
import { Site } from "./browser.ts";
import { Browsing, type NodeTab } from "./node_tab.ts";
import { Profile } from "./profile.ts";

const MEMBERS = ["n1", "n2", "n3"];

/** Returns the events of a node's storage and of its end. */
async function heardOf(tab: NodeTab, id: string, event: string) {
  const heard = await tab.call("heard", id);
  return heard.filter((one) => one.event === event).map(({ detail }) => detail as Record<string, unknown>);
}

Deno.test("a leader whose database is deleted stops and reports it; the others continue", async () => {
  await using browsing = await Browsing.start();
  await browsing.begin(MEMBERS);
  const leader = await browsing.leader();
  const tab = browsing.of(leader);
  await tab.call("put", leader, "a", "1");
  const other = MEMBERS.find((id) => id !== leader)!;
  await browsing.of(other).call("deleteDatabase", `raft-core:tabs:${leader}`);
  await eventually("the page is notified", async () => (await tab.call("life", leader)).life === "stopped");
  const { reason, error } = await tab.call("life", leader);
  assert.match(reason, /deleted/);
  assert.equal(error?.code, "storage");
  const next = await browsing.leader(leader);
  assert.equal(await browsing.of(next).call("get", next, "a"), "1");

  await tab.call("close", leader);
  await tab.call("open", { id: leader, bootstrap: { members: MEMBERS } });
  const refused = await tab.failure("running", leader);
  assert.equal(refused.code, "refused");
  browsing.checkConsoles();
});

Deno.test("an idle follower whose database is deleted stops, too", async () => {
  await using browsing = await Browsing.start();
  await browsing.begin(MEMBERS);
  const leader = await browsing.leader();
  const follower = MEMBERS.find((id) => id !== leader)!;
  await browsing.of(leader).call("deleteDatabase", `raft-core:tabs:${follower}`);
  const tab = browsing.of(follower);
  await eventually("the page is notified", async () => (await tab.call("life", follower)).life === "stopped");
  assert.ok(await browsing.of(leader).call("put", leader, "a", "1") > 0);
  browsing.checkConsoles();
});

Deno.test("clearing site data stops every node of the browser, and the next start is a new cluster", async () => {
  await using browsing = await Browsing.start();
  await browsing.begin(MEMBERS);
  const leader = await browsing.leader();
  const { clusterId } = await browsing.of(leader).call("status", leader);
  await browsing.of(leader).call("put", leader, "a", "1");
  const devtools = await browsing.context.newCDPSession(browsing.of(leader).page);
  await devtools.send("Storage.clearDataForOrigin", { origin: browsing.site.origin, storageTypes: "all" });
  for (const id of MEMBERS) {
    await eventually(`${id} is stopped`, async () => (await browsing.of(id).call("life", id)).life === "stopped");
    await browsing.closeTab(id);
  }
  await browsing.begin(MEMBERS);
  const next = await browsing.leader();
  assert.notEqual((await browsing.of(next).call("status", next)).clusterId, clusterId);
  assert.equal(await browsing.of(next).call("get", next, "a"), null);
  browsing.checkConsoles();
});

Deno.test("with an exhausted quota a node steps down or stops, and reports it; with space the cluster continues", async () => {
  await using site = new Site();
  await using profile = await Profile.make();
  const context = await profile.launch();
  await using browsing = new Browsing(context, () => context.close(), site);
  const tab = await browsing.tab();
  const devtools = await context.newCDPSession(tab.page);
  const { origin } = site;
  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1_000_000 });
  for (const id of MEMBERS) {
    await tab.call("open", { id, bootstrap: { members: MEMBERS } });
    browsing.tabs.set(id, tab);
  }
  for (const id of MEMBERS) await tab.call("running", id);
  const leader = await browsing.leader();
  await tab.call("put", leader, "a", "1");

  const failed = await tab.failure("putRandom", leader, "large", 1_400_000);
  assert.match(failed.message, /QuotaExceededError|no outcome within/);
  const told = await eventually("the pages are notified", async () => {
    const errors = [];
    for (const id of MEMBERS) errors.push(...await heardOf(tab, id, "storageError"));
    return errors.length > 0 ? errors : undefined;
  });
  for (const { error, consequence } of told) {
    assert.match((error as { readonly message: string }).message, /no more space \(QuotaExceededError\)/);
    assert.ok(consequence === "steppedDown" || consequence === "stopped", `${consequence}`);
  }

  await devtools.send("Storage.overrideQuotaForOrigin", { origin });
  for (const id of MEMBERS) {
    if ((await tab.call("life", id)).life !== "stopped") continue;
    await tab.call("close", id);
    await tab.call("open", { id });
  }
  const next = await browsing.leader();
  assert.equal(await tab.call("get", next, "a"), "1");
  assert.ok(await tab.call("putRandom", next, "large", 1_400_000) > 0);
  browsing.checkConsoles();
});

Deno.test("acknowledged writes survive a browser that is killed in the middle of writes", async () => {
  await using site = new Site();
  await using profile = await Profile.make();
  const acknowledged = new Map<string, string>();
  for (let life = 0; life < 3; life++) {
    const context = await profile.launch();
    const browsing = new Browsing(context, () => context.close(), site);
    for (const id of MEMBERS) await browsing.open({ id, bootstrap: { members: MEMBERS } });
    for (const id of MEMBERS) await browsing.of(id).call("running", id);
    const leader = await browsing.leader();
    const tab = browsing.of(leader);
    const found = await tab.call("list", leader);
    for (const [key, value] of acknowledged) assert.equal(found[key], value, `after ${life} kills`);
    for (const id of MEMBERS) {
      // It ends with the browser.
      void (async () => {
        for (let i = 0;; i++) {
          const key = `${life}.${id}.${i}`;
          await browsing.of(id).call("put", id, key, key);
          acknowledged.set(key, key);
        }
      })().catch(() => {});
    }
    const enough = acknowledged.size + 30;
    await eventually("some writes are acknowledged", () => acknowledged.size >= enough);
    browsing.checkConsoles();
    await profile.kill(context);
  }
  const context = await profile.launch();
  const browsing = new Browsing(context, () => context.close(), site);
  for (const id of MEMBERS) await browsing.open({ id });
  const leader = await browsing.leader();
  const found = await browsing.of(leader).call("list", leader);
  for (const [key, value] of acknowledged) assert.equal(found[key], value);
  assert.ok(acknowledged.size >= 90);
  await context.close();
});

Deno.test("a node whose database the browser deleted as damaged says so until it is deleted by hand", async () => {
  await using site = new Site();
  await using profile = await Profile.make();
  const options = { id: "n1", bootstrap: { members: ["n1"] } };
  const life = async (work: (tab: NodeTab) => Promise<void>): Promise<void> => {
    const context = await profile.launch();
    const browsing = new Browsing(context, () => context.close(), site);
    await work(await browsing.tab());
    await profile.kill(context);
  };
  const write = async (tab: NodeTab): Promise<void> => {
    await tab.call("open", options);
    await tab.call("running", "n1");
    assert.ok(await tab.call("put", "n1", "a", "1") > 0);
  };

  await life(write);
  // LevelDB was killed between the header of a record, for 170 bytes, and its data.
  const [log] = await profile.databaseLogs();
  await Deno.writeFile(log!, Uint8Array.of(1, 2, 3, 4, 170, 0, 1), { append: true });
  await life(write);
  for (let start = 0; start < 2; start++) {
    await life(async (tab) => {
      const { code, message, hint } = await tab.failure("open", options);
      assert.equal(code, "damaged");
      assert.match(
        message,
        /^the browser found this site's databases damaged, and deleted raft-core:tabs:n1 with all its data: /,
      );
      assert.match(hint, /delete its database, and add it as a new node/);
    });
  }
  await life(async (tab) => {
    await tab.call("deleteDatabase", "raft-core:tabs:n1");
    await write(tab);
  });
});
