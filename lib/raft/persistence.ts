/**
 * The consequences of a write, successful or not: term and vote are persisted
 * together and in order with the log, and no message that promises durability
 * leaves before it is durable (rule 2; figure 2, "Updated on stable storage before
 * responding to RPCs").
 */

import { advanceCommit } from "./commitment.ts";
import { equalHardStates } from "./durability.ts";
import { rollBackMembership } from "./membership_change.ts";
import { countVote } from "./election.ts";
import { becomeFollower } from "./roles.ts";
import type { State } from "./state.ts";
import type { PersistBatch } from "./types.ts";

/** Processes the end of a batch that is on disk now. */
export function persisted(state: State, batch: PersistBatch): void {
  const { durability, log } = state;
  const { durableIndex, messages } = durability.finish(batch);
  state.campaignBlocked = false;
  if (durableIndex > log.durableIndex) log.durableIndex = durableIndex;
  log.evict(state.commitIndex, state.config.maxCachedBytes);
  // Promises made in an older term no longer matter.
  for (const held of messages) if (held.message.term >= state.term) state.outbox.messages.push(held);
  const { term, votedFor } = durability.durableHardState;
  if (state.role === "candidate" && term === state.term && votedFor === state.id) countVote(state, state.id, true);
  if (state.leadership !== null) advanceCommit(state);
}

/**
 * Processes a batch that could not be written to an unchanged disk. A leader steps
 * down, keeps its vote, and is cut back to its durable log; a mere probe changes
 * nothing.
 *
 * @returns true if the node may continue. Otherwise it must stop, because it can't keep
 * a promise: its term or vote, or entries of its leader
 */
export function persistFailed(state: State, batch: PersistBatch): boolean {
  const { durability, log } = state;
  const onlyProbe = batch.entries.length === 0 && batch.snapshot === null && state.campaignBlocked &&
    batch.hardState !== null && equalHardStates(batch.hardState, durability.durableHardState);
  if (onlyProbe) {
    durability.finish(batch);
    durability.hardState = durability.durableHardState;
    return true;
  }
  if (state.role !== "leader" || batch.hardState !== null || batch.snapshot !== null) return false;
  becomeFollower(state, state.term, null, "could not persist an entry");
  if (log.lastIndex > log.durableIndex) {
    log.truncateFrom(log.durableIndex + 1);
    state.event({ type: "logTruncated", from: log.durableIndex + 1 });
  }
  rollBackMembership(state, log.durableIndex + 1);
  state.commitIndex = Math.min(state.commitIndex, log.lastIndex);
  durability.abandon(log.durableIndex);
  state.campaignBlocked = true;
  return true;
}
