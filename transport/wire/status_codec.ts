/**
 * The status of a node on the wire.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Consistency, Lifecycle, NodeStatus, PeerStatus, Suffrage } from "../../lib/node/types.ts";
import type { Role } from "../../lib/raft/types.ts";
import {
  bigIntegers,
  idString,
  MAX_ADDRESS_LENGTH,
  MAX_ID_LENGTH,
  present,
  safeIntegers,
  shortString,
} from "./checked.ts";
import { keyOf } from "./codec.ts";
import {
  Consistency as WireConsistency,
  Lifecycle as WireLifecycle,
  type NodeStatus as WireNodeStatus,
  type NodeStatusSchema,
  PeerState as WirePeerState,
  type PeerStatus as WirePeerStatus,
  Role as WireRole,
} from "./gen/raft/v1/client_pb.ts";
import { Suffrage as WireSuffrage } from "./gen/raft/v1/membership_pb.ts";
import { memberFromWire, membershipFromWire, membershipToWire } from "./membership_codec.ts";

const ROLES: Readonly<Record<Role, WireRole>> = {
  follower: WireRole.FOLLOWER,
  preCandidate: WireRole.PRE_CANDIDATE,
  candidate: WireRole.CANDIDATE,
  leader: WireRole.LEADER,
};

const LIFECYCLES: Readonly<Record<Lifecycle, WireLifecycle>> = {
  running: WireLifecycle.RUNNING,
  stopped: WireLifecycle.STOPPED,
  closed: WireLifecycle.CLOSED,
};

const PEER_STATES: Readonly<Record<PeerStatus["state"], WirePeerState>> = {
  probe: WirePeerState.PROBE,
  replicate: WirePeerState.REPLICATE,
  snapshot: WirePeerState.SNAPSHOT,
};

const SUFFRAGES: Readonly<Record<Suffrage, WireSuffrage>> = {
  voter: WireSuffrage.VOTER,
  learner: WireSuffrage.LEARNER,
  outgoing: WireSuffrage.OUTGOING,
};

const CONSISTENCIES: Readonly<Record<Consistency, WireConsistency>> = {
  linearizable: WireConsistency.LINEARIZABLE,
  lease: WireConsistency.LEASE,
  stale: WireConsistency.STALE,
};

export function consistencyToWire(consistency: Consistency): WireConsistency {
  return CONSISTENCIES[consistency];
}

/** Reads a consistency; unspecified means linearizable. @throws {RaftError} `invalid_argument` if it is unknown */
export function consistencyFromWire(wire: WireConsistency): Consistency {
  return wire === WireConsistency.UNSPECIFIED ? "linearizable" : keyOf(CONSISTENCIES, wire, "consistency");
}

const INDEXES = ["commitIndex", "appliedIndex", "durableIndex", "lastIndex", "firstIndex", "snapshotIndex"] as const;
/** The 64-bit numbers of a status, and those of a peer's. */
const NUMBERS = ["term", "membershipIndex", ...INDEXES] as const;
const PEER_NUMBERS = ["matchIndex", "nextIndex"] as const;

export function statusToWire(status: NodeStatus): MessageInitShape<typeof NodeStatusSchema> {
  const { id, incarnation, clusterId, leader, storage } = status;
  return {
    id,
    incarnation,
    clusterId,
    lifecycle: LIFECYCLES[status.lifecycle],
    role: ROLES[status.role],
    ...bigIntegers(status, NUMBERS),
    ...(leader === null ? {} : { leader: { id: leader.id, address: leader.address } }),
    members: status.members.map((member) => ({
      member,
      suffrage: SUFFRAGES[member.suffrage],
    })),
    membership: membershipToWire(status.membership),
    membershipCommitted: status.membershipCommitted,
    removed: status.removed,
    peers: status.peers.map((peer) => ({
      id: peer.id,
      ...bigIntegers(peer, PEER_NUMBERS),
      state: PEER_STATES[peer.state],
      ...(peer.lastContactMs === null ? {} : { lastContactMs: peer.lastContactMs }),
    })),
    storage: { healthy: storage.healthy, ...(storage.error === null ? {} : { error: storage.error }) },
    uptimeMs: status.uptimeMs,
  };
}

/** @throws {RaftError} `invalid_argument` if a field is missing, unknown or out of range */
export function statusFromWire(wire: WireNodeStatus): NodeStatus {
  const { leader } = wire;
  const storage = present(wire.storage, "storage");
  return {
    id: idString(wire.id, "id"),
    incarnation: shortString(wire.incarnation, MAX_ID_LENGTH, "incarnation"),
    clusterId: shortString(wire.clusterId, MAX_ID_LENGTH, "clusterId"),
    lifecycle: keyOf(LIFECYCLES, wire.lifecycle, "lifecycle"),
    role: keyOf(ROLES, wire.role, "role"),
    ...safeIntegers(wire, NUMBERS),
    leader: leader === undefined ? null : {
      id: idString(leader.id, "the leader's id"),
      address: shortString(leader.address, MAX_ADDRESS_LENGTH, "the leader's address"),
    },
    members: wire.members.map(({ member, suffrage }) => ({
      ...memberFromWire(present(member, "a member")),
      suffrage: keyOf(SUFFRAGES, suffrage, "suffrage"),
    })),
    membership: membershipFromWire(present(wire.membership, "membership")),
    membershipCommitted: wire.membershipCommitted,
    removed: wire.removed,
    peers: wire.peers.map(peerFromWire),
    storage: { healthy: storage.healthy, error: storage.error ?? null },
    uptimeMs: wire.uptimeMs,
  };
}

function peerFromWire(wire: WirePeerStatus): PeerStatus {
  return {
    id: idString(wire.id, "a peer's id"),
    ...safeIntegers(wire, PEER_NUMBERS),
    state: keyOf(PEER_STATES, wire.state, "a peer's state"),
    lastContactMs: wire.lastContactMs ?? null,
  };
}
