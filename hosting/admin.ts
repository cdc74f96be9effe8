/**
 * The rules of membership changes behind AdminService, free of any wire format.
 */

import type { NewMember } from "../lib/client/admin_calls.ts";
import { abortedError, RaftError } from "../lib/errors.ts";
import { systemClock } from "../lib/host.ts";
import { pause } from "../lib/pause.ts";
import type { MembershipTarget, NodeStatus } from "../lib/node/types.ts";
import { hasOtherDataFolder, mayPromote } from "../lib/raft/membership_change.ts";
import type { Member, Membership, NodeId } from "../lib/raft/types.ts";
import { MAX_ADDRESS_LENGTH } from "../transport/wire/checked.ts";
import type { PeerIdentity } from "../transport/wire/identity.ts";
import type { Hints } from "./hints.ts";
import type { ServedNode } from "./served_node.ts";

/** The longest wait for a node's identity, in milliseconds: what is silent for longer is no node that could be added. */
const ASK_TIMEOUT_MS = 5000;
/** The time in which a node that does not answer yet may come up, in milliseconds: one that is just being started. */
const START_TIMEOUT_MS = 2000;
/** A new voter that is silent for longer while it should catch up is not there any more, in milliseconds. */
const MAX_SILENCE_MS = 10_000;

type Identified = Pick<PeerIdentity, "nodeId" | "incarnation" | "clusterId" | "empty">;

