import assert from "node:assert/strict";
import type { RaftNodeOptions } from "../../lib/node/types.ts";
import { Cluster, member } from "../support/cluster.ts";
import type { TestNode } from "../support/cluster.ts";

/** A hundredth of the defaults; the snapshot of 100 KB takes 5 s, as 320 MiB do at 64 MiB/s. */
const SCALED: Partial<RaftNodeOptions> = {
  snapshotEntries: 100,
  trailingEntries: 10,
  snapshotChunkBytes: 1000,
  snapshotBytesPerSecond: 20_000,
};
const CONTACT_MS = 11_000;

/** Starts three nodes of which one needs a snapshot; the leader has a state of 100 KB, or of more. */
async function withOneAway(node: Partial<RaftNodeOptions> = {}, stateKb = 100) {
  const cluster = await Cluster.start({
    network: { minDelayMs: 2, maxDelayMs: 2 },
    node: { ...SCALED, ...node },
  });
  const leader = await cluster.leader();
  const away = cluster.running.find(({ id }) => id !== leader.id)!;
  const drops: { peer: string; index: number; bytes: number }[] = [];
  leader.node.addEventListener("entriesDropped", ({ detail }) => drops.push(detail));
  cluster.network.isolate(away.id);
  await cluster.pass(CONTACT_MS);
  for (let i = 0; i < stateKb; i++) await cluster.propose(leader, "x".repeat(1000));
  for (let i = 0; i < 120; i++) await cluster.propose(leader, "y");
  return { cluster, leader, away, drops };
}

/** Writes at a rate until the condition holds. */
async function writeUntil(
  cluster: Cluster,
  leader: TestNode,
  perSecond: number,
  done: () => boolean,
  command = "z",
): Promise<void> {
  const deadlineMs = cluster.time.nowMs + 120_000;
  while (!done()) {
    assert(cluster.time.nowMs < deadlineMs, "not within two minutes of writes");
    const nextMs = cluster.time.nowMs + 1000 / perSecond;
    await cluster.propose(leader, command);
    const leftMs = nextMs - cluster.time.nowMs;
    if (leftMs > 0) await cluster.pass(leftMs);
  }
}

const lag = (leader: TestNode, other: TestNode): number =>
  leader.node.status().commitIndex - other.node.status().appliedIndex;
const kept = (leader: TestNode): number => leader.node.status().snapshotIndex - leader.node.status().firstIndex + 1;
const receives = (leader: TestNode, id: string): boolean =>
  leader.node.status().peers.some((peer) => peer.id === id && peer.state === "snapshot");

for (const perSecond of [10, 40, 80]) {
  Deno.test(`§7: one snapshot is enough for a follower while ${perSecond * 100} entries a second follow (scaled)`, async () => {
    const { cluster, leader, away, drops } = await withOneAway();
    cluster.network.heal();
    await writeUntil(cluster, leader, perSecond, () => away.machine.restores > 0 && lag(leader, away) < 5);
    assert.equal(away.machine.restores, 1);
    assert.deepEqual(drops, []);
    await cluster.until(() => kept(leader) === 10 && leader.node.status().firstIndex === leader.disk.firstIndex);
    await cluster.converge();
    await cluster.end();
  });
}

Deno.test("§7: two receivers of snapshots begun at different times need one each", async () => {
  const { cluster, leader, away } = await withOneAway();
  cluster.network.heal();
  await writeUntil(cluster, leader, 40, () => away.node.status().leader !== null);
  const learner = await cluster.add("n4");
  const voters = ["n1", "n2", "n3"].map(member);
  await cluster.settle(leader.node.changeMembership({ voters, learners: [member("n4")] }));
  const caughtUp = (test: TestNode) => test.machine.restores > 0 && lag(leader, test) < 5;
  await writeUntil(cluster, leader, 40, () => caughtUp(away) && caughtUp(learner));
  assert.deepEqual([away.machine.restores, learner.machine.restores], [1, 1]);
  await cluster.end();
});

