import { strict as assert } from "node:assert";
import { Cluster } from "../support/cluster.ts";

Deno.test("a new cluster elects one leader, and replicates what it is asked to (§5.2, §5.3)", async () => {
  const cluster = await Cluster.start();
  const leader = await cluster.leader();
  const proposed = await cluster.propose(leader, "a", "b", "c");
  assert.deepEqual(proposed.map(({ index }) => index), [3, 4, 5]);
  await cluster.converge();
  for (const { machine } of cluster.running) assert.deepEqual(machine.commands, ["a", "b", "c"]);
  await cluster.end();
});

Deno.test("a single node leads alone", async () => {
  const cluster = await Cluster.start({ voters: 1 });
  const leader = await cluster.leader();
  await cluster.propose(leader, "a");
  assert.deepEqual(leader.machine.commands, ["a"]);
  await cluster.end();
});
