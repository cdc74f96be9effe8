/**
 * The calls of an operator at any node: carried out here if it leads, else at the
 * leader, one hop away. AdminService on top of them serves every transport.
 */

import type { AdminCalls as Calls, AdminMethod } from "../lib/client/admin_calls.ts";
import { RaftError } from "../lib/errors.ts";
import type { Member } from "../lib/raft/types.ts";
import { nodeAddress } from "../transport/wire/address.ts";
import { callAdmin, type SendUnary } from "../transport/wire/admin_codec.ts";
import type {
  AddMemberRequest,
  ChangeMembershipRequest,
  TransferLeadershipRequest,
} from "../transport/wire/gen/raft/v1/admin_pb.ts";
import { Suffrage } from "../transport/wire/gen/raft/v1/membership_pb.ts";
import type { Member as WireMember } from "../transport/wire/gen/raft/v1/membership_pb.ts";
import { membershipToWire } from "../transport/wire/membership_codec.ts";
import type { Admin } from "./admin.ts";
import { atLeader } from "./forward.ts";
import { ForwardBudget } from "./forward_budget.ts";
import type { ServedNode } from "./served_node.ts";

export interface AdminCallsOptions {
  readonly node: Pick<ServedNode, "status" | "transferLeadership" | "takeSnapshot">;
  readonly admin: Admin;
  /** Returns a function that calls the node at an address. */
  callLeader(address: string, signal: AbortSignal): SendUnary;
  /** Returns the reason why the node has no leader; see {@linkcode AtLeaderOptions}. */
  reason?(): string | undefined;
  /** The longest time for a change, in milliseconds. A new voter must catch up within it. @default 60000 */
  readonly timeoutMs?: number;
}

/** The origin of one request. */
export interface RequestOrigin {
  readonly signal: AbortSignal;
  /** Reports whether another node forwarded it: it goes no further then. */
  readonly forwarded?: boolean;
}

type Here<Method extends AdminMethod> = (
  options: AdminCallsOptions,
  request: Calls[Method]["request"],
  signal: AbortSignal,
) => Promise<Calls[Method]["answer"]>;

const HERE: { readonly [Method in AdminMethod]: Here<Method> } = {
  addMember: ({ admin }, member, signal) => admin.add(member, signal),
  promoteMember: ({ admin }, { id }, signal) => admin.promote(id, signal),
  demoteMember: ({ admin }, { id }, signal) => admin.demote(id, signal),
  removeMember: ({ admin }, { id }, signal) => admin.remove(id, signal),
  changeMembership: ({ admin }, target, signal) => admin.change(target, signal),
  async transferLeadership({ node }, { to }, signal) {
    if (to === undefined) return await node.transferLeadership({ signal });
    if (!node.status().members.some(({ id }) => id === to)) {
      throw new RaftError("invalid_argument", `node ${to} is not a member of this cluster`);
    }
    return await node.transferLeadership({ to, signal });
  },
  takeSnapshot: async ({ node }) => (await node.takeSnapshot()).index,
};

/** The longest wait for a leader, in milliseconds. It would lead in a few seconds, or not at all. */
const LEADER_TIMEOUT_MS = 5000;
/** The calls that wait for the leader at the same time, at most. */
const MAX_FORWARDED = 256;

/** Carries out the calls of an operator. */
export class AdminCalls {
  readonly #options: AdminCallsOptions;
  /** Of its own, so that an operator gets through while clients fill theirs. */
  readonly #budget: ForwardBudget = new ForwardBudget({ maxForwardedRequests: MAX_FORWARDED });

  constructor(options: AdminCallsOptions) {
    this.#options = options;
  }

  /** Carries out one call: a snapshot at this node, anything else at the leader. @throws {RaftError} see {@linkcode Admin} */
  call<Method extends AdminMethod>(
    method: Method,
    request: Calls[Method]["request"],
    { signal, forwarded = false }: RequestOrigin,
  ): Promise<Calls[Method]["answer"]> {
    const { node, timeoutMs = 60_000 } = this.#options;
    const here = (signal: AbortSignal) => HERE[method](this.#options, request, signal);
    if (method === "takeSnapshot") return here(signal);
    // An operator learns of other errors at once: a new member that is unreachable, a learner that lags.
    return atLeader<Calls[Method]["answer"]>(node, {
      here,
      there: ({ address }, signal) => callAdmin(this.#options.callLeader(address, signal), method, request, true),
    }, {
      timeoutMs,
      forwarded,
      leaderTimeoutMs: LEADER_TIMEOUT_MS,
      retry: "leader",
      signal,
      budget: this.#budget,
      reason: () => this.#options.reason?.(),
    });
  }
}

const SUFFRAGE = { voter: Suffrage.VOTER, learner: Suffrage.LEARNER, outgoing: Suffrage.OUTGOING } as const;

/** Returns AdminService, as every transport serves it. */
export function adminService(node: Pick<ServedNode, "status">, calls: AdminCalls) {
  type Change = Exclude<AdminMethod, "transferLeadership" | "takeSnapshot">;
  type Context = { readonly signal: AbortSignal };
  const change = <Method extends Change, Request extends { readonly forwarded: boolean }>(
    method: Method,
    read: (request: Request) => Calls[Method]["request"],
  ) =>
  async (request: Request, { signal }: Context) => {
    const origin = { signal, forwarded: request.forwarded };
    return { membership: membershipToWire(await calls.call<Change>(method, read(request), origin)) };
  };
  const named = ({ id }: { readonly id: string; readonly forwarded: boolean }) => ({ id: idOf(id) });
  return {
    listMembers() {
      const { members, membershipIndex, membershipCommitted, leader, clusterId } = node.status();
      return {
        members: members.map((member) => ({ member, suffrage: SUFFRAGE[member.suffrage] })),
        membershipIndex: BigInt(membershipIndex),
        membershipCommitted,
        leaderId: leader?.id ?? "",
        clusterId,
      };
    },
    addMember: change("addMember", ({ id, address, incarnation, learner }: AddMemberRequest) => {
      return { id: idOf(id), address: addressOf(address), incarnation, learner };
    }),
    promoteMember: change("promoteMember", named),
    demoteMember: change("demoteMember", named),
    removeMember: change("removeMember", named),
    changeMembership: change("changeMembership", ({ voters, learners }: ChangeMembershipRequest) => {
      return { voters: voters.map(memberOf), learners: learners.map(memberOf) };
    }),
    transferLeadership: async ({ to, forwarded }: TransferLeadershipRequest, { signal }: Context) => ({
      leaderId: await calls.call("transferLeadership", to === undefined ? {} : { to }, { signal, forwarded }),
    }),
    takeSnapshot: async (_request: object, { signal }: Context) => ({
      index: BigInt(await calls.call("takeSnapshot", {}, { signal })),
    }),
  };
}

function memberOf({ id, address, incarnation }: WireMember): Member {
  return { id: idOf(id), address: address === "" ? "" : addressOf(address), incarnation };
}

function idOf(id: string): string {
  if (id === "") throw new RaftError("invalid_argument", "a member needs an id");
  return id;
}

function addressOf(address: string): string {
  if (address === "") throw new RaftError("invalid_argument", "a new member needs an address");
  return nodeAddress(address);
}
