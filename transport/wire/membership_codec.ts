/**
 * Members and memberships on the wire.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Member, Membership } from "../../lib/raft/types.ts";
import { idString, MAX_ADDRESS_LENGTH, MAX_ID_LENGTH, shortString } from "./checked.ts";
import type {
  Member as WireMember,
  Membership as WireMembership,
  MembershipSchema,
} from "./gen/raft/v1/membership_pb.ts";

/** @throws {RaftError} `invalid_argument` if a string is too long, or the id is empty */
export function memberFromWire(wire: WireMember): Member {
  return {
    id: idString(wire.id, "a member's id"),
    address: shortString(wire.address, MAX_ADDRESS_LENGTH, "a member's address"),
    incarnation: shortString(wire.incarnation, MAX_ID_LENGTH, "a member's incarnation"),
  };
}

export function membershipToWire(membership: Membership): MessageInitShape<typeof MembershipSchema> {
  return {
    voters: [...membership.voters],
    outgoing: [...membership.outgoing],
    learners: [...membership.learners],
    learnersNext: [...membership.learnersNext],
    members: [...membership.members],
  };
}

/**
 * Reads a membership. `validateMembership` checks that its parts agree: a node
 * that is in no cluster yet has an empty one.
 *
 * @throws {RaftError} `invalid_argument` if a string is too long, or an id is empty
 */
export function membershipFromWire(wire: WireMembership): Membership {
  const ids = (list: readonly string[]): string[] => list.map((id) => idString(id, "a member's id"));
  return {
    voters: ids(wire.voters),
    outgoing: ids(wire.outgoing),
    learners: ids(wire.learners),
    learnersNext: ids(wire.learnersNext),
    members: wire.members.map(memberFromWire),
  };
}
