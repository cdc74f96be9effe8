/**
 * Seeds of the parts that whole clusters leave out: `deno task simulate --parts` runs more of them.
 */

import assert from "node:assert/strict";
import { simulateLanes } from "./lanes.ts";
import { simulateLock } from "./lock.ts";
import { simulateServers } from "./servers.ts";
import { simulateTabs } from "./tabs.ts";
import type { PartsResult } from "./world.ts";

/** Runs seeds, fails with the first violation, and returns the sums of the counts. */
async function runAll(
  simulate: (seed: number) => Promise<PartsResult>,
  seeds: number,
): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (let seed = 1; seed <= seeds; seed++) {
    const { violation, counts } = await simulate(seed);
    assert.equal(violation, null, `seed ${seed}`);
    for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}

function assertOccurred(counts: Record<string, number>, names: readonly string[]): void {
  assert.deepEqual(names.filter((name) => (counts[name] ?? 0) === 0), [], "did not occur");
}

async function assertRepeats(simulate: (seed: number) => Promise<PartsResult>, seed: number): Promise<void> {
  const [first, again] = [await simulate(seed), await simulate(seed)];
  assert.deepEqual(first, again);
  assert.notEqual((await simulate(seed + 1)).traceHash, first.traceHash);
}

Deno.test("lanes: in order, once, within their limits; back-off and hang detection keep their bounds", async () => {
  const counts = await runAll(simulateLanes, 15);
  assertOccurred(counts, [
    "connected",
    "failed",
    "hung",
    "dropped",
    "link cut",
    "server down",
    "connection reset",
    "connection half-open",
  ]);
  await assertRepeats(simulateLanes, 3);
});

Deno.test("servers: REST is linearizable, watches miss nothing, the guard refuses, and nothing is left when idle", async () => {
  const counts = await runAll(simulateServers, 12);
  assertOccurred(counts, [
    "status 200",
    "status 201",
    "status 404",
    "status 412",
    "status 503",
    "change watched",
    "watch ended: compacted",
    "probe of the guard",
    "put with a session",
    "server killed",
    "link cut",
    "connection reset",
    "connection half-open",
    "search: linearizable",
  ]);
  await assertRepeats(simulateServers, 5);
});

Deno.test("lock: one process holds a folder, that of a dead one is taken over, and none is refused for nothing", async () => {
  const counts = await runAll(simulateLock, 100);
  assertOccurred(counts, ["lock taken", "lock refused", "process stopped", "holder died", "machine restarted"]);
  await assertRepeats(simulateLock, 7);
});

Deno.test("tabs: messages arrive in order, once and within their limits; tabs know who is there, and calls end", async () => {
  const counts = await runAll(simulateTabs, 30);
  assertOccurred(counts, [
    "tab: kill",
    "tab: reload",
    "tab: close",
    "tab: freeze",
    "tab: duplicate",
    "tab refused",
    "message received",
    "message dropped",
    "call done",
    "call rejected",
    "call unknown",
  ]);
  await assertRepeats(simulateTabs, 4);
});
