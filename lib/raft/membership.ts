/**
 * Memberships as values: voters, learners, and their encoding in the log. See
 * configuration.ts for their history, and membership_change.ts for the rules of
 * changing them.
 */

import type { Member, Membership, NodeId } from "./types.ts";

/** The membership of a node that has not received one yet. */
export const emptyMembership: Membership = { voters: [], outgoing: [], learners: [], learnersNext: [], members: [] };

/** Reports whether a membership is a joint configuration (dissertation §4.3). */
export function isJoint(membership: Membership): boolean {
  return membership.outgoing.length > 0;
}

/** Reports whether `id` has a vote, in either half. */
export function isVoter(membership: Membership, id: NodeId): boolean {
  return membership.voters.includes(id) || membership.outgoing.includes(id);
}

/** Reports whether `id` receives the log without a vote. */
export function isLearner(membership: Membership, id: NodeId): boolean {
  return membership.learners.includes(id);
}

/** Returns the ids of all members, sorted. */
export function memberIds(membership: Membership): readonly NodeId[] {
  return membership.members.map((member) => member.id);
}

/** Returns the record of `id`; `undefined` if it is not a member. */
export function memberOf(membership: Membership, id: NodeId): Member | undefined {
  return membership.members.find((member) => member.id === id);
}

/**
 * Returns the plain (not joint) membership of these voters and learners.
 *
 * @throws {TypeError} if an id is repeated or empty, or there is no voter
 */
export function membershipOf(parts: { voters: readonly Member[]; learners?: readonly Member[] }): Membership {
  const learners = parts.learners ?? [];
  const membership: Membership = {
    voters: sortedIds(parts.voters),
    outgoing: [],
    learners: sortedIds(learners),
    learnersNext: [],
    members: sortedMembers([...parts.voters, ...learners]),
  };
  validateMembership(membership);
  return membership;
}

/** Compares ids by code unit: the same order in every runtime and locale. */
export function compareIds(a: NodeId, b: NodeId): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sortedIds(members: readonly Member[]): NodeId[] {
  return members.map((member) => member.id).sort(compareIds);
}

/** Returns the members sorted by id. */
export function sortedMembers(members: readonly Member[]): Member[] {
  return members.map(({ id, address, incarnation }) => ({ id, address, incarnation })).sort((a, b) =>
    compareIds(a.id, b.id)
  );
}

/**
 * Checks the invariants that {@linkcode Membership} states.
 *
 * @throws {TypeError} if one does not hold
 */
export function validateMembership(membership: Membership): void {
  const { voters, outgoing, learners, learnersNext, members } = membership;
  if (voters.length === 0) throw new TypeError("a membership needs at least one voter");
  for (const ids of [voters, outgoing, learners, learnersNext, memberIds(membership)]) {
    for (let i = 0; i < ids.length; i++) {
      if (ids[i] === "") throw new TypeError("a member's id must not be empty");
      if (i > 0 && compareIds(ids[i - 1]!, ids[i]!) >= 0) {
        throw new TypeError(`member ${ids[i]} is named twice, or the order is wrong`);
      }
    }
  }
  // Looked up in sets: a membership may come from another node, with any number of ids.
  const [staying, leaving] = [new Set(voters), new Set(outgoing)];
  for (const id of learners) {
    if (staying.has(id) || leaving.has(id)) throw new TypeError(`member ${id} can't be both voter and learner`);
  }
  for (const id of learnersNext) {
    if (!leaving.has(id) || staying.has(id)) throw new TypeError(`member ${id} can't become a learner`);
  }
  const named = new Set([...voters, ...outgoing, ...learners]);
  if (named.size !== members.length || members.some((member) => !named.has(member.id))) {
    throw new TypeError("the list of members does not match voters and learners");
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Returns a membership as JSON with a fixed order of fields. */
function toText(membership: Membership): string {
  const { voters, outgoing, learners, learnersNext } = membership;
  return JSON.stringify({ voters, outgoing, learners, learnersNext, members: sortedMembers(membership.members) });
}

/** Encodes a membership for its log entry. */
export function encodeMembership(membership: Membership): Uint8Array {
  return encoder.encode(toText(membership));
}

/** Reports whether two memberships are equal in every field. */
export function equalMemberships(a: Membership, b: Membership): boolean {
  return toText(a) === toText(b);
}

/**
 * Decodes the result of {@linkcode encodeMembership}.
 *
 * @throws {TypeError} if the bytes are not a valid membership
 */
export function decodeMembership(bytes: Uint8Array): Membership {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (error) {
    throw new TypeError("the bytes of a membership entry are damaged", { cause: error });
  }
  if (typeof value !== "object" || value === null) throw new TypeError("a membership must be an object");
  const fields = value as Record<string, unknown>;
  const membership: Membership = {
    voters: idsFrom(fields, "voters"),
    outgoing: idsFrom(fields, "outgoing"),
    learners: idsFrom(fields, "learners"),
    learnersNext: idsFrom(fields, "learnersNext"),
    members: membersFrom(fields),
  };
  validateMembership(membership);
  return membership;
}

function idsFrom(fields: Record<string, unknown>, name: string): NodeId[] {
  const ids = fields[name];
  if (!Array.isArray(ids) || !ids.every((id) => typeof id === "string")) {
    throw new TypeError(`a membership's ${name} must be a list of ids`);
  }
  return ids;
}

function membersFrom(fields: Record<string, unknown>): Member[] {
  const members = fields["members"];
  if (!Array.isArray(members)) throw new TypeError("a membership's members must be a list");
  return members.map((member: unknown) => {
    const { id, address, incarnation } = (member ?? {}) as Record<string, unknown>;
    if (typeof id !== "string" || typeof address !== "string" || typeof incarnation !== "string") {
      throw new TypeError("a member must have id, address and incarnation");
    }
    return { id, address, incarnation };
  });
}
