/**
 * What is done to the members of a cluster: the rules behind AdminService, free
 * of any wire format.
 *
 * @module
 */

import type { NewMember } from "../lib/client/admin_calls.ts";
import { RaftError } from "../lib/errors.ts";
import { systemClock } from "../lib/host.ts";
import { pause } from "../lib/pause.ts";
import type { NodeStatus } from "../lib/node/types.ts";
import { hasOtherDataFolder, mayPromote } from "../lib/raft/membership_change.ts";
import type { Member, Membership, NodeId } from "../lib/raft/types.ts";
import { MAX_ADDRESS_LENGTH } from "../transport/wire/checked.ts";
import type { Hints } from "./hints.ts";
import type { ServedNode } from "./served_node.ts";

/** Who answers at an address. */
export interface Identified {
  readonly nodeId: string;
  readonly incarnation: string;
  /** Empty if it is part of none yet. */
  readonly clusterId: string;
  /** Whether it holds nothing but its own identity. */
  readonly empty: boolean;
}

/** Options of {@linkcode Admin}. */
export interface AdminOptions {
  readonly node: ServedNode;
  /** Asks a node who it is. @throws {RaftError} `unreachable` */
  identify(address: string, signal: AbortSignal): Promise<Identified>;
  /** The hints of what is thrown. */
  readonly hints: Hints;
  /** A voter counts as present if it answered within. @default 3000 */
  readonly presenceMs?: number;
  /** How often to look whether a learner has caught up. @default 50 */
  readonly pollIntervalMs?: number;
}

/** Adds, promotes and removes members. To be used at the leader; elsewhere its calls end as `not_leader`. */
export class Admin {
  readonly #node: ServedNode;
  readonly #identify: AdminOptions["identify"];
  readonly #hints: Hints;
  readonly #presenceMs: number;
  readonly #pollMs: number;

  constructor(options: AdminOptions) {
    this.#node = options.node;
    this.#identify = (address, signal) => options.identify(address, signal);
    this.#hints = options.hints;
    this.#presenceMs = options.presenceMs ?? 3000;
    this.#pollMs = options.pollIntervalMs ?? 50;
  }

  /**
   * Adds an empty node as a learner; unless it is to stay one, waits until it
   * has caught up and makes it a voter (dissertation §4.2.1). Calling it again
   * after a failure goes on where it ended.
   */
  async add(request: NewMember, signal: AbortSignal): Promise<Membership> {
    const { id, address } = request;
    if (id === "" || address === "") throw new RaftError("invalid_argument", "A member needs an id and an address.");
    checkLength(address);
    const found = await this.#ask(id, address, signal);
    const before = this.#status();
    const known = before.members.find((member) => member.id === id);
    if (known !== undefined) {
      if (hasOtherDataFolder(before.membership, { id, incarnation: found.incarnation })) {
        throw new RaftError("refused", `${id} is already a member, with another data folder.`, {
          hint: this.#hints.replace(id, known.address),
        });
      }
    } else {
      this.#checkNewMember(request, found, before);
      const member = { id, address, incarnation: found.incarnation };
      const { voters, learners } = halves(before);
      await this.#node.changeMembership({ voters, learners: [...learners, member] }, { signal });
    }
    if (request.learner !== true) {
      await this.#caughtUp(id, signal);
      return await this.promote(id, signal);
    }
    return this.#status().membership;
  }

  /** Makes a learner that has caught up a voter. */
  async promote(id: NodeId, signal: AbortSignal): Promise<Membership> {
    const status = this.#status();
    const { voters, learners } = halves(status);
    if (voters.some((member) => member.id === id)) return status.membership;
    const learner = learners.find((member) => member.id === id);
    if (learner === undefined) throw new RaftError("invalid_argument", `${id} is not a learner of this cluster.`);
    const matchIndex = matchIndexOf(status, id);
    if (matchIndex === 0 || !mayPromote(status.commitIndex, { matchIndex })) {
      const problem = matchIndex === 0 ? "has not answered yet" : `lacks ${status.commitIndex - matchIndex} entries`;
      throw new RaftError("not_ready", `${id} ${problem}.`, { hint: this.#hints.stillBehind });
    }
    const after = [...voters, learner];
    this.#checkQuorum(status, after);
    return await this.#node.changeMembership(
      { voters: after, learners: learners.filter((member) => member.id !== id) },
      { signal },
    );
  }

  /** Makes a voter a learner, unless the other voters could not form a quorum. */
  async demote(id: NodeId, signal: AbortSignal): Promise<Membership> {
    const status = this.#status();
    const { voters, learners } = halves(status);
    if (learners.some((member) => member.id === id)) return status.membership;
    const voter = voters.find((member) => member.id === id);
    if (voter === undefined) throw new RaftError("invalid_argument", `${id} is not a voter of this cluster`);
    const after = voters.filter((member) => member.id !== id);
    if (after.length === 0) throw new RaftError("refused", `${id} is the last voter`);
    this.#checkQuorum(status, after);
    return await this.#node.changeMembership({ voters: after, learners: [...learners, voter] }, { signal });
  }

  /** Takes a node out, unless the rest could not form a quorum. */
  async remove(id: NodeId, signal: AbortSignal): Promise<Membership> {
    const status = this.#status();
    const { voters, learners } = halves(status);
    if (!status.members.some((member) => member.id === id)) {
      throw new RaftError("invalid_argument", `${id} is not a member of this cluster.`);
    }
    const after = voters.filter((member) => member.id !== id);
    if (after.length === 0) throw new RaftError("refused", `${id} is the last voter.`);
    if (after.length < voters.length) this.#checkQuorum(status, after);
    return await this.#node.changeMembership(
      { voters: after, learners: learners.filter((member) => member.id !== id) },
      { signal },
    );
  }

