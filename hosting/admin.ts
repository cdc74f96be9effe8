/**
 * The rules of membership changes behind AdminService, free of any wire format.
 */

import type { NewMember } from "../lib/client/admin_calls.ts";
import { RaftError } from "../lib/errors.ts";
import { systemClock } from "../lib/host.ts";
import { pause } from "../lib/pause.ts";
import type { MembershipTarget, NodeStatus } from "../lib/node/types.ts";
import { hasOtherDataFolder, mayPromote } from "../lib/raft/membership_change.ts";
import type { Member, Membership, NodeId } from "../lib/raft/types.ts";
import { MAX_ADDRESS_LENGTH } from "../transport/wire/checked.ts";
import type { PeerIdentity } from "../transport/wire/identity.ts";
import type { Hints } from "./hints.ts";
import type { ServedNode } from "./served_node.ts";

type Identified = Pick<PeerIdentity, "nodeId" | "incarnation" | "clusterId" | "empty">;

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
  readonly #options: AdminOptions;

  constructor(options: AdminOptions) {
    this.#options = options;
  }

  /**
   * Adds an empty node as a learner, or records the new address of a member that has moved; unless it is to stay one, waits until it
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
          hint: this.#options.hints.replace(id, known.address),
        });
      }
      if (known.address !== address) await this.#relocate(before, id, address, signal);
    } else {
      this.#checkNewMember(request, found, before);
      const member = { id, address, incarnation: found.incarnation };
      const { voters, learners } = halves(before);
      await this.#options.node.changeMembership({ voters, learners: [...learners, member] }, { signal });
    }
    if (request.learner !== true) {
      await this.#caughtUp(id, signal);
      return await this.promote(id, signal);
    }
    return this.#status().membership;
  }

  /** Records the address at which a member has just answered with its data folder, so that the others send there. */
  async #relocate(status: NodeStatus, id: NodeId, address: string, signal: AbortSignal): Promise<void> {
    const { voters, learners } = halves(status);
    const moved = (member: Member): Member => member.id === id ? { ...member, address } : member;
    await this.#options.node.changeMembership({ voters: voters.map(moved), learners: learners.map(moved) }, { signal });
  }

  /** Promotes a learner that has caught up to a voter. */
  promote(id: NodeId, signal: AbortSignal): Promise<Membership> {
    return this.#move(id, "learner", "voter", signal);
  }

  /** Demotes a voter to a learner, unless the other voters could not form a quorum. */
  demote(id: NodeId, signal: AbortSignal): Promise<Membership> {
    return this.#move(id, "voter", "learner", signal);
  }

  /** Removes a node, unless the rest could not form a quorum. */
  remove(id: NodeId, signal: AbortSignal): Promise<Membership> {
    return this.#move(id, "member", null, signal);
  }

  async #move(
    id: NodeId,
    from: "voter" | "learner" | "member",
    to: "voter" | "learner" | null,
    signal: AbortSignal,
  ): Promise<Membership> {
    const status = this.#status();
    const { voters, learners } = halves(status);
    const found = status.members.find((member) => member.id === id);
    if (found === undefined) throw new RaftError("invalid_argument", `node ${id} is not a ${from} of this cluster`);
    if (found.suffrage === to) return status.membership;
    const matchIndex = matchIndexOf(status, id);
    if (to === "voter" && !isCaughtUp(status, id)) {
      const problem = matchIndex === 0 ? "has not answered yet" : `lacks ${status.commitIndex - matchIndex} entries`;
      throw new RaftError("not_ready", `node ${id} ${problem}`, { hint: this.#options.hints.stillBehind });
    }
    const after = (half: readonly Member[], suffrage: "voter" | "learner"): Member[] => [
      ...half.filter((member) => member.id !== id),
      ...(to === suffrage ? [plain(found)] : []),
    ];
    const target = { voters: after(voters, "voter"), learners: after(learners, "learner") };
    if (target.voters.length === 0) throw new RaftError("refused", `node ${id} is the last voter`);
    if (target.voters.length !== voters.length) this.#checkQuorum(status, target.voters);
    return await this.#options.node.changeMembership(target, { signal });
  }

  /** Sets all members at once. Known members need only their id; new ones are asked for their identity. */
  async change(to: MembershipTarget, signal: AbortSignal): Promise<Membership> {
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
    const learners = await Promise.all((to.learners ?? []).map(complete));
    if (voters.length === 0) throw new RaftError("refused", "a cluster needs a voter");
    return await this.#options.node.changeMembership({ voters, learners }, { signal });
  }

  /** Returns the status of this leader; all rules here depend on facts that only a leader knows. */
  #status(): NodeStatus {
    const status = this.#options.node.status();
    if (status.role !== "leader") {
      throw new RaftError("not_leader", `node ${status.id} does not lead`, { leader: status.leader ?? undefined });
    }
    return status;
  }

  /** Asks a new member for its identity. Its failures have no effect, so they are `rejected`. */
  async #ask(id: NodeId, address: string, signal: AbortSignal): Promise<Identified> {
    try {
      return await this.#options.identify(address, signal);
    } catch (cause) {
      const { code, message } = RaftError.from(cause, "unreachable");
      const hint = this.#options.hints.startFirst;
      throw new RaftError(code, `node ${id} does not answer at ${address}: ${message}`, { hint, cause });
    }
  }

  #checkNewMember(request: NewMember, found: Identified, status: NodeStatus): void {
    const { id, address } = request;
    const { hints } = this.#options;
    if (found.nodeId !== id) {
      throw new RaftError("identity_mismatch", `the node at ${address} is ${found.nodeId}, not ${id}`);
    }
    if (request.incarnation && request.incarnation !== found.incarnation) {
      throw new RaftError("identity_mismatch", `node ${id} has another data folder than the request expects`);
    }
    if (found.clusterId !== "" && found.clusterId !== status.clusterId) {
      throw new RaftError("refused", `node ${id} belongs to another cluster`, { hint: hints.startEmpty });
    }
    if (!found.empty) {
      throw new RaftError("refused", `node ${id} already has data of its own`, {
        hint: `Only an empty node can be added. ${hints.startEmpty}`,
      });
    }
    const other = status.members.find((member) => member.address === address);
    if (other !== undefined) {
      throw new RaftError("refused", `node ${other.id} is already a member at ${address}`, {
        hint: hints.removeFirst(other.id),
      });
    }
  }

  async #caughtUp(id: NodeId, signal: AbortSignal): Promise<void> {
    for (;;) {
      const status = this.#status();
      if (!status.members.some((member) => member.id === id)) {
        throw new RaftError("refused", `node ${id} was removed while it caught up`, { outcome: "unknown" });
      }
      if (isCaughtUp(status, id) && status.membershipCommitted) return;
      if (signal.aborted) {
        throw new RaftError("not_ready", `node ${id} was added as a learner, and has not caught up yet`, {
          outcome: "unknown",
          hint: this.#options.hints.promoteLater(id),
        });
      }
      await pause(systemClock, this.#options.pollIntervalMs ?? 50, signal);
    }
  }

  /** Refuses a change after which the voters that are present now could not commit anything. */
  #checkQuorum(status: NodeStatus, voters: readonly Member[]): void {
    const { presenceMs = 3000 } = this.#options;
    const present = voters.filter(({ id }) => {
      const contactMs = id === status.id ? 0 : status.peers.find((peer) => peer.id === id)?.lastContactMs ?? Infinity;
      return contactMs <= presenceMs;
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

function isCaughtUp(status: NodeStatus, id: NodeId): boolean {
  const matchIndex = matchIndexOf(status, id);
  return matchIndex > 0 && mayPromote(status.commitIndex, { matchIndex });
}

/** Checks the length of an address: every snapshot and status carries it, and their readers refuse longer ones. */
function checkLength(address: string): void {
  if (address.length <= MAX_ADDRESS_LENGTH) return;
  throw new RaftError("invalid_argument", `an address has at most ${MAX_ADDRESS_LENGTH} characters`);
}

/** Returns a member without its suffrage. */
function plain({ id, address, incarnation }: Member): Member {
  return { id, address, incarnation };
}

/** Returns the current voters and learners, as the base of a change. A joint configuration must end first. */
function halves(status: NodeStatus): Required<MembershipTarget> {
  if (status.membership.outgoing.length > 0) {
    throw new RaftError("membership_change_in_progress", "another membership change is in progress", {
      hint: "Try again once it is done.",
    });
  }
  return {
    voters: status.members.filter((member) => member.suffrage === "voter").map(plain),
    learners: status.members.filter((member) => member.suffrage === "learner").map(plain),
  };
}
