/**
 * Changes of role (§5.1): back to follower, in the same term or a newer one.
 */

import type { State } from "./state.ts";
import type { NodeId, Role } from "./types.ts";

/**
 * Becomes, or stays, a follower. A newer term clears the vote; in the same term
 * the vote is kept, since a second one would be a double vote (§5.2).
 */
export function becomeFollower(state: State, term: number, leader: NodeId | null, reason: string): void {
  if (term > state.term) {
    state.term = term;
    state.votedFor = null;
    state.leaderRound = 0;
  }
  endLeadership(state);
  state.votes.clear();
  state.resetElectionTimer();
  setRole(state, "follower", reason);
  setLeader(state, leader);
}

/** Changes the role, and reports the reason. */
export function setRole(state: State, role: Role, reason: string): void {
  if (state.role === role) return;
  state.role = role;
  state.event({ type: "roleChanged", role, term: state.term, reason });
}

/** Changes the known leader. */
export function setLeader(state: State, leader: NodeId | null): void {
  if (state.leader === leader) return;
  state.leader = leader;
  state.event({ type: "leaderChanged", leader, term: state.term });
}

/** Ends a leadership: its reads are rejected, and its transfer ends. */
function endLeadership(state: State): void {
  const leadership = state.leadership;
  if (leadership === null) return;
  state.leadership = null;
  for (const read of leadership.reads) state.outbox.rejectedReads.push(read.id);
  if (leadership.transferTo !== null) {
    state.event({ type: "transferEnded", to: leadership.transferTo, reason: "steppedDown" });
  }
}
