/**
 * A node more and a node less through the command line, under load; and a node
 * whose disk is gone.
 */

import { strict as assert } from "node:assert";
import { eventually, ProcessCluster } from "../../support/process_cluster.ts";
import { raftCommand } from "../../support/raft_command.ts";
import { RecordedWriters } from "../../support/recorded_writers.ts";

function voters(members: readonly { id: string; suffrage: string }[]): string[] {
  return members.filter(({ suffrage }) => suffrage === "voter").map(({ id }) => id).sort();
}

Deno.test("a fourth node is added and one removed through the command line, under load", async () => {
  await using cluster = await ProcessCluster.start();
  const writers = new RecordedWriters(cluster.endpoints);
  try {
    await eventually("some writes", () => writers.acknowledged > 100);
    const fourth = await cluster.join("n4");
    await raftCommand(cluster, ["member", "add", "n4", new URL(fourth.address).host]);
    const leader = await cluster.leader();
    assert.deepEqual(voters((await cluster.status(leader))!.members), ["n1", "n2", "n3", "n4"]);

    // The leader itself, so that leadership moves too.
    await raftCommand(cluster, ["member", "remove", leader]);
    const next = await cluster.leader(30_000, leader);
    assert.deepEqual(
      voters((await cluster.status(next))!.members),
      ["n1", "n2", "n3", "n4"].filter((id) => id !== leader),
    );
    const goal = writers.acknowledged + 100;
    await eventually("writes after the change", () => writers.acknowledged >= goal);
    const report = await writers.verify();
    console.log("membership under load", JSON.stringify(report));
    const applied = (await cluster.status(next))!.appliedIndex;
    await eventually("n4 having everything", async () => ((await cluster.status("n4"))?.appliedIndex ?? 0) >= applied);
  } catch (error) {
    console.error(cluster.outputs());
    throw error;
  }
});

Deno.test("an empty folder under an old id is refused, and the message's way to replace the node works", async () => {
  await using cluster = await ProcessCluster.start();
  const leader = await cluster.leader();
  const lost = [...cluster.servers.keys()].find((id) => id !== leader)!;
  await cluster.kill(lost);
  const wiped = cluster.restart(lost, { wiped: true });
  assert.equal(await wiped.exited(), 6, wiped.output());
  assert.match(wiped.output(), new RegExp(`raft member remove ${lost}`));
  assert.match(wiped.output(), new RegExp(`raft member add ${lost}`));

  await raftCommand(cluster, ["member", "remove", lost]);
  const replacement = await cluster.join(lost);
  await raftCommand(cluster, ["member", "add", lost, new URL(replacement.address).host]);
  const status = (await cluster.status(await cluster.leader()))!;
  assert.deepEqual(voters(status.members), ["n1", "n2", "n3"]);
});
