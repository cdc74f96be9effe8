/**
 * An operator's calls as messages of AdminService, whatever carries them.
 */

import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { AdminCalls, AdminMethod } from "../../lib/client/admin_calls.ts";
import type { Membership } from "../../lib/raft/types.ts";
import { present, readable, safeInteger } from "./checked.ts";
import { AdminService } from "./gen/raft/v1/admin_pb.ts";
import type { Membership as WireMembership } from "./gen/raft/v1/membership_pb.ts";
import { membershipFromWire } from "./membership_codec.ts";

/** Calls a unary method of one node. */
export type SendUnary = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
) => Promise<MessageShape<O>>;

type Carry<Method extends AdminMethod> = (
  send: SendUnary,
  request: AdminCalls[Method]["request"],
  forwarded: boolean,
) => Promise<AdminCalls[Method]["answer"]>;

const { method } = AdminService;

const CARRY: { readonly [Method in AdminMethod]: Carry<Method> } = {
  addMember: async (send, request, forwarded) => membershipOf(await send(method.addMember, { ...request, forwarded })),
  promoteMember: async (send, { id }, forwarded) => membershipOf(await send(method.promoteMember, { id, forwarded })),
  demoteMember: async (send, { id }, forwarded) => membershipOf(await send(method.demoteMember, { id, forwarded })),
  removeMember: async (send, { id }, forwarded) => membershipOf(await send(method.removeMember, { id, forwarded })),
  changeMembership: async (send, { voters, learners = [] }, forwarded) => {
    const target = { voters: [...voters], learners: [...learners] };
    return membershipOf(await send(method.changeMembership, { ...target, forwarded }));
  },
  transferLeadership: async (send, request, forwarded) =>
    (await send(method.transferLeadership, { ...request, forwarded })).leaderId,
  takeSnapshot: async (send) => {
    const { index } = await send(method.takeSnapshot, {});
    return readable(() => safeInteger(index, "index"));
  },
};

/**
 * Carries a call to a node.
 *
 * @param forwarded true if it ends there, instead of being passed on to the leader
 */
export function callAdmin<Method extends AdminMethod>(
  send: SendUnary,
  name: Method,
  request: AdminCalls[Method]["request"],
  forwarded = false,
): Promise<AdminCalls[Method]["answer"]> {
  return CARRY[name](send, request, forwarded);
}

function membershipOf(answer: { readonly membership?: WireMembership | undefined }): Membership {
  return readable(() => membershipFromWire(present(answer.membership, "membership")));
}
