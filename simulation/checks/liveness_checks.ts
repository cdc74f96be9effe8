/**
 * Checks of liveness in the middle of a run, in its well intervals: there is a leader,
 * terms don't rise without end, followers catch up, each client gets answers, and each
 * call ends. At any time, a leader that reaches no quorum steps down.
 */

import { hasQuorum } from "../../lib/raft/quorum.ts";
import type { Membership, NodeId } from "../../lib/raft/types.ts";
import type { Clients } from "../clients/clients.ts";
import { forgetUnanswered } from "../clients/clients.ts";
import type { Cluster } from "../faults/cluster.ts";
import { isMember } from "../faults/cluster.ts";
import type { Machine } from "../machine/machine.ts";
import type { Network } from "../network.ts";
import { FAULTS } from "../plan.ts";
import type { FaultKind, Plan } from "../plan.ts";
import type { Run } from "../run.ts";
import type { History } from "./history.ts";
import { boundsOf } from "./liveness_bounds.ts";
import type { LivenessBounds } from "./liveness_bounds.ts";
import type { ProtocolChecks } from "./protocol_checks.ts";
import type { ServedCalls } from "./served_calls.ts";
import { Wellness } from "./wellness.ts";
import type { WellQuorum } from "./wellness.ts";

export interface LivenessOptions {
  readonly run: Run;
  readonly plan: Plan;
  readonly protocol: ProtocolChecks;
  readonly cluster: Cluster;
  readonly network: Network;
  readonly clients: Clients;
  readonly history: History;
  readonly served: ServedCalls;
}

/** The log that a follower has to reach, set when it reached the one before. */
interface Goal {
  readonly leader: Machine;
  readonly term: number;
  readonly index: number;
  /** The entries that the follower lacked. */
  readonly lag: number;
  readonly setUs: number;
}

/** Faults of single messages and calls, which are counted one by one, or not at all. */
const IN_PASSING: ReadonlySet<FaultKind> = new Set(
  ["loss", "duplication", "delay", "replay", "flip", "drift", "lostCall", "lateCall"] as const,
);

export class LivenessChecks {
  readonly #options: LivenessOptions;
  readonly #bounds: LivenessBounds;
  readonly #wellness: Wellness;
  /** The time at which there was a leader, or no quorum was well. */
  #leaderUs = 0;
  /** The highest term when the present well interval began, or had a leader for the first time. */
  #terms = { sinceUs: -1, from: 0, transfers: 0, settled: false };
  /** The time at which a leader last reached each member, by the names of both. */
  readonly #contacts = new Map<string, number>();
  /** The membership that each leader has, and the time since which it has it. */
  readonly #memberships = new Map<Machine, { readonly membership: Membership; readonly sinceUs: number }>();
  readonly #goals = new Map<Machine, Goal>();

  constructor(options: LivenessOptions) {
    const { run, plan, cluster, network } = options;
    this.#options = options;
    this.#bounds = boundsOf(plan);
    this.#wellness = new Wellness(run, cluster, network);
  }

  /** Looks at the whole run. */
  poll(): void {
    const { run, plan, history } = this.#options;
    history.checkDue(run);
    // A member that lies may cost the others as much time as it likes.
    if (plan.liar !== null) return;
    this.#wellness.poll();
    const { quorum } = this.#wellness;
    this.#checkStranded();
    const leader = this.#leader;
    this.#checkLeader(quorum, leader);
    this.#checkTerms(quorum);
    this.#checkFollowers(leader);
    this.#checkClients(quorum, leader);
    this.#checkCalls();
  }

  /** Checks at the end of the faults that there were no more elections than they explain. */
  checkElections(): void {
    const { run, plan, protocol } = this.#options;
    if (plan.liar !== null) return;
    const count = (names: readonly string[]): number =>
      names.reduce((sum, name) => sum + (run.trace.counts[name] ?? 0), 0);
    const campaigns = count(["campaign"]) - protocol.timeoutNows;
    const faults = count(FAULTS.filter((kind) => !IN_PASSING.has(kind))) + count(["stopped itself"]);
    const most = 15 + 2 * faults + Math.ceil(count(["loss", "delay"]) / 20);
    run.require(campaigns <= most, "liveness", () => `there were ${campaigns} campaigns, and ${faults} faults`);
  }

