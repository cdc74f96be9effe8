/**
 * A follower that was away for 20,000 writes, with a snapshot every 1,000 entries,
 * catches up by a snapshot, and its state equals the leader's byte for byte.
 */

import assert from "node:assert/strict";
import { Coordinator } from "../../../lib/client/mod.ts";
import { KeyValueClient } from "../../../lib/kv/client.ts";
import { createFileStorage } from "../../../storage/file/mod.ts";
import { createConnectClientTransport } from "../../../transport/connect/mod.ts";
import { raftCommand } from "../../support/raft_command.ts";
import { eventually, Nodes, threeNodes } from "../../support/server_processes.ts";

const WRITES = 20_000;
const CONCURRENT = 500;

/** Overwrites, deletes and keeps keys, so that the state is more than a list of the last writes. */
async function write(kv: KeyValueClient, n: number): Promise<void> {
  if (n % 7 === 6) await kv.delete(`key-${(n * 31) % 3000}`);
  else await kv.put(`key-${(n * 17) % 3000}`, `value ${n}`);
}

async function snapshotOf(data: string): Promise<{ index: number; bytes: Uint8Array }> {
  await using storage = createFileStorage(data);
  await storage.load();
  const reader = await storage.openSnapshot();
  assert.ok(reader !== null, `${data} has no snapshot`);
  const { index, size } = reader.meta;
  const bytes = await reader.read(0, size);
  await reader.close();
  return { index, bytes };
}

Deno.test("a follower away for 20,000 writes catches up by snapshot, and equals the leader byte for byte", async () => {
  await Nodes.run(threeNodes(), async (nodes) => {
    const leader = await nodes.leader();
    const away = nodes.others(leader)[0];
    await away.end("SIGKILL");

    const coordinator = new Coordinator({ endpoints: nodes.endpoints, transport: createConnectClientTransport() });
    const kv = new KeyValueClient(coordinator);
    for (let n = 0; n < WRITES; n += CONCURRENT) {
      await Promise.all(Array.from({ length: CONCURRENT }, (_, i) => write(kv, n + i)));
    }
    await coordinator.close();
    const before = (await leader.status())!;
    assert.ok(before.snapshotIndex > WRITES - 5000, "the leader took snapshots, and dropped the entries before them");

    nodes.start(away);
    await eventually("the follower's return", async () => {
      const [own, leaders] = [await away.status(), await leader.status()];
      return own !== null && leaders !== null && own.appliedIndex >= before.commitIndex &&
        own.appliedIndex === leaders.appliedIndex;
    });
    await away.printed(/Installed a snapshot/);

    // Both take a snapshot of the same state, and stop: their disks are compared.
    for (const { id } of [leader, away]) await raftCommand(nodes, ["snapshot", "take", id]);
    for (const node of nodes.all) assert.equal(await node.end("SIGTERM"), 0, node.output);
    const [first, second] = [await snapshotOf(leader.data), await snapshotOf(away.data)];
    assert.equal(first.index, second.index);
    assert.ok(first.bytes.length > 10_000);
    assert.deepEqual(second.bytes, first.bytes);
    // No election may happen between the two snapshots: its first entry would be in only one of them.
  }, ["--snapshot-entries", "1000", "--election-timeout-ms", "3000"]);
});
