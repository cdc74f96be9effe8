/**
 * Membership changes that an operator requests at any time.
 */

import { memberOf } from "../../lib/raft/mod.ts";
import type { Membership } from "../../lib/raft/types.ts";
import type { Stream } from "../decisions.ts";
import type { Machine } from "../machine/machine.ts";
import type { Cluster } from "./cluster.ts";
import { isMember, isNamed, targetOf } from "./cluster.ts";

/** Adds, promotes or removes one machine. */
export async function changeOne(cluster: Cluster, machine: Machine, chance: Stream): Promise<void> {
  const keepsVote = chance.chance(0.3);
  await cluster.change((membership) => {
    const { voters, learners } = targetOf(membership, machine);
    const member = memberOf(membership, machine.name);
    if (member === undefined) {
      if (machine.damaged || machine.lost) return null;
      return keepsVote
        ? { voters: [...voters, machine.member], learners }
        : { voters, learners: [...learners, machine.member] };
    }
    if (membership.learners.includes(machine.name)) return { voters: [...voters, member], learners };
    return membership.voters.length < 2 ? null : { voters, learners };
  }, `changes ${machine.name}`);
}

/** Makes each machine a voter, a learner, or neither, at random; several at once, through a joint configuration. */
export async function changeMany(cluster: Cluster, chance: Stream): Promise<void> {
  const order = chance.shuffled(cluster.all);
  const most = Math.min(7, order.length);
  const count = chance.between(Math.min(most, 2), most);
  const listening = chance.below(2);
  const changed = await cluster.change((membership) => {
    const usable = order.filter((machine) => !machine.damaged && !machine.lost && fits(membership, machine));
    if (usable.length < Math.min(count, 2)) return null;
    const members = usable.map(({ member }) => member);
    return { voters: members.slice(0, count), learners: members.slice(count, count + listening) };
  }, "changes several at once");
  if (changed) cluster.run.trace.count("several changed");
}

/** Replaces a machine whose disk was lost or is discarded now: it is removed, and returns with an empty disk. */
export async function replace(cluster: Cluster, chance: Stream): Promise<void> {
  const { trace, scheduler } = cluster.run;
  const present = (): Membership | undefined => cluster.leader?.node?.inspect().membership;
  /** Reports whether the membership names this machine with an earlier disk. */
  const isNamesake = (machine: Machine): boolean => {
    const membership = present();
    return membership !== undefined && !fits(membership, machine);
  };
  const machine = cluster.all.find(({ lost, damaged }) => lost || damaged) ?? cluster.all.find(isNamesake) ??
    chance.pick(cluster.all)!;
  const restartMs = chance.between(1, 500);
  const before = present();
  if (before === undefined) return;
  const removed = !isNamed(before, machine) || await cluster.change((membership) => {
    const rest = targetOf(membership, machine);
    return rest.voters.length === 0 ? null : rest;
  }, `removes ${machine.name}`);
  if (!removed) return;
  // Only after the removal has committed.
  if (!isNamesake(machine)) {
    if (!machine.lost && !machine.damaged && !cluster.mayLose(machine)) return;
    machine.wipe();
  }
  await scheduler.sleep(restartMs * 1000);
  machine.start();
  const added = await cluster.change((membership) => {
    if (isNamed(membership, machine)) return null;
    const { voters, learners } = targetOf(membership);
    return { voters, learners: [...learners, machine.member] };
  }, `adds ${machine.name} again`);
  if (added) trace.count("replaced");
}

/** Reports whether a machine is in a membership with its present disk, or not at all. */
function fits(membership: Membership, machine: Machine): boolean {
  return isMember(membership, machine) || !isNamed(membership, machine);
}
