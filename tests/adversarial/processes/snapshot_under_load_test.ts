/**
 * A node that is added while writes go on, whose snapshot takes longer than the
 * leader takes to write the next ones.
 */

import assert from "node:assert/strict";
import { Coordinator } from "../../../lib/client/mod.ts";
import { KeyValueClient } from "../../../lib/kv/client.ts";
import { createConnectClientTransport } from "../../../transport/connect/mod.ts";
import { raftCommand } from "../../support/raft_command.ts";
import { RecordedWriters } from "../../support/recorded_writers.ts";
import { eventually, Nodes, threeNodes } from "../../support/server_processes.ts";
import type { Node } from "../../support/server_processes.ts";

/** Snapshots of 4 MB that take 4 s, and the next one after a few hundred writes. */
const FLAGS = [
  ...["--snapshot-entries", "300", "--snapshot-ratio", "0", "--trailing-entries", "20"],
  ...["--snapshot-bytes-per-second", "1000000", "--election-timeout-ms", "3000"],
];

async function metric(node: Node, name: string): Promise<number> {
  const text = await (await fetch(`${node.address}/metrics`)).text();
  return Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ")[1] ?? 0);
}

async function fill(nodes: Nodes): Promise<void> {
  const coordinator = new Coordinator({ endpoints: nodes.endpoints, transport: createConnectClientTransport() });
  const kv = new KeyValueClient(coordinator);
  for (let i = 0; i < 40; i++) await kv.put(`big-${i}`, new Uint8Array(100_000).fill(i));
  await coordinator.close();
}

const taken = 'raft_snapshots_total{reason="taken"}';
const installed = 'raft_snapshots_total{reason="installed"}';

Deno.test("a node is added and promoted with one snapshot, while writes fill several others", async () => {
  await Nodes.run(threeNodes(), async (nodes) => {
    await fill(nodes);
    const leader = await nodes.leader();
    const writers = new RecordedWriters(nodes.endpoints, 16);
    await eventually("a snapshot", async () => await metric(leader, taken) > 0);
    const before = await metric(leader, taken);
    const fourth = await nodes.join("n4");
    await raftCommand(nodes, ["member", "add", "n4", new URL(fourth.address).host]);
    await writers.verify();
    assert.ok(await metric(leader, taken) >= before + 2, "the leader took others meanwhile");
    assert.equal(await metric(fourth, installed), 1);
    assert.equal(await metric(leader, "raft_entries_dropped_total"), 0);
    assert.ok(await metric(leader, "raft_snapshot_sent_bytes_total") >= 4_000_000);
    await eventually("nothing kept", async () => await metric(leader, "raft_retained_bytes") === 0);
  }, FLAGS);
});

Deno.test("a leader that must drop entries that a member needs says so, with what to do", async () => {
  await Nodes.run(threeNodes(), async (nodes) => {
    await fill(nodes);
    const leader = await nodes.leader();
    const writers = new RecordedWriters(nodes.endpoints, 16);
    await eventually("a snapshot", async () => await metric(leader, taken) > 0);
    const fourth = await nodes.join("n4");
    const added = raftCommand(nodes, ["member", "add", "n4", new URL(fourth.address).host]);
    await leader.printed(/Dropped entries that n4 still needs.*--max-retained-bytes.*--snapshot-bytes-per-second/);
    assert.ok(await metric(leader, "raft_entries_dropped_total") > 0);
    await writers.verify();
    await added;
  }, [...FLAGS, "--max-retained-bytes", "5000"]);
});
