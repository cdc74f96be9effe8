import assert from "node:assert/strict";
import { RaftError } from "../../lib/errors.ts";
import { Cluster } from "../support/cluster.ts";
import { bytes } from "../support/journal.ts";

interface Tally {
  readonly done: string[];
  readonly rejected: string[];
  readonly unknown: string[];
}

/** Proposes to the present leader, as a simple client does. */
function proposeSome(cluster: Cluster, count: number, tally: Tally): void {
  for (let i = 0; i < count; i++) {
    const running = cluster.running;
    const leaders = running.filter(({ node }) => node.isLeader);
    const candidates = leaders.length > 0 ? leaders : running;
    const target = candidates[Math.floor(cluster.time.random() * candidates.length)];
    if (target === undefined) return;
    const command = `c${tally.done.length + tally.rejected.length + tally.unknown.length}-${i}-${cluster.time.nowMs}`;
    target.node.propose(bytes(command), { signal: target.power.signal }).then(
      () => tally.done.push(command),
      (error) => {
        assert(error instanceof RaftError, String(error));
        (error.outcome === "rejected" ? tally.rejected : tally.unknown).push(command);
      },
    );
  }
}

async function misfortune(cluster: Cluster): Promise<void> {
  const { random } = cluster.time;
  const ids = [...cluster.nodes.keys()];
  const victim = ids[Math.floor(random() * ids.length)]!;
  const what = random();
  const down = ids.filter((id) => !cluster.get(id).up);
  if (what < 0.3 && down.length === 0) await cluster.crash(victim);
  else if (what < 0.6 && down[0] !== undefined) await cluster.restart(down[0]);
  else if (what < 0.75) cluster.network.isolate(victim);
  else cluster.network.heal();
}

for (let seed = 1; seed <= 12; seed++) {
  Deno.test(`loss, repeats, reordering, crashes and partitions lose nothing: seed ${seed}`, async () => {
    const cluster = await Cluster.start({
      seed,
      ...seed % 3 === 0 ? { applyMs: 3 } : {},
      voters: seed % 2 === 0 ? 3 : 5,
      node: { snapshotEntries: 40, trailingEntries: 10, maxCachedBytes: 200, maxBatchBytes: 100 },
      network: { loss: 0.05, duplication: 0.05, reordering: 0.05, maxDelayMs: 20 },
    });
    const tally: Tally = { done: [], rejected: [], unknown: [] };
    for (let round = 0; round < 60; round++) {
      proposeSome(cluster, 5, tally);
      if (cluster.time.random() < 0.25) await misfortune(cluster);
      await cluster.pass(cluster.time.random() * 400);
    }
    cluster.network.heal();
    for (const [id, { up }] of cluster.nodes) if (!up) await cluster.restart(id);
    await cluster.leader();
    const before = tally.done.length;
    for (let round = 0; round < 20; round++) {
      proposeSome(cluster, 1, tally);
      await cluster.pass(50);
    }
    assert(tally.done.length >= before + 10, "progress once the faults stop");
    await cluster.pass(3_000);
    await cluster.converge();
    assert(cluster.running.every(({ node }) => node.status().storage.healthy));
    const times = new Map<string, number>();
    for (const command of cluster.running[0]!.machine.commands) times.set(command, (times.get(command) ?? 0) + 1);
    for (const command of tally.done) assert.equal(times.get(command), 1, `acknowledged ${command}`);
    for (const command of tally.rejected) assert.equal(times.get(command), undefined, `rejected ${command}`);
    for (const [command, count] of times) assert.equal(count, 1, `${command} was applied twice`);
    await cluster.end();
  });
}

Deno.test("the same seed gives the same run", async () => {
  const run = async () => {
    const cluster = await Cluster.start({ seed: 77, network: { loss: 0.1, duplication: 0.1, maxDelayMs: 30 } });
    const tally: Tally = { done: [], rejected: [], unknown: [] };
    for (let round = 0; round < 20; round++) {
      proposeSome(cluster, 3, tally);
      await cluster.pass(300);
    }
    const account = cluster.running.map(({ node }) => {
      const { term, commitIndex, lastIndex, role } = node.status();
      return { term, commitIndex, lastIndex, role };
    });
    await cluster.end();
    return { tally, account, counts: cluster.network.counts };
  };
  assert.deepEqual(await run(), await run());
});