  get #nowUs(): number {
    return this.#options.run.scheduler.nowUs;
  }

  #late(sinceUs: number, bound: "leader" | "call" | "forward", what: (ms: number) => string): void {
    const us = this.#nowUs - sinceUs;
    if (us > this.#bounds[bound]) this.#options.run.report("liveness", what(Math.round(us / 1000)));
  }

  /** Checks that a leader steps down once no quorum can have answered for an election timeout (dissertation §6.2). */
  #checkStranded(): void {
    const { cluster, run } = this.#options;
    for (const leader of cluster.all) {
      const view = leader.node?.inspect();
      const wellSinceUs = this.#wellness.since(leader);
      if (view === undefined || view.role !== "leader" || wellSinceUs === null) {
        this.#contacts.delete(leader.name);
        continue;
      }
      const leads = `${leader.name} ${view.term}`;
      const ledSinceUs = this.#contacts.get(leads) ?? this.#nowUs;
      this.#contacts.set(leads, ledSinceUs);
      // Members may have been silent before they were needed for a quorum.
      const sinceUs = Math.max(ledSinceUs, this.#membershipSince(leader, view.membership));
      for (const other of cluster.all) {
        if (this.#mayAnswer(leader, other)) this.#contacts.set(`${leads} ${other.name}`, this.#nowUs);
      }
      const heardUs = (id: NodeId): number => Math.max(sinceUs, wellSinceUs, this.#contacts.get(`${leads} ${id}`) ?? 0);
      const inContact = (id: NodeId): boolean => this.#nowUs - heardUs(id) <= this.#bounds.stranded;
      if (hasQuorum(view.membership, (id) => id === leader.name || inContact(id))) continue;
      run.report("liveness", `${leader.name} still leads in term ${view.term}, and no quorum can have answered it`);
    }
  }

  /** Returns the time since which a leader has its membership. */
  #membershipSince(leader: Machine, membership: Membership): number {
    const before = this.#memberships.get(leader);
    if (before?.membership === membership) return before.sinceUs;
    this.#memberships.set(leader, { membership, sinceUs: this.#nowUs });
    return this.#nowUs;
  }

  /** Reports whether a machine's messages reach another, and its answers come back. */
  #mayAnswer(one: Machine, other: Machine): boolean {
    const { network } = this.#options;
    return one !== other && other.process !== null && !other.process.frozen &&
      network.reaches(one.name, other.name) && network.reaches(other.name, one.name);
  }

  /** The leader of the highest term, if it reaches a quorum. */
  get #leader(): Machine | null {
    const { leader } = this.#options.cluster;
    if (leader === undefined || leader.process?.frozen) return null;
    const { machines } = this.#options.cluster;
    const answers = (id: NodeId): boolean => id === leader.name || this.#mayAnswer(leader, machines.get(id)!);
    return hasQuorum(leader.node!.inspect().membership, answers) ? leader : null;
  }

  /** Checks that a well quorum has a leader. */
  #checkLeader(quorum: WellQuorum | null, leader: Machine | null): void {
    if (quorum === null || leader !== null) this.#leaderUs = this.#nowUs;
    const sinceUs = Math.max(this.#leaderUs, quorum?.sinceUs ?? this.#nowUs);
    this.#late(sinceUs, "leader", (ms) => `a quorum has been well for ${ms} ms without a leader`);
  }

  /** Checks that terms do not rise without end in a well interval. */
  #checkTerms(quorum: WellQuorum | null): void {
    if (quorum === null) return;
    const { run, protocol } = this.#options;
    const term = Math.max(...[...quorum.machines].map(({ node }) => node!.inspect().term));
    if (this.#terms.sinceUs !== quorum.sinceUs) {
      this.#terms = { sinceUs: quorum.sinceUs, from: term, transfers: protocol.timeoutNows, settled: false };
      run.trace.count("well interval");
    }
    if (!this.#terms.settled && this.#nowUs - quorum.sinceUs > this.#bounds.settling) {
      this.#terms.settled = true;
      run.trace.count("long well interval");
    }
    const rises = term - this.#terms.from - (protocol.timeoutNows - this.#terms.transfers);
    if (rises <= this.#bounds.terms) return;
    run.report("liveness", `terms have risen by ${rises} while a quorum was well`);
  }

  /** Checks that members that are well and connected with their leader receive its log. */
  #checkFollowers(leader: Machine | null): void {
    for (const machine of this.#options.cluster.all) {
      const goal = leader === null || leader === machine ? null : this.#goal(leader, machine);
      if (goal === null) this.#goals.delete(machine);
      else this.#goals.set(machine, goal);
    }
  }

  /** Returns the present goal of a follower; `null` if it can have none. */
  #goal(leader: Machine, machine: Machine): Goal | null {
    const connectedUs = this.#wellness.connectedSince(leader, machine);
    const { term, membership, commitIndex, snapshot } = leader.node!.inspect();
    if (connectedUs === null || !isMember(membership, machine)) return null;
    const before = this.#goals.get(machine);
    const reached = machine.node!.inspect().commitIndex;
    const lag = Math.max(0, commitIndex - reached);
    const next: Goal = { leader, term, index: commitIndex, lag, setUs: this.#nowUs };
    if (before === undefined || before.leader !== leader || before.term !== term) return next;
    if (reached >= before.index) return next;
    const workUs = this.#bounds.transferOf(snapshot?.size ?? 0) + this.#bounds.backlogOf(before.lag);
    const us = this.#nowUs - Math.max(before.setUs, connectedUs) - workUs;
    if (us > this.#bounds.catchUp) {
      this.#options.run.report(
        "liveness",
        `${machine.name} lacks entry ${before.index} of ${leader.name} after ${Math.round(us / 1000)} ms`,
      );
    }
    return before;
  }

  /** Checks that each client gets answers while the leader and a quorum are well and it reaches them. */
  #checkClients(quorum: WellQuorum | null, leader: Machine | null): void {
    const { clients, network, run } = this.#options;
    const isServed = quorum !== null && leader !== null && quorum.machines.has(leader);
    for (const client of clients.all) {
      const { name, only, isBalanced, unanswered } = client;
      // One that asks any node may meet others than those of the quorum.
      const servable = isServed && !isBalanced && (only === null || only === leader.name) &&
        [...quorum.machines].every((machine) => network.isWell(name, machine.name));
      if (!servable) {
        client.servableUs = null;
        forgetUnanswered(client);
        continue;
      }
      client.servableUs ??= this.#nowUs + this.#bounds.settling;
      for (const [type, { number }] of Object.entries(unanswered)) {
        if (number <= this.#bounds.unanswered) continue;
        run.report("liveness", `${name} has asked for ${number} ${type}s in a row in vain, of a healthy cluster`);
      }
    }
  }

  /** Checks that well nodes end each call. */
  #checkCalls(): void {
    const { served, cluster } = this.#options;
    for (const { machine: name, process, what, sinceUs } of served.open) {
      const machine = cluster.machines.get(name)!;
      const wellUs = this.#wellness.since(machine);
      if (wellUs === null) continue;
      // A quorum that answers may still need the snapshot before it can acknowledge.
      const transferUs = this.#bounds.transferOf(machine.node?.inspect().snapshot?.size ?? 0);
      const fromUs = Math.max(sinceUs, wellUs) + transferUs + process.mostLateUs;
      this.#late(fromUs, "call", (ms) => `${what} at ${name} has not ended for ${ms} ms`);
    }
    for (const machine of cluster.all) {
      const sinceUs = machine.server?.oldestUs ?? null;
      const wellUs = this.#wellness.since(machine);
      if (sinceUs === null || wellUs === null) continue;
      const fromUs = Math.max(sinceUs, wellUs) + machine.process!.mostLateUs;
      this.#late(fromUs, "forward", (ms) => `${machine.name} has not ended a request for the leader for ${ms} ms`);
    }
  }
}
