/**
 * The check of liveness: once a quorum is healthy and connected, within bounded time
 * it has a leader, executes requests, and all of its nodes have the whole log, no
 * matter what is wrong with the others.
 */

import { leftAtNode } from "./checks/idle_checks.ts";
import { isMember } from "./faults/cluster.ts";
import type { Cluster } from "./faults/cluster.ts";
import type { Liar } from "./faults/liar.ts";
import type { NemesisOptions } from "./faults/nemesis.ts";
import type { Machine } from "./machine/machine.ts";
import type { Run } from "./run.ts";

/** The bound, in virtual time. */
const BOUND_MS = 60_000;
/** The time between two checks of the condition. */
const SLICE_MS = 50;
const REQUESTS = 5;
/** The time in which all that is under way has to end once there are no requests. */
const IDLE_MS = 30_000;

/** Recovers after the faults have stopped: heals a quorum, makes every other fault permanent, and waits for the cluster. */
export async function recover(options: NemesisOptions): Promise<void> {
  const { run, cluster, clients } = options;
  const quorum = choose(options);
  if (quorum === null) return await endRequests(options);
  run.trace.describe("world", `heals ${[...quorum].map(({ name }) => name).join(" ")}; other faults stay`);
  for (const machine of cluster.all) {
    if (quorum.has(machine)) heal(machine);
    else abandon(machine, options);
  }
  // Others have no changes; by the time such a stream ends, the members may have compacted what the client needs next.
  clients.watchers.restrict(() => membersOf(quorum, cluster));
  const before = clients.done;
  const progress = (): boolean => leaderIn(quorum, cluster) !== null && clients.done >= before + REQUESTS;
  if (!await until(run, progress, "a leader that carries out requests")) return;
  // The leader may not be the node that some clients are bound to.
  const free = clients.all.filter(({ only }) => only === null);
  const doneBefore = new Map(free.map((client) => [client, client.done]));
  const served = (): boolean => free.every((client) => client.done > doneBefore.get(client)!);
  if (!await until(run, served, "an answer to each client")) return;
  const receivedBefore = new Map(clients.watchers.received);
  const received = (): boolean =>
    [...clients.watchers.received].every(([name, count]) => count > receivedBefore.get(name)!);
  if (!await until(run, received, "a change for each client that watches")) return;
  await endRequests(options);
  if (!await until(run, () => converged(quorum, cluster), "the same state on every healthy node")) return;
  await checkIdle(quorum, options);
}

/** Checks that no healthy node has anything left of requests, which have all ended. */
async function checkIdle(quorum: ReadonlySet<Machine>, { run, cluster }: NemesisOptions): Promise<void> {
  const peers = new Set(membersOf(quorum, cluster).map(({ name }) => name));
  const left = (): string | undefined =>
    [...quorum].map((machine) => leftAtNode(machine, peers)).find((left) => left !== null) ?? undefined;
  // Calls whose clients have gone end within a few election timeouts.
  const endUs = run.scheduler.nowUs + IDLE_MS * 1000;
  while (left() !== undefined && !run.scheduler.over && run.scheduler.nowUs < endUs) {
    await run.scheduler.run(run.scheduler.nowUs + SLICE_MS * 1000);
  }
  run.trace.count("idle in the end");
  if (!run.scheduler.over) run.require(left() === undefined, "nothing leaks", () => left()!);
}

/** Waits for the end of every request, even if the cluster has failed. */
async function endRequests({ run, clients }: NemesisOptions): Promise<void> {
  let ended = false;
  clients.stop().then(() => ended = true);
  await until(run, () => ended, "an end of every request");
}

/** Chooses machines that are a quorum of every membership that may be in force; `null` before there is one. */
function choose({ cluster, run, plan, liar }: NemesisOptions): Set<Machine> | null {
  const chosen = new Set(cluster.all.filter(({ lost, damaged }) => !lost && !damaged));
  excludeLiar(chosen, cluster, liar);
  // Before anything was written, all are needed.
  if (cluster.memberships.length > 0 && !cluster.areQuorum(chosen)) {
    if (plan.rotsBeyondQuorum) run.trace.count("no quorum left");
    else run.report("liveness", "the remaining disks are not a quorum: there were too many faults, or data was lost");
    return null;
  }
  const chance = run.decisions.stream("recovery").next();
  if (chance.chance(0.5)) return chosen;
  for (const machine of chance.shuffled([...chosen])) {
    chosen.delete(machine);
    if (!cluster.areQuorum(chosen)) chosen.add(machine);
  }
  return chosen;
}

/** Leaves a member that has lied out, if the others are a quorum without it; otherwise it tells the truth from now on. */
function excludeLiar(chosen: Set<Machine>, cluster: Cluster, liar: Liar | null): void {
  const machine = liar === null || liar.told === 0 ? undefined : cluster.machines.get(liar.name);
  if (liar === null || machine === undefined) return;
  liar.stop();
  if (chosen.delete(machine) && cluster.memberships.length > 0 && !cluster.areQuorum(chosen)) chosen.add(machine);
}

function heal(machine: Machine): void {
  machine.disk.heal();
  machine.process?.unlight();
  if (machine.disk.hangs) machine.crash(null, "its disk hangs");
  machine.start();
}

function abandon(machine: Machine, { run, cluster, network }: NemesisOptions): void {
  machine.down = true;
  const fate = run.decisions.stream("recovery").next().pick(["dead", "still", "cut off", "deaf"] as const);
  run.trace.describe(machine.name, `is ${fate} permanently`);
  if (fate === "dead") return machine.crash("random", "for good");
  if (fate === "still") machine.process?.freeze();
  for (const { name } of cluster.all) {
    if (name === machine.name) continue;
    network.cut(name, machine.name);
    // A deaf node can still send: it must not disturb the others (dissertation §4.2.3).
    if (fate !== "deaf") network.cut(machine.name, name);
  }
}

function leaderIn(quorum: ReadonlySet<Machine>, { leader }: Cluster): Machine | null {
  return leader !== undefined && quorum.has(leader) ? leader : null;
}

/** Returns the healthy machines that are members; none without a leader. */
function membersOf(quorum: ReadonlySet<Machine>, cluster: Cluster): Machine[] {
  const membership = leaderIn(quorum, cluster)?.node?.inspect().membership;
  return membership === undefined ? [] : [...quorum].filter((machine) => isMember(membership, machine));
}

function converged(quorum: ReadonlySet<Machine>, cluster: Cluster): boolean {
  const leader = leaderIn(quorum, cluster)?.node?.inspect();
  if (leader === undefined) return false;
  return [...quorum].every((machine) => {
    if (!isMember(leader.membership, machine)) return true;
    const view = machine.node?.inspect();
    return view !== undefined && view.appliedIndex === leader.lastIndex && view.lastIndex === leader.lastIndex;
  });
}

async function until(run: Run, condition: () => boolean, what: string): Promise<boolean> {
  const { scheduler } = run;
  const endUs = scheduler.nowUs + BOUND_MS * 1000;
  while (!condition()) {
    if (scheduler.over) return false;
    if (scheduler.nowUs >= endUs) {
      run.report("liveness", `not within ${BOUND_MS} virtual ms after a quorum was healthy: ${what}`);
      return false;
    }
    await scheduler.run(scheduler.nowUs + SLICE_MS * 1000);
  }
  return true;
}
