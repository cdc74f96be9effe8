/**
 * The rule of when an entry is committed (§5.3, §5.4.2), and its consequences.
 */

import { entryBytes } from "./entry_cache.ts";
import { leaveJoint } from "./membership_change.ts";
import { quorumValue } from "./quorum.ts";
import { releaseReads } from "./reads.ts";
import type { State } from "./state.ts";

/**
 * Applies the leader's rule of figure 2: an entry of the leader's own term that is
 * durable on a quorum is committed, with all entries before it. Entries of older
 * terms are never committed by counting (figure 8).
 */
export function advanceCommit(state: State): void {
  const { leadership, log } = state;
  if (leadership === null) return;
  const index = quorumValue(state.membership, (id) =>
    // The leader's own log counts only as far as it is durable.
    id === state.id ? log.durableIndex : leadership.peers.get(id)?.matchIndex ?? 0);
  if (index <= state.commitIndex || log.termAt(index) !== state.term) return;
  for (const entry of log.cached(Math.max(state.commitIndex + 1, leadership.firstIndex), index)) {
    leadership.uncommittedBytes -= entryBytes(entry);
  }
  commitTo(state, index);
  releaseReads(state);
  leaveJoint(state);
  state.dirty = true;
}

/** Moves the commit index forward, never back. */
export function commitTo(state: State, index: number): void {
  if (index <= state.commitIndex) return;
  for (const change of state.configuration.between(state.commitIndex, index)) {
    state.event({ type: "membershipCommitted", ...change });
  }
  state.commitIndex = index;
  state.log.evict(index, state.config.maxCachedBytes);
}