export interface AdminOptions {
  readonly node: ServedNode;
  /** Asks a node for its identity. @throws {RaftError} `unreachable` */
  identify(address: string, signal: AbortSignal): Promise<Identified>;
  /** Reports whether this error of `identify` means that nothing listens there: a node may be about to. @default never */
  mayBeStarting?(error: unknown): boolean;
  /** The hints of the errors. */
  readonly hints: Hints;
  /**
   * The election timeout, in milliseconds: a learner that was silent for longer is not promoted, and a voter that was
   * silent for twice as long is not counted as present. @default 1000
   */
  readonly electionTimeoutMs?: number;
  /** The longest silence of a new voter that is to catch up, in milliseconds. @default 10000 */
  readonly maxSilenceMs?: number;
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
   * Adds an empty node as a learner; unless it is to stay one, waits until it
   * has caught up and makes it a voter (dissertation §4.2.1). Calling it again
   * after a failure continues where it ended. For a member that answers at
   * another address, with its data folder, records the new address.
   */
  async add(request: NewMember, signal: AbortSignal): Promise<Membership> {
    const { id, address } = request;
    if (id === "" || address === "") throw new RaftError("invalid_argument", "a member needs an id and an address");
    checkLength(address);
    const found = await this.#ask(address, signal);
    const membership = await this.#changeOnce((status) => this.#withMember(request, found, status), signal);
    if (request.learner === true) return membership;
    await this.#caughtUp(id, signal);
    return await this.promote(id, signal);
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

  #move(
    id: NodeId,
    from: "voter" | "learner" | "member",
    to: "voter" | "learner" | null,
    signal: AbortSignal,
  ): Promise<Membership> {
    return this.#changeOnce((status) => {
      const { voters, learners } = halves(status);
      const found = status.members.find((member) => member.id === id);
      if (found === undefined) throw new RaftError("invalid_argument", `node ${id} is not a ${from} of this cluster`);
      if (found.suffrage === to) return null;
      if (to === "voter") this.#checkPromotion(status, id);
      const after = (half: readonly Member[], suffrage: "voter" | "learner"): Member[] => [
        ...half.filter((member) => member.id !== id),
        ...(to === suffrage ? [plain(found)] : []),
      ];
      const target = { voters: after(voters, "voter"), learners: after(learners, "learner") };
      if (target.voters.length === 0) throw new RaftError("refused", `node ${id} is the last voter`);
      if (target.voters.length !== voters.length) this.#checkQuorum(status, target.voters);
      return target;
    }, signal);
  }

  /**
   * Sets all members at once. Known members need only their id; new ones are asked for their identity, and so are
   * known ones at their new address.
   */
  async change(to: MembershipTarget, signal: AbortSignal): Promise<Membership> {
    const status = this.#status();
    const complete = async (member: Member): Promise<Member> => {
      const { id } = member;
      checkLength(member.address);
      const known = status.members.find((other) => other.id === id);
      const address = member.address || known?.address || "";
      if (known?.address === address) return plain(known);
      const found = await this.#ask(address, signal);
      this.#checkIdentity({ ...member, address }, found, status);
      return { id, address, incarnation: found.incarnation };
    };
    const voters = await Promise.all(to.voters.map(complete));
    const learners = await Promise.all((to.learners ?? []).map(complete));
    if (voters.length === 0) throw new RaftError("refused", "a cluster needs a voter");
    const now = this.#status();
    for (const { id } of voters) {
      if (now.membership.learners.includes(id)) this.#checkPromotion(now, id);
    }
    this.#checkQuorum(now, voters);
    return await this.#options.node.changeMembership({ voters, learners }, { signal });
  }

  /**
   * Carries out one change of the membership of the moment, as soon as the one before it has committed: two operators
   * at once both succeed. Ends with `membership_change_in_progress` if the signal fires first.
   *
   * @param target returns the members after the change; `null` if there is nothing to change
   */
  async #changeOnce(
    target: (status: NodeStatus) => MembershipTarget | null,
    signal: AbortSignal,
  ): Promise<Membership> {
    for (;;) {
      const status = this.#status();
      try {
        if (!status.membershipCommitted) throw changeInProgress();
        const members = target(status);
        if (members === null) return status.membership;
        return await this.#options.node.changeMembership(members, { signal });
      } catch (error) {
        const waits = error instanceof RaftError && error.code === "membership_change_in_progress";
        if (!waits || signal.aborted) throw error;
      }
      await pause(systemClock, this.#options.pollIntervalMs ?? 50, signal);
    }
  }

  /** Returns the status of this leader; all rules here depend on facts that only a leader knows. */
  #status(): NodeStatus {
    const status = this.#options.node.status();
    if (status.role !== "leader") {
      throw new RaftError("not_leader", `node ${status.id} does not lead`, { leader: status.leader ?? undefined });
    }
    return status;
  }

  /**
   * Asks the node at an address for its identity. Anything may be there: whatever it is and answers, the error says
   * only that no node answers, so that no operator reads another service through this node. It is no `unreachable`,
   * after which a client would try other nodes of the cluster. A service that has answered is not asked again.
   */
  async #ask(address: string, signal: AbortSignal): Promise<Identified> {
    const { identify, hints: { startFirst: hint }, pollIntervalMs = 50 } = this.#options;
    const inTime = AbortSignal.timeout(ASK_TIMEOUT_MS);
    const lastMs = systemClock.monotonicMs() + START_TIMEOUT_MS;
    for (;;) {
      try {
        return await identify(address, AbortSignal.any([signal, inTime]));
      } catch (cause) {
        if (signal.aborted) throw abortedError(signal);
        const late = inTime.aborted ? ` within ${ASK_TIMEOUT_MS / 1000} s` : "";
        const again = this.#options.mayBeStarting?.(cause) === true && systemClock.monotonicMs() < lastMs;
        if (again) await pause(systemClock, 5 * pollIntervalMs, signal);
        else throw new RaftError("refused", `no node answers at ${address}${late}`, { hint, cause });
      }
    }
  }

  /** Returns the members with a new one, or with a known one at a new address; `null` if it is there already. */
  #withMember(request: NewMember, found: Identified, status: NodeStatus): MembershipTarget | null {
    const { id, address } = request;
    const { voters, learners } = halves(status);
    const known = status.members.find((member) => member.id === id);
    if (known?.address === address && known.incarnation === found.incarnation) return null;
    this.#checkIdentity(request, found, status);
    if (known === undefined) {
      return { voters, learners: [...learners, { id, address, incarnation: found.incarnation }] };
    }
    const moved = (member: Member): Member => member.id === id ? { ...member, address } : member;
    return { voters: voters.map(moved), learners: learners.map(moved) };
  }

  /** Checks that the node at an address is the one that was asked for, and may be a member there. */
  #checkIdentity(request: NewMember, found: Identified, status: NodeStatus): void {
    const { id, address } = request;
    const { hints } = this.#options;
    if (found.nodeId !== id) {
      // The name of a node that is not known here may be anything that a foreign service answers with.
      const other = status.members.find((member) => member.id === found.nodeId);
      const seen = other === undefined ? "is another one" : `is ${other.id}`;
      throw new RaftError("identity_mismatch", `the node at ${address} ${seen}, not ${id}`, {
        hint: hints.wrongAddress,
      });
    }
    const known = status.members.find((member) => member.id === id);
    if (known !== undefined && hasOtherDataFolder(status.membership, { id, incarnation: found.incarnation })) {
      throw new RaftError("refused", `node ${id} is already a member, with another data folder`, {
        hint: hints.replace(id, known.address),
      });
    }
    if (request.incarnation && request.incarnation !== found.incarnation) {
      throw new RaftError("identity_mismatch", `node ${id} has another data folder than the request expects`);
    }
    if (found.clusterId !== "" && found.clusterId !== status.clusterId) {
      throw new RaftError("refused", `node ${id} belongs to another cluster`, { hint: hints.startEmpty });
    }
    if (known === undefined && !found.empty) {
      throw new RaftError("refused", `node ${id} already has data of its own`, {
        hint: `Only an empty node can be added. ${hints.startEmpty}`,
      });
    }
    const other = status.members.find((member) => member.address === address && member.id !== id);
    if (other !== undefined) {
      throw new RaftError("refused", `node ${other.id} is already a member at ${address}`, {
        hint: hints.removeFirst(other.id),
      });
    }
  }

  #checkPromotion(status: NodeStatus, id: NodeId): void {
    const obstacle = this.#obstacle(status, id);
    if (obstacle !== null) throw obstacle;
  }

  /**
   * Returns the reason why a learner may not be promoted now: one that is silent, or lacks much of the log. Every
   * commit could soon depend on it, and a voter that is not there is one failure less that the cluster survives.
   */
  #obstacle(status: NodeStatus, id: NodeId): RaftError | null {
    const { hints, electionTimeoutMs = 1000 } = this.#options;
    const { matchIndex = 0, lastContactMs = null } = status.peers.find((peer) => peer.id === id) ?? {};
    const notReady = (problem: string, hint: string) => new RaftError("not_ready", `node ${id} ${problem}`, { hint });
    if (lastContactMs === null || matchIndex === 0) return notReady("has not answered yet", hints.notThere);
    if (lastContactMs > electionTimeoutMs) {
      return notReady(`has not answered for ${(lastContactMs / 1000).toFixed(1)} s`, hints.notThere);
    }
    if (mayPromote(status.commitIndex, { matchIndex })) return null;
    return notReady(`lacks ${status.commitIndex - matchIndex} entries`, hints.stillBehind);
  }

  async #caughtUp(id: NodeId, signal: AbortSignal): Promise<void> {
    const { hints, pollIntervalMs = 50, maxSilenceMs = MAX_SILENCE_MS } = this.#options;
    const beganMs = systemClock.monotonicMs();
    for (;;) {
      const status = this.#status();
      if (!status.members.some((member) => member.id === id)) {
        throw new RaftError("refused", `node ${id} was removed while it caught up`, { outcome: "unknown" });
      }
      if (status.members.some((member) => member.id === id && member.suffrage === "voter")) return;
      if (status.membershipCommitted && this.#obstacle(status, id) === null) return;
      if (signal.aborted) {
        throw new RaftError("not_ready", `node ${id} was added as a learner, and has not caught up yet`, {
          outcome: "unknown",
          hint: hints.promoteLater(id),
        });
      }
      const { lastContactMs = null } = status.peers.find((peer) => peer.id === id) ?? {};
      const silentMs = Math.min(lastContactMs ?? Infinity, systemClock.monotonicMs() - beganMs);
      if (silentMs > maxSilenceMs) {
        const silence = `has not answered for ${(silentMs / 1000).toFixed(1)} s`;
        throw new RaftError("refused", `node ${id} was added as a learner, but ${silence}`, {
          outcome: "unknown",
          hint: `${hints.notThere} Or take it out again.`,
        });
      }
      await pause(systemClock, pollIntervalMs, signal);
    }
  }

  /** Refuses a change after which the voters that are present now could not commit anything. */
  #checkQuorum(status: NodeStatus, voters: readonly Member[]): void {
    const presenceMs = 2 * (this.#options.electionTimeoutMs ?? 1000);
    const present = voters.filter(({ id }) => {
      const peer = status.peers.find((other) => other.id === id);
      // A node that is new has just answered.
      if (id === status.id || peer === undefined) return true;
      return (peer.lastContactMs ?? Infinity) <= presenceMs;
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
    throw changeInProgress();
  }
  return {
    voters: status.members.filter((member) => member.suffrage === "voter").map(plain),
    learners: status.members.filter((member) => member.suffrage === "learner").map(plain),
  };
}

function changeInProgress(): RaftError {
  return new RaftError("membership_change_in_progress", "another membership change is in progress", {
    hint: "Try again once it is done. It needs a majority of the voters: see the status.",
  });
}
