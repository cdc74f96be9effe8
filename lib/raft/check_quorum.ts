/**
 * Check-quorum (dissertation §6.2): a leader that no quorum has answered for a
 * minimum election timeout steps down. A partitioned leader then stops taking
 * requests that it can't commit, and its clients look for another one.
 *
 * Followers promise their leader the same time in return: see lease.ts.
 */

import { hasQuorum } from "./quorum.ts";
import { becomeFollower } from "./roles.ts";
import type { Leadership, State } from "./state.ts";

/** Counts a tick since each peer's last answer, and steps down without a quorum. Returns whether this node still leads. */
export function checkQuorum(state: State, leadership: Leadership): boolean {
  const { electionTicks } = state.config;
  for (const peer of leadership.peers.values()) peer.ticksSinceContact++;
  const inContact = hasQuorum(
    state.membership,
    (id) => id === state.id || (leadership.peers.get(id)?.ticksSinceContact ?? electionTicks) < electionTicks,
  );
  if (!inContact) becomeFollower(state, state.term, null, "no quorum answered for an election timeout");
  return inContact;
}