  /** Sets all at once. Members that are known need only their id; new ones are asked who they are. */
  async change(
    to: { readonly voters: readonly Member[]; readonly learners: readonly Member[] },
    signal: AbortSignal,
  ): Promise<Membership> {
    const status = this.#status();
    const complete = async (member: Member): Promise<Member> => {
      checkLength(member.address);
      const known = status.members.find((other) => other.id === member.id);
      if (known !== undefined) {
        return { id: known.id, address: member.address || known.address, incarnation: known.incarnation };
      }
      const found = await this.#ask(member.id, member.address, signal);
      this.#checkNewMember(member, found, status);
      return { id: member.id, address: member.address, incarnation: found.incarnation };
    };
    const voters = await Promise.all(to.voters.map(complete));
    const learners = await Promise.all(to.learners.map(complete));
    if (voters.length === 0) throw new RaftError("refused", "A cluster needs a voter.");
    return await this.#node.changeMembership({ voters, learners }, { signal });
  }

  /** The status of a leader; every rule here depends on what only it knows. */
  #status(): NodeStatus {
    const status = this.#node.status();
    if (status.role !== "leader") {
      throw new RaftError("not_leader", `${status.id} does not lead.`, {
        ...(status.leader === null ? {} : { leader: status.leader }),
      });
    }
    return status;
  }

  /** A question changes nothing, so what became of it is never in doubt. */
  async #ask(id: NodeId, address: string, signal: AbortSignal): Promise<Identified> {
    try {
      return await this.#identify(address, signal);
    } catch (error) {
      const code = error instanceof RaftError ? error.code : "unreachable";
      const why = error instanceof Error ? error.message : String(error);
      throw new RaftError(code, `${id} does not answer at ${address}: ${why}`, {
        hint: this.#hints.startFirst,
        cause: error,
      });
    }
  }

  #checkNewMember(
    request: { readonly id: NodeId; readonly address: string; readonly incarnation?: string },
    found: Identified,
    status: NodeStatus,
  ): void {
    const { id, address } = request;
    if (found.nodeId !== id) {
      throw new RaftError("identity_mismatch", `The node at ${address} is ${found.nodeId}, not ${id}.`);
    }
    if (request.incarnation && request.incarnation !== found.incarnation) {
      throw new RaftError("identity_mismatch", `${id} has another data folder than the request says.`);
    }
    if (found.clusterId !== "" && found.clusterId !== status.clusterId) {
      throw new RaftError("refused", `${id} belongs to another cluster.`, {
        hint: this.#hints.startEmpty,
      });
    }
    if (!found.empty) {
      throw new RaftError("refused", `${id} already has data of its own.`, {
        hint: `Only an empty node can be added. ${this.#hints.startEmpty}`,
      });
    }
    const other = status.members.find((member) => member.address === address);
    if (other !== undefined) {
      throw new RaftError("refused", `${other.id} is already a member at ${address}.`, {
        hint: this.#hints.removeFirst(other.id),
      });
    }
  }

  async #caughtUp(id: NodeId, signal: AbortSignal): Promise<void> {
    for (;;) {
      const status = this.#status();
      if (!status.members.some((member) => member.id === id)) {
        throw new RaftError("refused", `${id} was removed while it caught up.`, { outcome: "unknown" });
      }
      const matchIndex = matchIndexOf(status, id);
      if (matchIndex > 0 && mayPromote(status.commitIndex, { matchIndex }) && status.membershipCommitted) return;
      if (signal.aborted) {
        throw new RaftError("not_ready", `${id} was added as a learner, and has not caught up yet.`, {
          outcome: "unknown",
          hint: this.#hints.promoteLater(id),
        });
      }
      await pause(systemClock, this.#pollMs, signal);
    }
  }

  /** Refuses a change after which the voters that are present now could not commit anything. */
  #checkQuorum(status: NodeStatus, voters: readonly Member[]): void {
    const present = voters.filter((member) => {
      if (member.id === status.id) return true;
      const contact = status.peers.find((peer) => peer.id === member.id)?.lastContactMs;
      return contact !== undefined && contact !== null && contact <= this.#presenceMs;
    });
    const quorum = Math.floor(voters.length / 2) + 1;
    if (present.length >= quorum) return;
    throw new RaftError(
      "refused",
      `Of the ${voters.length} voters after this change only ${present.length} are up; ${quorum} are needed.`,
      { hint: "Bring a node back first, or remove one that is down." },
    );
  }
}

/** Returns the last entry that a peer has acknowledged; 0 if none in this term. */
function matchIndexOf(status: NodeStatus, id: NodeId): number {
  return status.peers.find((peer) => peer.id === id)?.matchIndex ?? 0;
}

/** A membership travels with every snapshot and every status, and who reads those refuses what is longer. */
function checkLength(address: string): void {
  if (address.length <= MAX_ADDRESS_LENGTH) return;
  throw new RaftError("invalid_argument", `An address has at most ${MAX_ADDRESS_LENGTH} characters.`);
}

/** Voters and learners now, for a change to begin with. A joint configuration must end first. */
function halves(status: NodeStatus): { readonly voters: readonly Member[]; readonly learners: readonly Member[] } {
  if (status.membership.outgoing.length > 0) {
    throw new RaftError("membership_change_in_progress", "Another change of the membership is under way.", {
      hint: "Try again once it is done.",
    });
  }
  const plain = ({ id, address, incarnation }: Member): Member => ({ id, address, incarnation });
  return {
    voters: status.members.filter((member) => member.suffrage === "voter").map(plain),
    learners: status.members.filter((member) => member.suffrage === "learner").map(plain),
  };
}
