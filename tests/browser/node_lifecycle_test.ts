import assert from "node:assert/strict";
import { eventually } from "../support/server_processes.ts";
import { Browsing, type NodeTab } from "./node_tab.ts";

const MEMBERS = ["n1", "n2", "n3"];

/** Freezes a tab, as Chromium does after a long time in the background, or unfreezes it. */
async function setLifecycle(browsing: Browsing, tab: NodeTab, state: "frozen" | "active"): Promise<void> {
  const devtools = await browsing.context.newCDPSession(tab.page);
  await devtools.send("Page.setWebLifecycleState", { state });
  await devtools.detach();
}

/** Returns the reasons of elections, from the events of this node's page. */
async function elections(tab: NodeTab, id: string): Promise<string[]> {
  const heard = await tab.call("heard", id);
  return heard.map(({ detail }) => detail as { readonly type?: string; readonly reason?: string })
    .filter(({ type }) => type === "electionStarted").map(({ reason }) => reason ?? "");
}

Deno.test("a hidden tab continues: its timers are throttled, and its worker leads the cluster as before", async () => {
  await using browsing = await Browsing.startHiding();
  await browsing.begin(MEMBERS);
  const leader = await browsing.leader();
  const tab = browsing.of(leader);
  await browsing.of(MEMBERS.find((id) => id !== leader)!).page.bringToFront();
  await eventually("the tab is hidden", async () => await tab.call("visibility") === "hidden");
  const { term } = await tab.call("status", leader);
  const ticks = tab.call("timerTicks", 5000);
  let over = false;
  void ticks.finally(() => over = true).catch(() => {});
  for (let i = 0; !over; i++) await tab.call("put", leader, `${i}`, "x");
  assert.ok(await ticks <= 10, `a page's timer that should fire 100 times in 5 s fired ${await ticks} times`);
  const after = await tab.call("status", leader);
  assert.deepEqual([after.role, after.term], ["leader", term], "ten election timeouts long");
  browsing.checkConsoles();
});

/** Freezes the leader's page until another node leads, and returns the reason of the election. */
async function freezeLeader(browsing: Browsing, round: number): Promise<string[]> {
  const frozen = await browsing.leader();
  const tab = browsing.of(frozen);
  const others = MEMBERS.filter((id) => id !== frozen);
  const before = new Map<string, number>();
  for (const id of others) before.set(id, (await elections(browsing.of(id), id)).length);
  await setLifecycle(browsing, tab, "frozen");
  const next = await browsing.leader(frozen);
  const since: string[] = [];
  for (const id of others) since.push(...(await elections(browsing.of(id), id)).slice(before.get(id)));
  await browsing.of(next).call("put", next, "round", `${round}`);
  const { term } = await browsing.of(next).call("status", next);
  await setLifecycle(browsing, tab, "active");
  await eventually("it has caught up", async () => await tab.call("get", frozen, "round", "stale") === `${round}`);
  const lives = (await tab.call("heard", frozen)).filter(({ event }) => event === "life")
    .map(({ detail }) => (detail as { readonly life: string }).life);
  assert.deepEqual(lives.slice(-2), ["paused", "running"]);
  const status = await tab.call("status", frozen);
  assert.deepEqual([status.leader?.id, status.term], [next, term], "its return causes no election");
  return since;
}

Deno.test("a frozen leader's page hands leadership over if there is time, and its node follows afterwards", async () => {
  await using browsing = await Browsing.startHiding();
  await browsing.begin(MEMBERS);
  // Browsers promise a page no time at all, least of all on a busy machine.
  let handedOver = false;
  for (let round = 1; round <= 5 && !handedOver; round++) {
    const why = await freezeLeader(browsing, round);
    handedOver = why.join() === "transfer";
  }
  assert.ok(handedOver, "each time the others had to wait for an election timeout");
  browsing.checkConsoles();
});

Deno.test("a leader that is frozen without warning is replaced, and serves no stale lease read afterwards", async () => {
  await using browsing = await Browsing.startHiding();
  for (const id of MEMBERS) {
    const tab = await browsing.tab();
    await tab.call("open", { id, bootstrap: { members: MEMBERS }, leaseReads: true }, false);
    browsing.tabs.set(id, tab);
  }
  const frozen = await browsing.leader();
  const tab = browsing.of(frozen);
  await tab.call("put", frozen, "a", "old");
  assert.equal(await tab.call("leaseRead", frozen, "a"), "old");
  await setLifecycle(browsing, tab, "frozen");
  const next = await browsing.leader(frozen);
  await browsing.of(next).call("put", next, "a", "new");
  // Sent while it is frozen: the worker handles it first, before any other message.
  const read = tab.page.evaluate(`globalThis.callNodes("leaseRead", ${JSON.stringify([frozen, "a"])})`);
  await setLifecycle(browsing, tab, "active");
  const answer = await read as { readonly ok: boolean; readonly value?: string; readonly error?: { code: string } };
  assert.notEqual(answer.value, "old");
  await eventually("it follows", async () => (await tab.call("status", frozen)).leader?.id === next);
  assert.equal(await tab.call("get", frozen, "a"), "new");
  browsing.checkConsoles();
});

Deno.test("after all tabs were frozen, the cluster continues as soon as a quorum does", async () => {
  await using browsing = await Browsing.startHiding();
  await browsing.begin(MEMBERS);
  await browsing.of("n1").call("put", "n1", "a", "1");
  for (const id of MEMBERS) await setLifecycle(browsing, browsing.of(id), "frozen");
  for (const id of ["n1", "n2"]) await setLifecycle(browsing, browsing.of(id), "active");
  await browsing.leader("n3");
  assert.equal(await browsing.of("n2").call("get", "n2", "a"), "1");
  assert.ok(await browsing.of("n1").call("put", "n1", "a", "2") > 0);
  await setLifecycle(browsing, browsing.of("n3"), "active");
  await eventually("n3 has it", async () => await browsing.of("n3").call("get", "n3", "a", "stale") === "2");
  browsing.checkConsoles();
});

Deno.test("a leader's tab that navigates away hands leadership over if there is time, and releases the node", async () => {
  await using browsing = await Browsing.start();
  await browsing.begin(MEMBERS);
  const left = await browsing.leader();
  const tab = browsing.of(left);
  await tab.call("put", left, "a", "1");
  await tab.page.goto("about:blank");
  const next = await browsing.leader(left);
  assert.equal(await browsing.of(next).call("get", next, "a"), "1");
  const again = await browsing.open({ id: left });
  assert.equal(await again.call("get", left, "a"), "1");
  browsing.checkConsoles();
});
