/**
 * What is done to the cluster, by whichever node is asked: here if it leads,
 * else at the leader, one hop away.
 *
 * @module
 */

import { RaftError } from "../lib/errors.ts";
import type { LeaderHint } from "../lib/errors.ts";
import type { MembershipChange } from "../lib/node/types.ts";
import type { Membership, NodeId } from "../lib/raft/types.ts";
import type { Admin } from "../hosting/admin.ts";
import { atLeader } from "../hosting/forward.ts";
import type { ServedNode } from "../hosting/served_node.ts";
import { present } from "../transport/wire/checked.ts";
import { AdminService } from "../transport/wire/gen/raft/v1/admin_pb.ts";
import type { Membership as WireMembership } from "../transport/wire/gen/raft/v1/membership_pb.ts";
import { membershipFromWire, memberToWire } from "../transport/wire/membership_codec.ts";
import { callUnary } from "../transport/packet/packet_client.ts";
import type { CallSender } from "../transport/packet/packet_client.ts";

/** Options of {@linkcode AdminCalls}. */
export interface AdminCallsOptions {
  readonly node: Pick<ServedNode, "status" | "transferLeadership">;
  readonly admin: Admin;
  /** Reaches the leader. */
  readonly transport: { readonly call: CallSender };
  /** How long a change may take. A new voter must catch up in it. @default 60000 */
  readonly timeoutMs?: number;
}

/** How one request came. */
export interface RequestedBy {
  readonly signal: AbortSignal;
  /** Another node passed it on: it ends here. */
  readonly forwarded?: boolean;
}

/** A member to add. */
export interface NewMember {
  readonly id: NodeId;
  readonly address: string;
  readonly incarnation?: string;
  /** Whether it stays without a vote. */
  readonly learner: boolean;
}

const { addMember, promoteMember, demoteMember, removeMember, changeMembership, transferLeadership } =
  AdminService.method;

/** The calls of AdminService that only a leader can carry out. */
export class AdminCalls {
  readonly #options: AdminCallsOptions;

  constructor(options: AdminCallsOptions) {
    this.#options = options;
  }

  /** See {@linkcode Admin.add}. */
  addMember(member: NewMember, by: RequestedBy): Promise<Membership> {
    return this.#change(
      by,
      (signal) => this.#options.admin.add(member, signal),
      (to, signal) => callUnary(this.#options.transport, addMember, to, { ...member, forwarded: true }, { signal }),
    );
  }

  /** See {@linkcode Admin.promote}. */
  promoteMember(id: NodeId, by: RequestedBy): Promise<Membership> {
    return this.#change(
      by,
      (signal) => this.#options.admin.promote(id, signal),
      (to, signal) => callUnary(this.#options.transport, promoteMember, to, { id, forwarded: true }, { signal }),
    );
  }

  /** See {@linkcode Admin.demote}. */
  demoteMember(id: NodeId, by: RequestedBy): Promise<Membership> {
    return this.#change(
      by,
      (signal) => this.#options.admin.demote(id, signal),
      (to, signal) => callUnary(this.#options.transport, demoteMember, to, { id, forwarded: true }, { signal }),
    );
  }

  /** See {@linkcode Admin.remove}. */
  removeMember(id: NodeId, by: RequestedBy): Promise<Membership> {
    return this.#change(
      by,
      (signal) => this.#options.admin.remove(id, signal),
      (to, signal) => callUnary(this.#options.transport, removeMember, to, { id, forwarded: true }, { signal }),
    );
  }

  /** See {@linkcode Admin.change}. */
  changeMembership({ voters, learners = [] }: MembershipChange, by: RequestedBy): Promise<Membership> {
    const wire = { voters: voters.map(memberToWire), learners: learners.map(memberToWire), forwarded: true };
    return this.#change(
      by,
      (signal) => this.#options.admin.change({ voters, learners }, signal),
      (to, signal) => callUnary(this.#options.transport, changeMembership, to, wire, { signal }),
    );
  }

  /** Hands leadership over; to the most up-to-date voter if it doesn't matter to whom. */
  transferLeadership(to: NodeId | undefined, by: RequestedBy): Promise<NodeId> {
    const { node } = this.#options;
    const wanted = to === undefined ? {} : { to };
    return this.#run(
      by,
      async (signal) => {
        if (to !== undefined && !node.status().members.some(({ id }) => id === to)) {
          throw new RaftError("invalid_argument", `${to} is not a member of this cluster.`);
        }
        return await node.transferLeadership({ ...wanted, signal });
      },
      async (leader, signal) => {
        const request = { ...wanted, forwarded: true };
        return (await callUnary(this.#options.transport, transferLeadership, leader, request, { signal })).leaderId;
      },
    );
  }

  #change(
    by: RequestedBy,
    here: (signal: AbortSignal) => Promise<Membership>,
    there: (leader: string, signal: AbortSignal) => Promise<{ readonly membership?: WireMembership | undefined }>,
  ): Promise<Membership> {
    return this.#run(by, here, async (leader, signal) => {
      const { membership } = await there(leader, signal);
      try {
        return membershipFromWire(present(membership, "the membership"));
      } catch (cause) {
        // The leader may well have done it.
        throw new RaftError("internal", "the leader's answer is malformed", { outcome: "unknown", cause });
      }
    });
  }

  #run<Result>(
    { signal, forwarded = false }: RequestedBy,
    here: (signal: AbortSignal) => Promise<Result>,
    there: (leader: string, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const { node, timeoutMs = 60_000 } = this.#options;
    const work = { here, there: (leader: LeaderHint, signal: AbortSignal) => there(leader.address, signal) };
    return atLeader<Result>(node, work, { timeoutMs, forwarded, retry: "leader", signal });
  }
}
