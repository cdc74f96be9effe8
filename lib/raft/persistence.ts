/**
 * What follows when a write ends, well or not: term and vote are persisted
 * together and in order with the log, and nothing that promises durability
 * leaves before it is durable (figure 2, "Updated on stable storage before
 * responding to RPCs").
 *
 * @module
 */

import { advanceCommit } from "./commitment.ts";
import { rollBackMembership } from "./membership_change.ts";
import { countVote } from "./election.ts";
import { becomeFollower } from "./roles.ts";
import type { State } from "./state.ts";
import type { PersistBatch } from "./types.ts";

/** The batch is on disk. */
export function persisted(state: State, batch: PersistBatch): void {
  const { durability, log } = state;
  const { durableIndex, messages } = durability.finish(batch);
  state.campaignBlocked = false;
  if (durableIndex > log.durableIndex) log.durableIndex = durableIndex;
  log.evict(state.commitIndex, state.config.maxCachedBytes);
  // What was promised in an older term interests nobody any more.
  for (const held of messages) if (held.message.term >= state.term) state.outbox.messages.push(held);
  const { term, votedFor } = durability.durableHardState;
  if (state.role === "candidate" && term === state.term && votedFor === state.id) countVote(state, state.id, true);
  if (state.leadership !== null) advanceCommit(state);
}

/**
 * The batch could not be written, and the disk is as it was. A leader steps
 * down, keeps its vote, and is cut back to what is durable; a mere probe changes
 * nothing.
 *
 * @returns whether the node may go on; `false` means that it must stop, because
 * it can't keep a promise: its term or vote, or what it follows
 */
export function persistFailed(state: State, batch: PersistBatch): boolean {
  const { durability, log } = state;
  const { term, votedFor } = durability.durableHardState;
  const onlyProbe = batch.entries.length === 0 && batch.snapshot === null && state.campaignBlocked &&
    batch.hardState !== null && batch.hardState.term === term && batch.hardState.votedFor === votedFor;
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