Deno.test("§7: a receiver that takes long to store a snapshot is not sent a newer one meanwhile", async () => {
  const { cluster, leader, away, drops } = await withOneAway();
  const create = away.storage.createSnapshot.bind(away.storage);
  away.storage.createSnapshot = async () => {
    const writer = await create();
    const stage = writer.stage.bind(writer);
    writer.stage = async (meta) => {
      // Longer than the leader sends the last chunk again and again.
      await new Promise<void>((resolve) => void away.host.clock.setTimer(20_000, resolve));
      await stage(meta);
    };
    return writer;
  };
  cluster.network.heal();
  await writeUntil(cluster, leader, 40, () => away.machine.restores > 0 && lag(leader, away) < 5);
  assert.equal(away.machine.restores, 1);
  assert.deepEqual(drops, []);
  await cluster.end();
});

Deno.test("§7: a snapshot is sent to its end, however slow: its chunks are no larger than the rate allows", async () => {
  // Of the largest chunks there would be one in 13 s, longer than the leader sends a snapshot without progress.
  const { cluster, leader, away } = await withOneAway({ snapshotChunkBytes: 256 * 1024 }, 600);
  cluster.network.heal();
  await writeUntil(cluster, leader, 40, () => away.machine.restores > 0 && lag(leader, away) < 5);
  assert.equal(away.machine.restores, 1);
  await cluster.end();
});

Deno.test("a member is added and promoted while writes go on that fill many snapshots", async () => {
  const { cluster, leader } = await withOneAway();
  cluster.network.heal();
  const learner = await cluster.add("n4");
  const voters = ["n1", "n2", "n3"].map(member);
  const added = leader.node.changeMembership({ voters, learners: [member("n4")] });
  let promoted = false;
  const promote = added.then(async () => {
    for (;;) {
      try {
        await leader.node.changeMembership({ voters: [...voters, member("n4")] });
        return void (promoted = true);
      } catch {
        await new Promise<void>((resolve) => void leader.host.clock.setTimer(100, resolve));
      }
    }
  });
  await writeUntil(cluster, leader, 80, () => promoted && learner.node.status().appliedIndex > 1000);
  await cluster.settle(promote);
  assert.equal(learner.machine.restores, 1);
  await cluster.end();
});

Deno.test("entries are kept up to `maxRetainedBytes`; a member that loses them is reported and gets another snapshot", async () => {
  const maxRetainedBytes = 100 * 40;
  const { cluster, leader, away, drops } = await withOneAway({ maxRetainedBytes });
  cluster.network.heal();
  await writeUntil(cluster, leader, 80, () => away.machine.restores > 1);
  const [first] = drops;
  assert.equal(first?.peer, away.id);
  assert(first.bytes > maxRetainedBytes, `${first.bytes}`);
  assert(first.index <= leader.node.status().firstIndex);
  assert(drops.length <= away.machine.restores + 1, "once for each transfer");
  // Without writes it catches up.
  await cluster.converge();
  await cluster.end();
});

Deno.test("with `maxRetainedBytes: 0` nothing is kept beyond the trailing entries", async () => {
  const { cluster, leader, away } = await withOneAway({ maxRetainedBytes: 0 });
  cluster.network.heal();
  await writeUntil(cluster, leader, 40, () => away.machine.restores > 1);
  assert.equal(kept(leader), 10);
  await cluster.end();
});

