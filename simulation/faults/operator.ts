/**
 * Membership changes that an operator requests at any time.
 */

import type { Member, Membership } from "../../lib/raft/types.ts";
import type { Stream } from "../decisions.ts";
import type { Machine } from "../machine/machine.ts";
import type { Run } from "../run.ts";
import type { Cluster } from "./cluster.ts";
import { isMember, membersOf } from "./cluster.ts";

export class Operator {
  readonly #run: Run;
  readonly #cluster: Cluster;

  constructor(run: Run, cluster: Cluster) {
    this.#run = run;
    this.#cluster = cluster;
  }

  /** Adds, promotes or removes one machine. */
  async changeOne(target: Machine, chance: Stream): Promise<void> {
    const keepsVote = chance.chance(0.3);
    await this.#cluster.change((membership) => {
      const voters = membersOf(membership, membership.voters);
      const learners = membersOf(membership, membership.learners);
      const others = (members: readonly Member[]) => members.filter(({ id }) => id !== target.name);
      if (!membership.members.some(({ id }) => id === target.name)) {
        if (target.damaged || target.lost) return null;
        return keepsVote
          ? { voters: [...voters, target.member], learners }
          : { voters, learners: [...learners, target.member] };
      }
      if (membership.learners.includes(target.name)) {
        const member = membersOf(membership, [target.name]);
        return { voters: [...voters, ...member], learners: others(learners) };
      }
      if (voters.length < 2) return null;
      return { voters: others(voters), learners: others(learners) };
    }, `changes ${target.name}`);
  }

  /** Makes each machine a voter, a learner, or neither, at random; several at once, through a joint configuration. */
  async changeMany(chance: Stream): Promise<void> {
    const order = chance.shuffled(this.#cluster.all);
    const most = Math.min(7, order.length);
    const count = chance.between(Math.min(most, 2), most);
    const listening = chance.below(2);
    const changed = await this.#cluster.change((membership) => {
      const usable = order.filter((machine) => !machine.damaged && !machine.lost && fits(membership, machine));
      if (usable.length < Math.min(count, 2)) return null;
      return {
        voters: usable.slice(0, count).map(({ member }) => member),
        learners: usable.slice(count, count + listening).map(({ member }) => member),
      };
    }, "changes several at once");
    if (changed) this.#run.trace.count("several changed");
  }

  /** Replaces a machine whose disk was lost or is discarded now: it is removed, and returns with an empty disk. */
  replace(chance: Stream): boolean {
    const machines = this.#cluster.all;
    const target = machines.find(({ lost, damaged }) => lost || damaged) ??
      machines.find((machine) => this.#isNamesake(machine)) ?? chance.pick(machines)!;
    void this.#replace(target, chance.between(1, 500));
    return true;
  }

  async #replace(target: Machine, restartMs: number): Promise<void> {
    const { trace, scheduler } = this.#run;
    const inMembership = this.#cluster.leader?.node?.inspect().membership.members.some(({ id }) => id === target.name);
    if (inMembership === undefined) return;
    const removed = !inMembership || await this.#cluster.change((membership) => {
      const voters = membersOf(membership, membership.voters).filter(({ id }) => id !== target.name);
      const learners = membersOf(membership, membership.learners).filter(({ id }) => id !== target.name);
      return voters.length === 0 ? null : { voters, learners };
    }, `removes ${target.name}`);
    if (!removed) return;
    // Only after the removal has committed.
    if (!target.lost && !target.damaged && !this.#isNamesake(target) && !this.#cluster.mayLose(target)) return;
    if (!this.#isNamesake(target)) target.wipe();
    await scheduler.sleep(restartMs * 1000);
    target.start();
    const added = await this.#cluster.change((membership) => {
      if (membership.members.some(({ id }) => id === target.name)) return null;
      const voters = membersOf(membership, membership.voters);
      return { voters, learners: [...membersOf(membership, membership.learners), target.member] };
    }, `adds ${target.name} again`);
    if (added) trace.count("replaced");
  }

  /** Reports whether the membership names this machine with an earlier disk. */
  #isNamesake(machine: Machine): boolean {
    const membership = this.#cluster.leader?.node?.inspect().membership;
    return membership !== undefined && !isMember(membership, machine) &&
      membership.members.some(({ id }) => id === machine.name);
  }
}

/** Reports whether a machine is in a membership with its present disk, or not at all. */
function fits(membership: Membership, machine: Machine): boolean {
  return isMember(membership, machine) || !membership.members.some(({ id }) => id === machine.name);
}
