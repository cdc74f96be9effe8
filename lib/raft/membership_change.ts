/**
 * Changing the membership (dissertation chapter 4): one server at a time, or
 * several through a joint configuration.
 *
 * Rules: no change until an entry of the leader's own term has committed, and
 * one uncommitted change at a time, since otherwise two majorities might not
 * overlap (rule 1). In a joint configuration the only change is its leave, which the
 * leader appends once the joint entry has committed. A membership is in force from
 * the moment its entry is appended.
 */

import {
  compareIds,
  encodeMembership,
  equalMemberships,
  isJoint,
  isLearner,
  memberIds,
  memberOf,
  membershipOf,
  sortedMembers,
  validateMembership,
} from "./membership.ts";
import { Progress } from "./progress.ts";
import { appendAsLeader, refused } from "./proposals.ts";
import type { Leadership, State } from "./state.ts";
import type { Member, Membership, NodeId, Refused, RequestResult } from "./types.ts";

/** Proposes a membership of exactly these nodes. */
export function changeMembership(
  state: State,
  wanted: { readonly voters: readonly Member[]; readonly learners: readonly Member[] },
): RequestResult<{ readonly index: number; readonly term: number }> {
  const { leadership, membership } = state;
  if (leadership === null) return refused("not_leader");
  // Its own removal has committed: it is about to retire, and has no vote in what comes (dissertation §4.2.2).
  if (!state.isVoter && state.configuration.index <= state.commitIndex) return refused("not_leader");
  if (leadership.transferTo !== null) return refused("leadership_transfer");
  if (state.configuration.index > state.commitIndex || isJoint(membership)) {
    return refused("membership_change_in_progress");
  }
  if (!state.committedInTerm) return refused("not_ready");
  let target: Membership;
  try {
    target = membershipOf(wanted);
  } catch (error) {
    return refused("invalid_membership", (error as TypeError).message);
  }
  const namesake = target.members.find((member) => hasOtherDataFolder(membership, member));
  if (namesake !== undefined) return refused("other_data_folder", `member "${namesake.id}" has another data folder`);
  if (equalMemberships(membership, target)) return refused("unchanged");
  return refuseLaggards(state, leadership, target) ?? appendMembership(state, transition(membership, target));
}

/**
 * Reports whether a membership records the id of `member` with another data folder.
 * A member keeps its data folder for as long as it keeps its id: a voter with an
 * empty one has forgotten its votes, and a leader would count what the old one had
 * acknowledged. Another folder comes in by removing the member and adding it again.
 */
export function hasOtherDataFolder(membership: Membership, member: Pick<Member, "id" | "incarnation">): boolean {
  const recorded = memberOf(membership, member.id);
  return recorded !== undefined && recorded.incarnation !== member.incarnation;
}

/** Committed entries that a learner may lack when it is promoted: a few round trips bring them, even under load. */
export const MAX_PROMOTION_LAG = 1000;

/**
 * Reports whether a learner may be promoted: a voter that lacks much of the log
 * would hold up commits until it has caught up (dissertation §4.2.1).
 */
export function mayPromote(commitIndex: number, { matchIndex }: { readonly matchIndex: number }): boolean {
  return commitIndex - matchIndex <= MAX_PROMOTION_LAG;
}

/** Refuses a target that promotes a learner too early. */
function refuseLaggards(state: State, { peers }: Leadership, target: Membership): Refused | null {
  for (const id of target.voters) {
    const peer = isLearner(state.membership, id) ? peers.get(id) : undefined;
    if (peer === undefined || mayPromote(state.commitIndex, peer)) continue;
    return refused("learner_behind", `learner "${id}" lacks ${state.commitIndex - peer.matchIndex} entries`);
  }
  return null;
}

/**
 * Returns the next membership on the way to a target: the target itself if at most
 * one voter comes or goes, since then any two majorities overlap (dissertation
 * §4.1, figure 4.3); otherwise the joint configuration of both (§4.3).
 */
export function transition(from: Membership, to: Membership): Membership {
  const come = to.voters.filter((id) => !from.voters.includes(id)).length;
  const go = from.voters.filter((id) => !to.voters.includes(id)).length;
  if (come + go <= 1) return to;
  // A voter of either half is not a learner: a voter becomes a learner only with the leave.
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

/** Returns the membership after a joint configuration. */
export function leaveOf(joint: Membership): Membership {
  const learners = [...joint.learners, ...joint.learnersNext].sort(compareIds);
  const members = joint.members.filter(({ id }) => joint.voters.includes(id) || learners.includes(id));
  return { voters: joint.voters, outgoing: [], learners, learnersNext: [], members };
}

/** Appends the leave of a joint configuration whose entry has committed, even if another leader began it. */
export function leaveJoint(state: State): void {
  if (state.leadership === null || !isJoint(state.membership)) return;
  if (state.configuration.index > state.commitIndex || !state.committedInTerm) return;
  appendMembership(state, leaveOf(state.membership));
}

function appendMembership(state: State, membership: Membership): { ok: true; index: number; term: number } {
  const entry = appendAsLeader(state, "membership", encodeMembership(membership));
  adoptMembership(state, entry.index, membership);
  return { ok: true, index: entry.index, term: entry.term };
}

/** Puts a newly appended membership in force. */
export function adoptMembership(state: State, index: number, membership: Membership): void {
  state.configuration.append(index, membership);
  state.event({ type: "membershipChanged", index, membership, reason: "appended" });
  syncPeers(state);
}

/** Restores the membership before `index` (rule 4). */
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
 * Syncs the leader's peers with the membership. A removed peer keeps receiving the
 * log until it learns of its removal, so that it doesn't start pointless elections.
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

/** Drops a removed peer once it has received its removal, or after `patienceTicks`. */
export function tickDepartures(state: State, peers: Map<NodeId, Progress>, patienceTicks: number): void {
  for (const peer of peers.values()) {
    if (peer.departingAt === null || peer.departingAt > state.commitIndex) continue;
    const informed = peer.matchIndex >= peer.departingAt && peer.sentCommit >= peer.departingAt;
    if (informed || ++peer.departingTicks > patienceTicks) peers.delete(peer.id);
  }
}