Deno.test("entries are kept for a silent receiver for ten election timeouts, and compacted then", async () => {
  const { cluster, leader, away, drops } = await withOneAway();
  cluster.network.heal();
  await writeUntil(cluster, leader, 40, () => receives(leader, away.id));
  cluster.network.isolate(away.id);
  const before = leader.node.status().snapshotIndex;
  await writeUntil(cluster, leader, 40, () => leader.node.status().snapshotIndex > before + 150);
  const { firstIndex } = leader.node.status();
  assert(firstIndex <= before + 1, "kept, beyond several snapshots");
  assert.equal(leader.disk.firstIndex, firstIndex, "on the disk too");
  await cluster.pass(CONTACT_MS);
  assert.equal(kept(leader), 10);
  assert.equal(leader.disk.firstIndex, leader.node.status().firstIndex);
  assert.deepEqual(drops, [], "the bound was not reached");
  await cluster.end();
});

Deno.test("entries are kept for a receiver that falls silent after its snapshot, and compacted after ten election timeouts", async () => {
  const { cluster, leader, away, drops } = await withOneAway();
  cluster.network.heal();
  await writeUntil(cluster, leader, 40, () => receives(leader, away.id));
  await writeUntil(cluster, leader, 400, () => !receives(leader, away.id));
  cluster.network.isolate(away.id);
  const { matchIndex } = leader.node.status().peers.find(({ id }) => id === away.id)!;
  await writeUntil(cluster, leader, 40, () => leader.node.status().snapshotIndex > matchIndex + 100);
  assert(kept(leader) > 10, "kept, beyond the trailing entries");
  await cluster.pass(CONTACT_MS);
  assert.equal(kept(leader), 10);
  assert.deepEqual(drops, [], "the bound was not reached");
  await cluster.end();
});

Deno.test("the entries of a removed receiver, and of one of a former leader, are compacted", async () => {
  const { cluster, leader, away } = await withOneAway();
  cluster.network.heal();
  await writeUntil(cluster, leader, 40, () => receives(leader, away.id));
  const before = leader.node.status().snapshotIndex;
  await writeUntil(cluster, leader, 40, () => leader.node.status().snapshotIndex > before);
  assert(kept(leader) > 20);
  const next = cluster.running.find(({ id }) => id !== leader.id && id !== away.id)!;
  await cluster.settle(leader.node.transferLeadership({ to: next.id }));
  await cluster.until(() => kept(leader) === 10, "compaction at the former leader");
  await writeUntil(cluster, next, 40, () => receives(next, away.id));
  const again = next.node.status().snapshotIndex;
  await writeUntil(cluster, next, 80, () => next.node.status().snapshotIndex > again);
  assert(kept(next) > 20);
  const voters = [leader, next].map(({ id }) => member(id));
  await cluster.settle(next.node.changeMembership({ voters }));
  await cluster.until(() => kept(next) === 10, "compaction after the removal");
  await cluster.end();
});

Deno.test("a new leader in the middle of a transfer sends its own snapshot once, and keeps what follows it", async () => {
  const { cluster, leader, away } = await withOneAway();
  cluster.network.heal();
  await writeUntil(cluster, leader, 40, () => receives(leader, away.id));
  const next = cluster.running.find(({ id }) => id !== leader.id && id !== away.id)!;
  await cluster.settle(leader.node.transferLeadership({ to: next.id }));
  await writeUntil(cluster, next, 40, () => away.machine.restores > 0 && lag(next, away) < 5);
  assert.equal(away.machine.restores, 1);
  await cluster.end();
});

Deno.test("what was kept for a receiver is not left on the disk of a leader that restarts", async () => {
  const { cluster, leader, away } = await withOneAway();
  cluster.network.heal();
  await writeUntil(cluster, leader, 40, () => receives(leader, away.id));
  const before = leader.node.status().snapshotIndex;
  await writeUntil(cluster, leader, 80, () => leader.node.status().snapshotIndex > before + 100);
  assert(leader.disk.firstIndex <= before + 1);
  await cluster.crash(leader.id);
  const back = await cluster.restart(leader.id);
  await cluster.until(() => back.disk.firstIndex >= back.disk.snapshot!.index - 9, "compaction after the start");
  await cluster.converge();
  await cluster.end();
});
