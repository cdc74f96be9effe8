/**
 * The rules of membership changes behind AdminService, free of any wire format.
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

/** The node that answers at an address. */
export interface Identified {
  readonly nodeId: string;
  readonly incarnation: string;
  /** Empty if it does not belong to a cluster yet. */
  readonly clusterId: string;
  /** Reports whether it holds nothing but its own identity. */
  readonly empty: boolean;
}

/** Options of {@linkcode Admin}. */
export interface AdminOptions {
  readonly node: ServedNode;
  /** Asks a node for its identity. @throws {RaftError} `unreachable` */
  identify(address: string, signal: AbortSignal): Promise<Identified>;
  /** The hints of the errors. */
  readonly hints: Hints;
  /** A voter counts as present if it answered within this many milliseconds. @default 3000 */
  readonly presenceMs?: number;
  /** Milliseconds between two checks whether a learner has caught up. @default 50 */
  readonly pollIntervalMs?: number;
}

/** Adds, promotes, demotes and removes members, at the leader; at any other node its calls end as `not_leader`. */
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
   * after a failure continues where it ended.
   */
  async add(request: NewMember, signal: AbortSignal): Promise<Membership> {
    const { id, address } = request;
    if (id === "" || address === "") throw new RaftError("invalid_argument", "a member needs an id and an address");
    checkLength(address);
    const found = await this.#ask(id, address, signal);
    const before = this.#status();
    const known = before.members.find((member) => member.id === id);
    if (known !== undefined) {
      if (hasOtherDataFolder(before.membership, { id, incarnation: found.incarnation })) {
        throw new RaftError("refused", `node ${id} is already a member, with another data folder`, {
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

  /** Promotes a learner that has caught up to a voter. */
  async promote(id: NodeId, signal: AbortSignal): Promise<Membership> {
    const status = this.#status();
    const { voters, learners } = halves(status);
    if (voters.some((member) => member.id === id)) return status.membership;
    const learner = learners.find((member) => member.id === id);
    if (learner === undefined) throw new RaftError("invalid_argument", `node ${id} is not a learner of this cluster`);
    const matchIndex = matchIndexOf(status, id);
    if (matchIndex === 0 || !mayPromote(status.commitIndex, { matchIndex })) {
      const problem = matchIndex === 0 ? "has not answered yet" : `lacks ${status.commitIndex - matchIndex} entries`;
      throw new RaftError("not_ready", `node ${id} ${problem}`, { hint: this.#hints.stillBehind });
    }
    const after = [...voters, learner];
    this.#checkQuorum(status, after);
    return await this.#node.changeMembership(
      { voters: after, learners: learners.filter((member) => member.id !== id) },
      { signal },
    );
  }

  /** Demotes a voter to a learner, unless the other voters could not form a quorum. */
  async demote(id: NodeId, signal: AbortSignal): Promise<Membership> {
    const status = this.#status();
    const { voters, learners } = halves(status);
    if (learners.some((member) => member.id === id)) return status.membership;
    const voter = voters.find((member) => member.id === id);
    if (voter === undefined) throw new RaftError("invalid_argument", `node ${id} is not a voter of this cluster`);
    const after = voters.filter((member) => member.id !== id);
    if (after.length === 0) throw new RaftError("refused", `node ${id} is the last voter`);
    this.#checkQuorum(status, after);
    return await this.#node.changeMembership({ voters: after, learners: [...learners, voter] }, { signal });
  }

  /** Removes a node, unless the rest could not form a quorum. */
  async remove(id: NodeId, signal: AbortSignal): Promise<Membership> {
    const status = this.#status();
    const { voters, learners } = halves(status);
    if (!status.members.some((member) => member.id === id)) {
      throw new RaftError("invalid_argument", `node ${id} is not a member of this cluster`);
    }
    const after = voters.filter((member) => member.id !== id);
    if (after.length === 0) throw new RaftError("refused", `node ${id} is the last voter`);
    if (after.length < voters.length) this.#checkQuorum(status, after);
    return await this.#node.changeMembership(
      { voters: after, learners: learners.filter((member) => member.id !== id) },
      { signal },
    );
  }

  /** Sets all members at once. Known members need only their id; new ones are asked for their identity. */
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
    if (voters.length === 0) throw new RaftError("refused", "a cluster needs a voter");
    return await this.#node.changeMembership({ voters, learners }, { signal });
  }

  /** Returns the status of this leader; all rules here depend on facts that only a leader knows. */
  #status(): NodeStatus {
    const status = this.#node.status();
    if (status.role !== "leader") {
      throw new RaftError("not_leader", `node ${status.id} does not lead`, {
        ...(status.leader === null ? {} : { leader: status.leader }),
      });
    }
    return status;
  }

  /** Asks a new member for its identity. Its failures have no effect, so they are `rejected`. */
  async #ask(id: NodeId, address: string, signal: AbortSignal): Promise<Identified> {
    try {
      return await this.#identify(address, signal);
    } catch (error) {
      const code = error instanceof RaftError ? error.code : "unreachable";
      const why = error instanceof Error ? error.message : String(error);
      throw new RaftError(code, `node ${id} does not answer at ${address}: ${why}`, {
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
      throw new RaftError("identity_mismatch", `the node at ${address} is ${found.nodeId}, not ${id}`);
    }
    if (request.incarnation && request.incarnation !== found.incarnation) {
      throw new RaftError("identity_mismatch", `node ${id} has another data folder than the request expects`);
    }
    if (found.clusterId !== "" && found.clusterId !== status.clusterId) {
      throw new RaftError("refused", `node ${id} belongs to another cluster`, {
        hint: this.#hints.startEmpty,
      });
    }
    if (!found.empty) {
      throw new RaftError("refused", `node ${id} already has data of its own`, {
        hint: `Only an empty node can be added. ${this.#hints.startEmpty}`,
      });
    }
    const other = status.members.find((member) => member.address === address);
    if (other !== undefined) {
      throw new RaftError("refused", `node ${other.id} is already a member at ${address}`, {
        hint: this.#hints.removeFirst(other.id),
      });
    }
  }

  async #caughtUp(id: NodeId, signal: AbortSignal): Promise<void> {
    for (;;) {
      const status = this.#status();
      if (!status.members.some((member) => member.id === id)) {
        throw new RaftError("refused", `node ${id} was removed while it caught up`, { outcome: "unknown" });
      }
      const matchIndex = matchIndexOf(status, id);
      if (matchIndex > 0 && mayPromote(status.commitIndex, { matchIndex }) && status.membershipCommitted) return;
      if (signal.aborted) {
        throw new RaftError("not_ready", `node ${id} was added as a learner, and has not caught up yet`, {
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
      `only ${present.length} of the ${voters.length} voters after this change are up; ${quorum} are needed`,
      { hint: "Bring a node back first, or remove one that is down." },
    );
  }
}

/** Returns the last entry that a peer has acknowledged; 0 if none in this term. */
function matchIndexOf(status: NodeStatus, id: NodeId): number {
  return status.peers.find((peer) => peer.id === id)?.matchIndex ?? 0;
}

/** Checks the length of an address: every snapshot and status carries it, and their readers refuse longer ones. */
function checkLength(address: string): void {
  if (address.length <= MAX_ADDRESS_LENGTH) return;
  throw new RaftError("invalid_argument", `an address has at most ${MAX_ADDRESS_LENGTH} characters`);
}

/** Returns the current voters and learners, as the base of a change. A joint configuration must end first. */
function halves(status: NodeStatus): { readonly voters: readonly Member[]; readonly learners: readonly Member[] } {
  if (status.membership.outgoing.length > 0) {
    throw new RaftError("membership_change_in_progress", "another membership change is in progress", {
      hint: "Try again once it is done.",
    });
  }
  const plain = ({ id, address, incarnation }: Member): Member => ({ id, address, incarnation });
  return {
    voters: status.members.filter((member) => member.suffrage === "voter").map(plain),
    learners: status.members.filter((member) => member.suffrage === "learner").map(plain),
  };
}
