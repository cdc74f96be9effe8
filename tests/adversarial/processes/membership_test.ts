/**
 * Adding and removing a node through the command line, under load; and a node whose
 * disk was lost.
 */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { raftCommand } from "../../support/raft_command.ts";
import { RecordedWriters } from "../../support/recorded_writers.ts";
import { eventually, Nodes, threeNodes } from "../../support/server_processes.ts";
import type { Node } from "../../support/server_processes.ts";

async function votersAt(node: Node): Promise<string[]> {
  const { members } = (await node.status())!;
  return members.filter(({ suffrage }) => suffrage === "voter").map(({ id }) => id).sort();
}

Deno.test("a fourth node is added and the leader removed through the command line, under load", async () => {
  await Nodes.run(threeNodes(), async (nodes) => {
    const writers = new RecordedWriters(nodes.endpoints);
    await eventually("some writes", () => writers.acknowledged > 100);
    const fourth = await nodes.join("n4");
    await raftCommand(nodes, ["member", "add", "n4", new URL(fourth.address).host]);
    const leader = await nodes.leader();
    assert.deepEqual(await votersAt(leader), ["n1", "n2", "n3", "n4"]);

    // The leader itself, so that leadership moves, too.
    await raftCommand(nodes, ["member", "remove", leader.id]);
    const next = await eventually("another leader", async () => {
      const statuses = await Promise.all(nodes.all.map((node) => node.status()));
      return nodes.all.find((node, at) => node !== leader && statuses[at]?.role === "leader");
    });
    assert.deepEqual(await votersAt(next), ["n1", "n2", "n3", "n4"].filter((id) => id !== leader.id));
    const goal = writers.acknowledged + 100;
    await eventually("writes after the change", () => writers.acknowledged >= goal);
    console.log("membership under load", JSON.stringify(await writers.verify()));
    const { appliedIndex } = (await next.status())!;
    await eventually("n4 having everything", async () => ((await fourth.status())?.appliedIndex ?? 0) >= appliedIndex);
  });
});

Deno.test("an empty folder under an old id is refused, and replacing the node as the message says works", async () => {
  await Nodes.run(threeNodes(), async (nodes) => {
    const lost = nodes.others(await nodes.leader())[0];
    await lost.end("SIGKILL");
    rmSync(lost.data, { recursive: true });
    nodes.start(lost);
    assert.equal(await lost.exited, 6, lost.output);
    assert.match(lost.output, new RegExp(`raft member remove ${lost.id}`));
    assert.match(lost.output, new RegExp(`raft member add ${lost.id}`));

    await raftCommand(nodes, ["member", "remove", lost.id]);
    await nodes.join(lost.id);
    await raftCommand(nodes, ["member", "add", lost.id, new URL(lost.address).host]);
    assert.deepEqual(await votersAt(await nodes.leader()), ["n1", "n2", "n3"]);
  });
});
