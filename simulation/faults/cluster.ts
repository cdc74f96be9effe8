/**
 * The machines of a run as a cluster, for faults and operators.
 */

import type { MembershipTarget, RequestOptions } from "../../lib/node/mod.ts";
import { RaftError } from "../../lib/errors.ts";
import { memberOf } from "../../lib/raft/mod.ts";
import { hasQuorum, majority } from "../../lib/raft/quorum.ts";
import type { Member, Membership } from "../../lib/raft/types.ts";
import type { OperatorChecks } from "../checks/operator_checks.ts";
import type { OperatorRequest } from "../checks/operator_checks.ts";
import type { ProtocolChecks } from "../checks/protocol_checks.ts";
import type { ServedCalls } from "../checks/served_calls.ts";
import type { Stream } from "../decisions.ts";
import type { Machine } from "../machine/machine.ts";
import type { Run } from "../run.ts";

/** The share of requests that an operator sends to any node, and of those that are aborted. */
const ASTRAY = 0.1;
const ABORTS = 0.15;

/** The error of an aborted request; created only once, because that is slow. */
const GIVEN_UP = new Error("the operator has given up");

export class Cluster {
  readonly machines: ReadonlyMap<string, Machine>;
  readonly run: Run;
  readonly #protocol: ProtocolChecks;
  readonly #operators: OperatorChecks;
  readonly #served: ServedCalls;
  readonly #chance: Stream;

  constructor(
    run: Run,
    protocol: ProtocolChecks,
    operators: OperatorChecks,
    machines: ReadonlyMap<string, Machine>,
    served: ServedCalls,
  ) {
    this.run = run;
    this.#protocol = protocol;
    this.machines = machines;
    this.#served = served;
    this.#operators = operators;
    this.#chance = run.decisions.stream("operator");
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

  /** Reports whether the other machines, as far as every membership knows their addresses, are a quorum. */
  reaches(victim: Machine): boolean {
    const { memberships } = this;
    const isKnown = (machine: Machine): boolean =>
      memberships.every((membership) => {
        const member = memberOf(membership, machine.name);
        return member === undefined || member.address === machine.address;
      });
    return this.areQuorum(new Set(this.all.filter((machine) => machine !== victim && isKnown(machine))));
  }

  /** A machine that can receive a request: that of the leader, or sometimes another. */
  #askable(chance: Stream): Machine | null {
    const asked = chance.chance(ASTRAY) ? chance.pick(this.up) : this.leader;
    return asked === undefined || asked.process?.frozen ? null : asked;
  }

  /** Asks the leader to change the membership; resolves with true if it did. */
  async change(wanted: (membership: Membership) => MembershipTarget | null, why: string): Promise<boolean> {
    const chance = this.#chance.next();
    const machine = this.#askable(chance);
    if (machine === null) return false;
    const node = machine.node!;
    const change = wanted(node.inspect().membership);
    if (change === null || !this.#keepsQuorum(change)) return false;
    this.run.trace.describe(
      "operator",
      () => `${why}: voters ${ids(change.voters)}, learners ${ids(change.learners ?? [])}`,
    );
    const request = this.#operators.begin(machine, "change", change, null);
    return await this.#ask(request, chance, (options) => node.changeMembership(change, options), "membership changed");
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
    const chance = this.#chance.next();
    const machine = this.#askable(chance);
    if (machine === null) return;
    const node = machine.node!;
    const target = to === undefined ? {} : { to: to.name };
    const request = this.#operators.begin(machine, "transfer", null, to?.name ?? null);
    await this.#ask(
      request,
      chance,
      (options) => node.transferLeadership({ ...target, ...options }),
      "leadership transferred",
    );
  }

  async snapshot(machine: Machine): Promise<void> {
    const node = machine.node!;
    const request = this.#operators.begin(machine, "snapshot", null, null);
    await this.#ask(request, this.#chance.next(), (options) => node.takeSnapshot(options), "snapshot requested");
  }

  /** Sends a request, some of which are aborted; resolves with true if it was carried out. */
  async #ask(
    request: OperatorRequest,
    chance: Stream,
    send: (options: RequestOptions) => Promise<unknown>,
    count: string,
  ): Promise<boolean> {
    const { machine, kind } = request;
    const { process } = machine;
    const controller = new AbortController();
    const aborts = chance.chance(ABORTS);
    if (aborts) {
      this.run.scheduler.after(
        1000 * chance.below(1000),
        machine,
        () => process?.receive(() => controller.abort(GIVEN_UP)),
      );
    }
    try {
      const answer = await this.#served.serve(
        machine.name,
        process,
        `a ${kind}`,
        send(aborts ? { signal: controller.signal } : {}),
      );
      machine.requireAlive(process!);
      this.#operators.done(request, answer);
      this.run.trace.count(count);
      return true;
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      this.#operators.failed(request, error);
      if (error.code === "internal") this.run.report("no unexplained stop", `an operator received: ${error}`);
      return false;
    }
  }

  /** Checks at the end of a run what operators were told. */
  checkOperators(): void {
    this.#operators.checkRejected();
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
