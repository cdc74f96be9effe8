/**
 * Leadership transfer (dissertation §3.10): the leader stops accepting proposals,
 * brings its successor up to date, and tells it to campaign at once.
 */

import { isJoint, memberOf } from "./membership.ts";
import type { Progress } from "./progress.ts";
import { refused } from "./proposals.ts";
import { becomeFollower } from "./roles.ts";
import type { Leadership, State } from "./state.ts";
import { campaign } from "./election.ts";
import type { NodeId, RequestResult, TimeoutNow } from "./types.ts";

/** Begins a transfer to `to`, or to the voter with the longest log. Returns the successor. */
export function transferLeadership(
  state: State,
  to: NodeId | null,
): RequestResult<{ readonly to: NodeId }> {
  const { leadership } = state;
  if (leadership === null) return refused("not_leader");
  if (leadership.transferTo !== null) {
    const same = to === null || to === leadership.transferTo;
    return same ? { ok: true, to: leadership.transferTo } : refused("leadership_transfer");
  }
  const successor = to ?? bestSuccessor(state, leadership);
  if (successor === null) return refused("not_a_voter");
  if (successor === state.id) return refused("unchanged");
  if (memberOf(state.membership, successor) === undefined) return refused("unknown_member");
  if (!state.membership.voters.includes(successor)) return refused("not_a_voter");
  // It would cost an election timeout without proposals, most likely for nothing.
  const peer = leadership.peers.get(successor)!;
  if (isSilent(state, peer)) return refused("silent_voter", `"${successor}" has not answered for an election timeout`);
  leadership.transferTo = successor;
  leadership.transferTicks = 0;
  state.event({ type: "transferStarted", to: successor });
  advanceTransfer(state, leadership, peer);
  return { ok: true, to: successor };
}

function isSilent(state: State, { ticksSinceContact }: Progress): boolean {
  return ticksSinceContact >= state.config.electionTicks;
}

/** Returns the voter with the longest log among those that answer; `null` if there is none. */
function bestSuccessor(state: State, leadership: Leadership): NodeId | null {
  let best: Progress | null = null;
  for (const id of state.membership.voters) {
    const peer = leadership.peers.get(id);
    if (peer === undefined || isSilent(state, peer)) continue;
    if (best === null || peer.matchIndex > best.matchIndex) best = peer;
  }
  return best?.id ?? null;
}

/** Tells the successor to campaign once it has the whole log. */
export function advanceTransfer(state: State, leadership: Leadership, peer: Progress): void {
  if (leadership.transferTo !== peer.id || peer.matchIndex < state.log.lastIndex) return;
  sendTimeoutNow(state, leadership, peer.id);
}

function sendTimeoutNow(state: State, leadership: Leadership, to: NodeId): void {
  leadership.timeoutNowSent = true;
  state.send(to, { type: "TimeoutNow", term: state.term });
}

/** Repeats TimeoutNow, which may get lost. After an election timeout the transfer has failed, and proposals are accepted again. */
export function tickTransfer(state: State, leadership: Leadership): void {
  if (leadership.transferTo === null) return;
  if (++leadership.transferTicks >= state.config.electionTicks) {
    state.event({ type: "transferEnded", to: leadership.transferTo, reason: "timeout" });
    leadership.transferTo = null;
    return;
  }
  const peer = leadership.peers.get(leadership.transferTo);
  if (peer !== undefined && leadership.transferTicks % state.config.heartbeatTicks === 0) {
    advanceTransfer(state, leadership, peer);
  }
}

/**
 * Retires a leader that is no longer a voter, once that change has committed
 * (dissertation §4.2.2): it hands leadership over and steps down.
 */
export function retireIfRemoved(state: State, leadership: Leadership): void {
  if (state.isVoter || isJoint(state.membership) || state.configuration.index > state.commitIndex) return;
  const successor = bestSuccessor(state, leadership);
  if (successor !== null) sendTimeoutNow(state, leadership, successor);
  becomeFollower(state, state.term, null, "it is no longer a voter");
}

/** Campaigns at once, without a pre-vote, if the leader of this term asks for it. */
export function handleTimeoutNow(state: State, from: NodeId, message: TimeoutNow): void {
  if (message.term !== state.term || from !== state.leader || state.role !== "follower") return;
  campaign(state, "transfer");
}
