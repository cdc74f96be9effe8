/**
 * Checks of what operators are told: a membership is in force, a node leads, a snapshot
 * is on the disk; and a request that was rejected has no effect, then or later.
 */

import type { MembershipTarget } from "../../lib/node/mod.ts";
import type { RaftError } from "../../lib/errors.ts";
import { equalMemberships, isJoint, membershipOf } from "../../lib/raft/mod.ts";
import type { Membership, NodeId, SnapshotMeta } from "../../lib/raft/types.ts";
import type { Machine } from "../machine/machine.ts";
import type { Run } from "../run.ts";
import type { ProtocolChecks } from "./protocol_checks.ts";

/** A request of an operator to a node. */
export interface OperatorRequest {
  readonly machine: Machine;
  readonly incarnation: string;
  /** The node's state when it received the request. */
  readonly term: number;
  readonly wasLeader: boolean;
  readonly lastIndex: number;
  readonly snapshotIndex: number;
  readonly callUs: number;
  /** The wanted membership, for a change. */
  readonly target: Membership | null;
  /** The wanted leader, for a transfer; `null` for any. */
  readonly to: NodeId | null;
  readonly kind: "change" | "transfer" | "snapshot";
  outcome: "done" | RaftError["outcome"] | null;
}

export class OperatorChecks {
  readonly #run: Run;
  readonly #protocol: ProtocolChecks;
  /** Set if a member lies: it may claim to lead, and a node that asked it to has to believe that. */
  readonly #lies: boolean;
  readonly #requests: OperatorRequest[] = [];

  constructor(run: Run, protocol: ProtocolChecks, lies: boolean) {
    this.#run = run;
    this.#protocol = protocol;
    this.#lies = lies;
  }

  /** Notes a request that a node is about to receive. */
  begin(machine: Machine, kind: OperatorRequest["kind"], target: MembershipTarget | null, to: NodeId | null) {
    const { term, role, lastIndex } = machine.node!.inspect();
    const request: OperatorRequest = {
      machine,
      incarnation: machine.incarnation,
      term,
      wasLeader: role === "leader",
      lastIndex,
      snapshotIndex: machine.settled,
      callUs: this.#run.scheduler.nowUs,
      target: target === null ? null : membershipOf({ voters: target.voters, learners: target.learners ?? [] }),
      to,
      kind,
      outcome: null,
    };
    this.#requests.push(request);
    return request;
  }

  /** Checks an answer. */
  done(request: OperatorRequest, answer: unknown): void {
    this.#end(request, "done");
    // The latest events may not have been looked at yet.
    request.machine.poll();
    if (request.kind === "change") this.#changed(request, answer as Membership);
    else if (request.kind === "transfer") this.#transferred(request, answer as NodeId);
    else this.#snapshotTaken(request, answer as SnapshotMeta);
  }

  failed(request: OperatorRequest, { outcome }: RaftError): void {
    this.#end(request, outcome);
    if (request.kind !== "transfer" || outcome !== "rejected") return;
    const { machine, term, callUs } = request;
    const toldUs = this.#protocol.timeoutNowUs(machine.name, term) ?? -1;
    const alone = !this.#requests.some((other) =>
      other !== request && isAlike(other, request) && other.outcome !== "rejected"
    );
    if (toldUs >= callUs && alone) {
      this.#broken(request, "that no transfer has begun, and a member was told to campaign");
    }
  }

  /** Checks at the end of a run that no change that was rejected is in the log. */
  checkRejected(): void {
    const { memberships } = this.#protocol.entries;
    for (const request of this.#requests) {
      const { machine, target, term, lastIndex, outcome } = request;
      if (target === null || outcome !== "rejected") continue;
      const twin = this.#requests.some((other) =>
        other !== request && isAlike(other, request) && other.outcome !== "rejected" &&
        hasSameVoters(other.target!, target)
      );
      if (twin) continue;
      // A joint configuration is left by itself, also to the voters that a request had in mind.
      const isLeave = (at: number): boolean => at > 0 && isJoint(memberships[at - 1]!.membership);
      const found = memberships.find(({ index, membership }, at) =>
        index > lastIndex && !isLeave(at) && this.#protocol.entries.committed(index)!.entry.term === term &&
        this.#protocol.leaderOf(term) === machine.name && hasSameVoters(membership, target)
      );
      if (found !== undefined) {
        this.#broken(request, `that the membership was not changed, and entry ${found.index} changes it`);
      }
    }
  }

  #end(request: OperatorRequest, outcome: NonNullable<OperatorRequest["outcome"]>): void {
    request.outcome = outcome;
    this.#run.trace.count(`${request.kind} ${outcome}`);
  }

  #changed(request: OperatorRequest, membership: Membership): void {
    const { target, machine, lastIndex } = request;
    if (!equalMemberships(target!, membership)) {
      return this.#broken(request, `another membership than the one it asked for: ${JSON.stringify(membership)}`);
    }
    const { memberships } = this.#protocol.entries;
    const before = memberships.findLast(({ index }) => index <= lastIndex);
    const holds = memberships.some(({ index, membership: committed }) =>
      (index > lastIndex || index === before?.index) && equalMemberships(committed, membership)
    );
    if (!holds) this.#broken(request, `the membership of ${machine.name}, which is not committed`);
  }

  #transferred(request: OperatorRequest, leader: NodeId): void {
    const { machine, to, term, wasLeader } = request;
    if (to !== null && to !== leader) return this.#broken(request, `${leader} as the new leader instead of ${to}`);
    const kept = leader === machine.name && wasLeader;
    if (kept || this.#lies || this.#protocol.leadsAfter(leader, term)) return;
    this.#broken(request, `${leader} as the new leader, which has not led since term ${term}`);
  }

  #snapshotTaken(request: OperatorRequest, { index, term, checksum }: SnapshotMeta): void {
    const { machine, incarnation, snapshotIndex } = request;
    const { snapshot } = machine.recordOf(incarnation)!;
    const onDisk = snapshot !== null &&
      (snapshot.index > index ||
        (snapshot.index === index && snapshot.term === term && snapshot.checksum === checksum));
    if (!onDisk) this.#broken(request, `${index} as the index of its snapshot, and its disk has ${snapshot?.index}`);
    if (index < snapshotIndex) this.#broken(request, `an older snapshot than it had: ${index} after ${snapshotIndex}`);
  }

  #broken({ machine, kind }: OperatorRequest, told: string): void {
    this.#run.report("outcomes are true", `the operator who asked ${machine.name} for a ${kind} was told ${told}`);
  }
}

/** Reports whether two requests are of the same kind, to the same node in the same term. */
function isAlike(one: OperatorRequest, other: OperatorRequest): boolean {
  return one.kind === other.kind && one.machine === other.machine && one.term === other.term;
}

/** Reports whether two memberships have the same voters, also on the way to them. */
function hasSameVoters(one: Membership, other: Membership): boolean {
  const names = ({ voters, members }: Membership): string =>
    members.filter(({ id }) => voters.includes(id)).map(({ id, incarnation }) => `${id}/${incarnation}`).sort().join();
  return names(one) === names(other);
}
