import assert from "node:assert/strict";
import { RoughLife } from "../support/rough_life.ts";

/** Seed 81 found a node that refused its leader permanently: see docs/decisions/0006-a-namesake-may-lead.md. */
for (const seed of [...Array.from({ length: 15 }, (_, i) => i + 1), 81]) {
  Deno.test(`failing disks, pauses, changes and transfers lose nothing, and stop nothing for good: seed ${seed}`, async () => {
    await RoughLife.live({ seed });
  });
}

Deno.test("rough runs contain all kinds of trouble, and still make progress", async () => {
  const sum = new Map<string, number>();
  for (let seed = 101; seed <= 112; seed++) {
    const { counts } = await RoughLife.live({ seed });
    for (const [event, count] of Object.entries(counts)) sum.set(event, (sum.get(event) ?? 0) + count);
  }
  assert(sum.get("done")! > 1000);
  const outcomes = ["rejected", "unknown", "read", "administered"];
  const faults = ["crash", "restart", "fail", "failLeader", "doubt", "hang", "hangLeader", "pause", "freeze", "clock"];
  assert.deepEqual([...outcomes, ...faults, "transfer", "add", "snapshot"].filter((event) => !sum.has(event)), []);
});
