/**
 * The machines of a run as a cluster, for faults and operators.
 */

import type { MembershipTarget, RaftNode } from "../../lib/node/mod.ts";
import { RaftError } from "../../lib/errors.ts";
import { memberOf } from "../../lib/raft/mod.ts";
import { hasQuorum, majority } from "../../lib/raft/quorum.ts";
import type { Member, Membership } from "../../lib/raft/types.ts";
import type { ProtocolChecks } from "../checks/protocol_checks.ts";
import type { Machine } from "../machine/machine.ts";
import type { Run } from "../run.ts";

export class Cluster {
  readonly machines: ReadonlyMap<string, Machine>;
  readonly run: Run;
  readonly #protocol: ProtocolChecks;

  constructor(run: Run, protocol: ProtocolChecks, machines: ReadonlyMap<string, Machine>) {
    this.run = run;
    this.#protocol = protocol;
    this.machines = machines;
  }

  get all(): Machine[] {
    return [...this.machines.values()];
  }

  get up(): Machine[] {
    return this.all.filter((machine) => machine.up);
  }

  /** The leader of the highest term, if there is one. */
  get leader(): Machine | undefined {
    const termOf = ({ node }: Machine): number => node!.inspect().term;
    return this.up.filter(({ node }) => node!.isLeader).sort((a, b) => termOf(b) - termOf(a))[0];
  }

  /** Every membership that is or may be in force, including one that a leader has only begun to write. */
  get memberships(): Membership[] {
    const { entries } = this.#protocol;
    const committed = entries.lastMembership?.index ?? 0;
    const newer = this.up.map(({ node }) => node!.inspect()).filter((view) => view.membershipIndex > committed);
    return [...new Set([...entries.possibleMemberships(), ...newer.map((view) => view.membership)])];
  }

  /** Reports whether these machines, by their present disks, are a quorum of every membership that may be in force. */
  areQuorum(machines: ReadonlySet<Machine>): boolean {
    const memberships = this.memberships;
    return memberships.length > 0 && memberships.every((membership) =>
      hasQuorum(membership, (id) => {
        const machine = this.machines.get(id);
        return machine !== undefined && machines.has(machine) && !machine.lost && isMember(membership, machine);
      })
    );
  }

  /** Reports whether a disk may be lost now: its promises must be on a quorum without it. */
  mayLose(victim: Machine): boolean {
    return this.areQuorum(new Set(this.all.filter((machine) => machine !== victim)));
  }

  /** The node of a leader that can receive a request. */
  get #askable(): RaftNode | null {
    const { leader } = this;
    return leader === undefined || leader.process?.frozen ? null : leader.node;
  }

  /** Asks the leader to change the membership; resolves with true if it did. */
  async change(wanted: (membership: Membership) => MembershipTarget | null, why: string): Promise<boolean> {
    const node = this.#askable;
    if (node === null) return false;
    const change = wanted(node.inspect().membership);
    if (change === null || !this.#keepsQuorum(change)) return false;
    this.run.trace.describe(
      "operator",
      () => `${why}: voters ${ids(change.voters)}, learners ${ids(change.learners ?? [])}`,
    );
    return await this.#ask(node.changeMembership(change), "membership changed");
  }

  /** Reports whether enough of the new voters have a good disk. */
  #keepsQuorum({ voters }: MembershipTarget): boolean {
    const intact = voters.filter(({ id, incarnation }) => {
      const machine = this.machines.get(id);
      return machine !== undefined && machine.incarnation === incarnation && !machine.lost && !machine.damaged;
    });
    return intact.length >= majority(voters.length);
  }

  async transfer(to: Machine | undefined): Promise<void> {
    const node = this.#askable;
    if (node === null) return;
    await this.#ask(node.transferLeadership(to === undefined ? {} : { to: to.name }), "leadership transferred");
  }

  async snapshot(node: RaftNode): Promise<void> {
    await this.#ask(node.takeSnapshot(), "snapshot requested");
  }

  async #ask(request: Promise<unknown>, count: string): Promise<boolean> {
    try {
      await request;
      this.run.trace.count(count);
      return true;
    } catch (error) {
      if (error instanceof RaftError && error.code !== "internal") return false;
      this.run.report("no unexplained stop", `an operator received: ${error}`);
      return false;
    }
  }
}

/** Reports whether a membership names this machine with its present disk. */
export function isMember(membership: Membership, machine: Machine): boolean {
  return memberOf(membership, machine.name)?.incarnation === machine.incarnation;
}

/** Reports whether a membership names this machine, perhaps with an earlier disk. */
export function isNamed(membership: Membership, machine: Machine): boolean {
  return memberOf(membership, machine.name) !== undefined;
}

/** Returns the voters and learners of a membership, without `left`. */
export function targetOf(
  { members, voters, learners }: Membership,
  left?: Machine,
): Record<"voters" | "learners", Member[]> {
  const rest = members.filter(({ id }) => id !== left?.name);
  return {
    voters: rest.filter(({ id }) => voters.includes(id)),
    learners: rest.filter(({ id }) => learners.includes(id)),
  };
}

function ids(members: readonly Member[]): string {
  return members.length === 0 ? "none" : members.map(({ id }) => id).join(" ");
}
