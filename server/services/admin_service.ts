/**
 * AdminService: {@linkcode Admin} on the wire, at the leader wherever it is.
 *
 * @module
 */

import { createClient } from "@connectrpc/connect";
import type { Client, HandlerContext, ServiceImpl, Transport } from "@connectrpc/connect";
import { baseUrl } from "../../transport/wire/address.ts";
import { AdminService } from "../../transport/wire/gen/raft/v1/admin_pb.ts";
import { Suffrage } from "../../transport/wire/gen/raft/v1/membership_pb.ts";
import type { Member as WireMember } from "../../transport/wire/gen/raft/v1/membership_pb.ts";
import { called } from "../../transport/connect/http_client.ts";
import { membershipToWire, memberToWire } from "../../transport/wire/membership_codec.ts";
import type { Member, Membership } from "../../lib/raft/types.ts";
import { isTabAddress } from "../../transport/wire/addresses.ts";
import { RaftError } from "../../lib/errors.ts";
import { atLeader } from "../../hosting/forward.ts";
import type { ServedNode } from "../../hosting/served_node.ts";
import type { Admin } from "../../hosting/admin.ts";

/** Options of {@linkcode adminService}. */
export interface AdminServiceOptions {
  readonly node: ServedNode;
  readonly admin: Admin;
  /** Reaches the node at an address. */
  connect(address: string): Transport;
  /** How long a change may take. A new voter must catch up in it. @default 60000 */
  readonly timeoutMs?: number;
}

const SUFFRAGE = { voter: Suffrage.VOTER, learner: Suffrage.LEARNER, outgoing: Suffrage.OUTGOING } as const;

/** The service to mount. */
export function adminService(options: AdminServiceOptions): ServiceImpl<typeof AdminService> {
  const { node, admin } = options;
  const timeoutMs = options.timeoutMs ?? 60_000;

  /** Here if this node leads; else the same call at the leader, marked as passed on. */
  function run<Result>(
    request: { readonly forwarded: boolean },
    context: HandlerContext,
    here: (signal: AbortSignal) => Promise<Result>,
    there: (leader: Client<typeof AdminService>, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    return atLeader<Result>(node, {
      here,
      there: (leader, signal) => {
        const client = createClient(AdminService, options.connect(leader.address));
        return called(signal, () => there(client, signal));
      },
    }, { timeoutMs, forwarded: request.forwarded, retry: "leader", signal: context.signal });
  }

  /** The same for a call that answers with the new membership. */
  async function change(
    request: { readonly forwarded: boolean },
    context: HandlerContext,
    here: (signal: AbortSignal) => Promise<Membership>,
    there: (leader: Client<typeof AdminService>, signal: AbortSignal) => Promise<{ membership?: unknown }>,
  ): Promise<{ membership: ReturnType<typeof membershipToWire> }> {
    const wire = async (signal: AbortSignal) => ({ membership: membershipToWire(await here(signal)) });
    const passed = async (leader: Client<typeof AdminService>, signal: AbortSignal) =>
      await there(leader, signal) as { membership: ReturnType<typeof membershipToWire> };
    return await run(request, context, wire, passed);
  }

  return {
    listMembers() {
      const { members, membershipIndex, membershipCommitted, leader, clusterId } = node.status();
      return {
        members: members.map((member) => ({ member: memberToWire(member), suffrage: SUFFRAGE[member.suffrage] })),
        membershipIndex: BigInt(membershipIndex),
        membershipCommitted,
        leaderId: leader?.id ?? "",
        clusterId,
      };
    },
    addMember(request, context) {
      const { id, incarnation, learner } = request;
      const address = addressOf(request.address);
      return change(
        request,
        context,
        (signal) => admin.add({ id, address, incarnation, learner }, signal),
        (leader, signal) => leader.addMember({ id, address, incarnation, learner, forwarded: true }, { signal }),
      );
    },
    promoteMember(request, context) {
      const { id } = request;
      return change(
        request,
        context,
        (signal) => admin.promote(id, signal),
        (leader, signal) => leader.promoteMember({ id, forwarded: true }, { signal }),
      );
    },
    demoteMember(request, context) {
      const { id } = request;
      return change(
        request,
        context,
        (signal) => admin.demote(id, signal),
        (leader, signal) => leader.demoteMember({ id, forwarded: true }, { signal }),
      );
    },
    removeMember(request, context) {
      const { id } = request;
      return change(
        request,
        context,
        (signal) => admin.remove(id, signal),
        (leader, signal) => leader.removeMember({ id, forwarded: true }, { signal }),
      );
    },
    changeMembership(request, context) {
      const voters = request.voters.map(memberOf);
      const learners = request.learners.map(memberOf);
      return change(
        request,
        context,
        (signal) => admin.change({ voters, learners }, signal),
        (leader, signal) => leader.changeMembership({ voters, learners, forwarded: true }, { signal }),
      );
    },
    transferLeadership(request, context) {
      const to = request.to === undefined ? {} : { to: request.to };
      return run(
        request,
        context,
        async (signal) => {
          if (to.to !== undefined && !node.status().members.some(({ id }) => id === to.to)) {
            throw new RaftError("invalid_argument", `${to.to} is not a member of this cluster.`);
          }
          return { leaderId: await node.transferLeadership({ ...to, signal }) };
        },
        async (leader, signal) => {
          const { leaderId } = await leader.transferLeadership({ ...to, forwarded: true }, { signal });
          return { leaderId };
        },
      );
    },
    async takeSnapshot() {
      const { index } = await node.takeSnapshot();
      return { index: BigInt(index) };
    },
  };
}

function memberOf({ id, address, incarnation }: WireMember): Member {
  if (id === "") throw new RaftError("invalid_argument", "A member needs an id.");
  return { id, address: address === "" ? "" : addressOf(address), incarnation };
}

function addressOf(address: string): string {
  if (address === "") throw new RaftError("invalid_argument", "A new member needs an address.");
  return isTabAddress(address) ? address : baseUrl(address);
}
