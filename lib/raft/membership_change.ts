/**
 * Changing the membership (dissertation chapter 4): one server at a time, or
 * several through a joint configuration.
 *
 * Rules: no change until an entry of the leader's own term has committed, and
 * one uncommitted change at a time (otherwise two majorities could fail to
 * overlap). In a joint configuration the only change is its leave, which
 * whoever leads appends once the joint entry has committed. A membership is in
 * force from the moment its entry is appended.
 *
 * @module
 */

import {
  compareIds,
  encodeMembership,
  equalMemberships,
  isJoint,
  memberIds,
  memberOf,
  membershipOf,
  sortedMembers,
  validateMembership,
} from "./membership.ts";
import { Progress } from "./progress.ts";
import { appendAsLeader } from "./proposals.ts";
import type { State } from "./state.ts";
import type { Member, Membership, NodeId, Refusal } from "./types.ts";

/** Proposes that exactly these be in the cluster. */
export function changeMembership(
  state: State,
  wanted: { readonly voters: readonly Member[]; readonly learners: readonly Member[] },
): { readonly index: number; readonly term: number } | Refusal {
  const { leadership, membership } = state;
  if (leadership === null) return "not_leader";
  // Its own removal has committed: it is about to retire, and has no vote in what comes (dissertation §4.2.2).
  if (!state.isVoter && state.configuration.index <= state.commitIndex) return "not_leader";
  if (leadership.transferTo !== null) return "leadership_transfer";
  if (state.configuration.index > state.commitIndex || isJoint(membership)) return "membership_change_in_progress";
  if (!state.committedInTerm) return "not_ready";
  let target: Membership;
  try {
    target = membershipOf(wanted);
  } catch {
    return "invalid_membership";
  }
  if (equalMemberships(membership, target)) return "unchanged";
  if (replacesVoter(membership, target)) return "invalid_membership";
  return appendMembership(state, transition(membership, target));
}

/** Whether a voter would keep its id with another data folder: to the quorums that is a voter who forgot its votes. */
function replacesVoter(from: Membership, to: Membership): boolean {
  return from.voters.some((id) => {
    const after = memberOf(to, id);
    return after !== undefined && after.incarnation !== memberOf(from, id)!.incarnation;
  });
}

/**
 * The next membership on the way: the target itself if at most one voter comes
 * or goes, since then any two majorities overlap (dissertation §4.1, figure
 * 4.3); otherwise the joint configuration of both (§4.3).
 */
export function transition(from: Membership, to: Membership): Membership {
  const come = to.voters.filter((id) => !from.voters.includes(id)).length;
  const go = from.voters.filter((id) => !to.voters.includes(id)).length;
  if (come + go <= 1) return to;
  // A voter of either half is no learner: who loses its vote listens only after the leave.
  const learnersNext = to.learners.filter((id) => from.voters.includes(id));
  const leaving = from.members.filter((member) => from.voters.includes(member.id) && !memberOf(to, member.id));
  const joint: Membership = {
    voters: to.voters,
    outgoing: from.voters,
    learners: to.learners.filter((id) => !learnersNext.includes(id)),
    learnersNext,
    members: sortedMembers([...to.members, ...leaving]),
  };
  validateMembership(joint);
  return joint;
}

/** The membership after a joint configuration. */
export function leaveOf(joint: Membership): Membership {
  const learners = [...joint.learners, ...joint.learnersNext].sort(compareIds);
  const members = joint.members.filter(({ id }) => joint.voters.includes(id) || learners.includes(id));
  return { voters: joint.voters, outgoing: [], learners, learnersNext: [], members };
}

/** Ends a joint configuration whose entry has committed, whoever began it. */
export function leaveJoint(state: State): void {
  if (state.leadership === null || !isJoint(state.membership)) return;
  if (state.configuration.index > state.commitIndex || !state.committedInTerm) return;
  appendMembership(state, leaveOf(state.membership));
}

function appendMembership(state: State, membership: Membership): { index: number; term: number } {
  const entry = appendAsLeader(state, "membership", encodeMembership(membership));
  adoptMembership(state, entry.index, membership);
  return { index: entry.index, term: entry.term };
}

/** Puts a membership in force that was just appended. */
export function adoptMembership(state: State, index: number, membership: Membership): void {
  state.configuration.append(index, membership);
  state.event({ type: "membershipChanged", index, membership, reason: "appended" });
  syncPeers(state);
}

/** Takes the membership back to what it was before `index` (rule 4). */
export function rollBackMembership(state: State, index: number): void {
  if (!state.configuration.truncateFrom(index)) return;
  state.event({
    type: "membershipChanged",
    index: state.configuration.index,
    membership: state.membership,
    reason: "rolledBack",
  });
}

/**
 * Makes the leader's list of peers that of the membership. Who was removed gets
 * the log until it knows of its removal, so that it does not campaign in vain.
 */
export function syncPeers(state: State): void {
  const { leadership, membership } = state;
  if (leadership === null) return;
  for (const { id, incarnation } of membership.members) {
    if (id === state.id) continue;
    const peer = leadership.peers.get(id);
    if (peer?.incarnation === incarnation) peer.departingAt = null;
    else leadership.peers.set(id, new Progress(id, incarnation, state.log.lastIndex + 1));
  }
  const ids = new Set(memberIds(membership));
  for (const peer of leadership.peers.values()) {
    if (!ids.has(peer.id) && peer.departingAt === null) {
      peer.departingAt = state.configuration.index;
      peer.departingTicks = 0;
    }
  }
}

/** Lets go of a removed peer once it was told, or after `patienceTicks` of trying. */
export function tickDepartures(state: State, peers: Map<NodeId, Progress>, patienceTicks: number): void {
  for (const peer of peers.values()) {
    if (peer.departingAt === null || peer.departingAt > state.commitIndex) continue;
    const told = peer.matchIndex >= peer.departingAt && peer.sentCommit >= peer.departingAt;
    if (told || ++peer.departingTicks > patienceTicks) peers.delete(peer.id);
  }
}
