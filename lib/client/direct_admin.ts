/**
 * An operator's calls on a node in the same process.
 *
 * @module
 */

import { RaftError } from "../errors.ts";
import type { NodeStatus } from "../node/types.ts";
import type { RaftNode } from "../node/raft_node.ts";
import type { Member, Membership, NodeId } from "../raft/types.ts";
import type { AdminCalls, AdminMethod } from "./admin_calls.ts";

/** The part of a node that an operator needs. */
export type AdminNode = Pick<RaftNode, "status" | "changeMembership" | "transferLeadership" | "takeSnapshot">;

interface Call {
  readonly node: AdminNode;
  /** Returns the status of the node at an address. @throws {RaftError} `unreachable` */
  statusAt(address: string): NodeStatus;
  readonly signal: { readonly signal?: AbortSignal };
}

type Carry<Method extends AdminMethod> = (
  call: Call,
  request: AdminCalls[Method]["request"],
) => Promise<AdminCalls[Method]["answer"]>;

const CARRY: { readonly [Method in AdminMethod]: Carry<Method> } = {
  async addMember(call, { id, address, incarnation, learner = false }) {
    const { voters, learners } = halves(call.node);
    if (![...voters, ...learners].some((member) => member.id === id)) {
      const member = { id, address, incarnation: incarnation ?? call.statusAt(address).incarnation };
      await call.node.changeMembership({ voters, learners: [...learners, member] }, call.signal);
    }
    return learner ? call.node.status().membership : await move(call, id, true);
  },
  promoteMember: (call, { id }) => move(call, id, true),
  demoteMember: (call, { id }) => move(call, id, false),
  async removeMember(call, { id }) {
    const { voters, learners } = halves(call.node);
    const others = ({ id: other }: Member): boolean => other !== id;
    memberNamed(id, [...voters, ...learners]);
    return await call.node.changeMembership(
      { voters: voters.filter(others), learners: learners.filter(others) },
      call.signal,
    );
  },
  async changeMembership({ node, statusAt, signal }, { voters, learners = [] }) {
    const { members } = node.status();
    const complete = ({ id, address, incarnation }: Member): Member => {
      const known = members.find((member) => member.id === id);
      return {
        id,
        address: address || (known?.address ?? ""),
        incarnation: incarnation || (known ?? statusAt(address)).incarnation,
      };
    };
    return await node.changeMembership({ voters: voters.map(complete), learners: learners.map(complete) }, signal);
  },
  transferLeadership: ({ node, signal }, request) => node.transferLeadership({ ...request, ...signal }),
  takeSnapshot: async ({ node, signal }) => (await node.takeSnapshot(signal)).index,
};

/** Executes a call at a node. @throws {RaftError} see RaftNode; `unreachable` if no node is at a new member's address */
export function carryOut<Method extends AdminMethod>(
  node: AdminNode,
  statusAt: (address: string) => NodeStatus,
  method: Method,
  request: AdminCalls[Method]["request"],
  signal: AbortSignal | undefined,
): Promise<AdminCalls[Method]["answer"]> {
  return CARRY[method]({ node, statusAt, signal: signal === undefined ? {} : { signal } }, request);
}

/** Makes a member a voter or a learner. */
async function move(call: Call, id: NodeId, votes: boolean): Promise<Membership> {
  const { voters, learners } = halves(call.node);
  const member = memberNamed(id, [...voters, ...learners]);
  const others = ({ id: other }: Member): boolean => other !== id;
  return await call.node.changeMembership({
    voters: [...voters.filter(others), ...votes ? [member] : []],
    learners: [...learners.filter(others), ...votes ? [] : [member]],
  }, call.signal);
}

function memberNamed(id: NodeId, members: readonly Member[]): Member {
  const member = members.find((other) => other.id === id);
  if (member === undefined) throw new RaftError("invalid_argument", `${id} is not a member of this cluster`);
  return member;
}

function halves(node: AdminNode): { readonly voters: readonly Member[]; readonly learners: readonly Member[] } {
  const { members } = node.status();
  return {
    voters: members.filter(({ suffrage }) => suffrage === "voter"),
    learners: members.filter(({ suffrage }) => suffrage === "learner"),
  };
}
