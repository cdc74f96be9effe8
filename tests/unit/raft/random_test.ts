/**
 * Whole clusters of cores under random faults, one run per seed. For more or other
 * runs: `SEED=1000 SEEDS=5000 deno test --allow-env tests/unit/raft/random_test.ts`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ELECTION_TICKS } from "./harness.ts";
import { Network, NO_FAULTS } from "./network.ts";
import type { Process } from "./network.ts";

/** Runs one cluster: faults and requests at random, then calm, in which it must make progress. */
function live(seed: number): Network {
  const voters = 3 + (seed % 3);
  const spares = seed % 2 === 0 ? 0 : 5 - voters;
  const network = new Network(seed, voters, spares, {
    loss: [0, 20, 150][seed % 3]!,
    duplicate: 50,
    maxDelay: 1 + (seed % 7),
    crash: [0, 3, 10][(seed >> 1) % 3]!,
    partition: [0, 10, 25][(seed >> 2) % 3]!,
    slowDisk: [0, 20, 200][(seed >> 3) % 3]!,
    failedWrite: [0, 10, 40][(seed >> 4) % 3]!,
    pause: [0, 0, 4][(seed >> 6) % 3]!,
    slowClock: [0, 0, 300][(seed >> 5) % 3]!,
  });
  for (let i = 0; i < 450; i++) {
    network.step();
    for (const process of network.leaders) if (process.pausedUntil <= network.now) ask(network, process);
  }
  calm(network);
  return network;
}

function ask(network: Network, process: Process): void {
  if (network.chance(300)) network.propose(process);
  if (network.chance(200)) network.read(process);
  if (network.chance(12)) network.transfer(process);
  if (network.chance(20)) network.changeMembership(process);
  if (network.chance(20)) network.changeOne(process);
}

/** Stops the faults: within bounded time there is a leader, and it commits; all nodes end with the same state. */
function calm(network: Network): void {
  network.faults = NO_FAULTS;
  network.heal();
  const committed = network.invariants.commitIndex;
  const done = () => {
    const leader = network.leaders.find(({ raft }) => raft.commitIndex > committed && raft.committedInTerm);
    return leader !== undefined && leader.raft.membershipCommitted && leader.raft.membership.outgoing.length === 0;
  };
  for (let i = 0; i < 60 * ELECTION_TICKS && !done(); i++) {
    network.step();
    if (i % ELECTION_TICKS === 0) { for (const leader of network.leaders) network.propose(leader); }
  }
  assert.ok(done(), "a leader, and a new commit, once faults stop");
  for (let i = 0; i < 10 * ELECTION_TICKS; i++) network.step();
  assert.ok(done(), "it still leads");
  const leader = network.leaders.sort((a, b) => b.raft.term - a.raft.term)[0]!;
  for (const { id } of leader.raft.membership.members) {
    const process = network.processes.get(id)!;
    assert.equal(process.raft.commitIndex, leader.raft.commitIndex, `${id} has caught up`);
    assert.deepEqual(process.applied, leader.applied, `${id} has the leader's state`);
  }
  assert.equal(leader.raft.uncommittedBytes, 0);
  for (const peer of leader.raft.progress()) {
    assert.deepEqual([peer.inflightMessages, peer.inflightBytes], [0, 0], `nothing is on its way to ${peer.id}`);
  }
  for (const process of network.alive()) assert.equal(process.reads.size === 0 || process.raft.role === "leader", true);
  assert.equal(leader.reads.size, 0, "every read was answered");
}

const first = Number(Deno.env.get("SEED") ?? 1);
const last = Number(Deno.env.get("SEEDS") ?? 150) + first - 1;
const GROUP = 10;

/** Counts of the events in all runs together. */
const counts: Record<string, number> = {};

for (let from = first; from <= last; from += GROUP) {
  const to = Math.min(last, from + GROUP - 1);
  Deno.test(`figure 3: the safety properties hold, and calm brings progress, in random runs of seeds ${from} to ${to}`, () => {
    const failed: string[] = [];
    for (let seed = from; seed <= to; seed++) {
      try {
        const network = live(seed);
        for (const [what, n] of Object.entries(network.counts)) counts[what] = (counts[what] ?? 0) + n;
      } catch (error) {
        failed.push(`seed ${seed}: ${error instanceof Error ? error.stack : error}`);
      }
    }
    assert.equal(failed.length, 0, failed.join("\n"));
  });
}

Deno.test("the random runs contain everything that they are meant to test", () => {
  if (last - first < 100) return;
  const needed = [
    ...["crash", "partition", "propose", "read", "snapshot", "install", "logTruncated", "stepDown", "stopped"],
    ...["failedWrite", "plain", "joint", "membershipCommitted", "transferStarted", "snapshotNeeded", "rejectedRead"],
  ];
  for (const what of needed) assert.ok((counts[what] ?? 0) > 20, `${what}: ${counts[what]}`);
});
