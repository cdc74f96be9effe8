import assert from "node:assert/strict";
import { ELECTION_TICKS } from "./harness.ts";
import { Network, NO_FAULTS } from "./network.ts";
import type { Process } from "./network.ts";

/** One life of a cluster: faults and users' requests at random, then calm, in which it must make progress. */
export function live(seed: number): Network {
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
    slowClock: [0, 0, 300][(seed >> 5) % 3]!,
  });
  for (let i = 0; i < 500; i++) {
    network.step();
    for (const process of network.leaders) ask(network, process);
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

/** Faults stop: within bounded time there is a leader, and it commits; everyone ends with the same state. */
function calm(network: Network): void {
  network.faults = NO_FAULTS;
  network.heal();
  const committed = network.invariants.commitIndex;
  const done = () => {
    const leader = network.leaders.find(({ raft }) => raft.commitIndex > committed && raft.leaseAllowed);
    return leader !== undefined && leader.raft.membershipCommitted && leader.raft.membership.outgoing.length === 0;
  };
  for (let i = 0; i < 60 * ELECTION_TICKS && !done(); i++) {
    network.step();
    if (i % ELECTION_TICKS === 0) { for (const leader of network.leaders) network.propose(leader); }
  }
  assert.ok(done(), "a leader, and a new commit, once faults stop");
  for (let i = 0; i < 20 * ELECTION_TICKS; i++) network.step();
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
const last = Number(Deno.env.get("SEEDS") ?? 200) + first - 1;

Deno.test(`figure 3: the safety properties hold in random clusters`, () => {
  const counts: Record<string, number> = {};
  const failed: string[] = [];
  for (let seed = first; seed <= last; seed++) {
    try {
      const network = live(seed);
      for (const [what, n] of Object.entries(network.counts)) counts[what] = (counts[what] ?? 0) + n;
    } catch (error) {
      failed.push(`seed ${seed}: ${(error as Error).stack?.split("\n").slice(0, 4).join(" | ")}`);
    }
  }
  console.log(counts);
  assert.equal(failed.length, 0, `${failed.length} failed\n` + failed.slice(0, 12).join("\n"));
});
