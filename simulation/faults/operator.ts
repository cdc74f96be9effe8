/**
 * Membership changes that an operator requests at any time.
 */

import type { MembershipTarget } from "../../lib/node/mod.ts";
import { memberOf } from "../../lib/raft/mod.ts";
import type { Member, Membership } from "../../lib/raft/types.ts";
import type { Addresses } from "../addresses.ts";
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

/** The number of times that an operator requests a change that depends on a leader. */
const ATTEMPTS = 8;

/**
 * Starts a machine at another address, and tells the cluster. The others reach it again
 * only once the membership has its address, so that they have to be a quorum without it.
 */
export async function readdress(
  cluster: Cluster,
  addresses: Addresses,
  machine: Machine,
  chance: Stream,
): Promise<void> {
  const { scheduler, trace } = cluster.run;
  const before = addresses.of(machine.name);
  const restartMs = chance.between(1, 800);
  const vacant = chance.chance(0.5);
  machine.crash(null, "it moves to another address");
  addresses.move(machine.name, vacant);
  machine.moved = true;
  trace.describe(machine.name, `moves from ${before} to ${machine.address}`);
  await scheduler.sleep(restartMs * 1000);
  machine.start();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { address } = machine;
    const told = await cluster.change((membership) => {
      if (!isMember(membership, machine)) return null;
      const { voters, learners } = targetOf(membership);
      const moved = (member: Member): Member => member.id === machine.name ? { ...member, address } : member;
      return { voters: voters.map(moved), learners: learners.map(moved) };
    }, `tells the address ${address} of ${machine.name}`);
    if (told) return await leaveAddress(cluster, addresses, machine, before);
    await scheduler.sleep(chance.between(50, 600) * 1000);
  }
}

/**
 * Gives an address up once every member has the new one on its disk. A member that did
 * not would send its vote to the former address, and perhaps be needed to elect the others.
 */
async function leaveAddress(
  { run: { trace, scheduler }, leader, all }: Cluster,
  addresses: Addresses,
  machine: Machine,
  before: string,
): Promise<void> {
  trace.count("readdressed");
  const { address } = machine;
  const view = leader?.node?.inspect();
  const [index, term] = [view?.membershipIndex ?? 0, view?.termAt(view.membershipIndex) ?? 0];
  const members = view === undefined ? [] : all.filter((each) => isNamed(view.membership, each));
  const knows = (member: Machine): boolean => member.recordOf(member.incarnation)?.has(index, term) ?? false;
  for (let attempt = 0; attempt < 4 * ATTEMPTS; attempt++) {
    if (machine.address !== address) return;
    if (index > 0 && members.every(knows)) {
      machine.moved = false;
      return addresses.vacate(before);
    }
    await scheduler.sleep(200_000);
  }
}

/**
 * Removes a member that the others don't reach, and adds it again before it learns of
 * its removal: with the data that it has, or in half of the cases with an empty disk.
 */
export async function readmit(cluster: Cluster, machine: Machine, chance: Stream): Promise<void> {
  const asVoter = chance.chance(0.5);
  const wipes = chance.chance(0.3);
  const removal = (membership: Membership): MembershipTarget | null => {
    const rest = targetOf(membership, machine);
    return !isMember(membership, machine) || rest.voters.length === 0 ? null : rest;
  };
  const removed = await cluster.change(removal, `removes ${machine.name}, which is cut off`);
  if (!removed || machine.lost || machine.damaged) return;
  if (wipes && cluster.mayLose(machine)) {
    machine.wipe();
    machine.start();
  }
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // In the end it may be one that stays cut off, and the cluster must not need it.
    if (cluster.run.calm) return;
    const added = await cluster.change((membership) => {
      if (isNamed(membership, machine)) return null;
      const { voters, learners } = targetOf(membership);
      return asVoter
        ? { voters: [...voters, machine.member], learners }
        : { voters, learners: [...learners, machine.member] };
    }, `adds ${machine.name} again before it knows`);
    if (added) return cluster.run.trace.count(wipes ? "readmitted with an empty disk" : "readmitted with its data");
    await cluster.run.scheduler.sleep(chance.between(50, 400) * 1000);
  }
}

/** Reports whether a machine is in a membership with its present disk, or not at all. */
function fits(membership: Membership, machine: Machine): boolean {
  return isMember(membership, machine) || !isNamed(membership, machine);
}
