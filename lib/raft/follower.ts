/**
 * The follower's half of log replication (§5.3; figure 2, "AppendEntries RPC").
 */

import { commitTo } from "./commitment.ts";
import { decodeMembership } from "./membership.ts";
import { adoptMembership, rollBackMembership } from "./membership_change.ts";
import { becomeFollower, setLeader } from "./roles.ts";
import { invariant } from "./state.ts";
import type { State } from "./state.ts";
import type { AppendEntries, AppendEntriesResponse, Entry, NodeId } from "./types.ts";

/** Accepts `from` as the leader of `term`, which is not older than this node's, whether or not it is in the membership (dissertation §4.1). */
export function followLeader(
  state: State,
  from: NodeId,
  { term, round }: { readonly term: number; readonly round: number },
): void {
  invariant(state.role !== "leader" || term > state.term, `${from} and ${state.id} both lead in term ${term}`);
  if (term > state.term || state.role !== "follower") {
    becomeFollower(state, term, from, "received a message from the leader");
  }
  invariant(state.leader === null || state.leader === from, `${from} and ${state.leader} both lead in term ${term}`);
  state.electionTicks = 0;
  state.ticksSinceLeader = 0;
  state.leaderRound = Math.max(state.leaderRound, round);
  setLeader(state, from);
}

/** Processes an AppendEntries of a term that is not older than this node's. */
export function handleAppendEntries(state: State, from: NodeId, request: AppendEntries): void {
  followLeader(state, from, request);
  if (!matchesPrevious(state, request)) return refuse(state, from, request);
  const appended = appendMissing(state, request.entries);
  // The message proves the logs equal up to here and no further (figure 2: "index of last new entry").
  const proven = request.prevLogIndex + request.entries.length;
  commitTo(state, Math.min(request.leaderCommit, proven));
  acknowledge(state, from, request, proven, appended);
}

/**
 * Answers an AppendEntries of an older term, so that its sender learns of the
 * newer one. It confirms no round: rounds are counted anew in each term, and the
 * sender may lead in this one too (rule 8).
 */
export function refuseStale(state: State, from: NodeId, request: AppendEntries): void {
  state.sendWhenDurable(from, response(state, request, { success: false, round: 0 }));
}

/** Makes the consistency check (figure 2, step 2). Committed entries equal every leader's log, even if they are compacted here. */
function matchesPrevious(state: State, { prevLogIndex, prevLogTerm }: AppendEntries): boolean {
  return prevLogIndex <= state.commitIndex || state.log.termAt(prevLogIndex) === prevLogTerm;
}

/**
 * Appends missing entries. Truncates only from a real conflict on, never entries
 * that match or are committed (figure 2, steps 3 and 4; rule 5): a late message must
 * not remove entries of newer ones.
 */
function appendMissing(state: State, entries: readonly Entry[]): boolean {
  const { log } = state;
  const first = entries.findIndex((entry) => log.termAt(entry.index) !== entry.term && entry.index > log.baseIndex);
  if (first < 0) return false;
  const { index } = entries[first]!;
  invariant(index > state.commitIndex, `the committed entry ${index} must stay`);
  if (index <= log.lastIndex) {
    log.truncateFrom(index);
    state.durability.overwritten(index);
    state.event({ type: "logTruncated", from: index });
    rollBackMembership(state, index);
  }
  for (const entry of entries.slice(first)) {
    log.append(entry);
    if (entry.type === "membership") adoptMembership(state, entry.index, decodeMembership(entry.data));
  }
  return true;
}

/**
 * Acknowledges entries that are equal and durable. New entries are acknowledged
 * once they are on disk; anything else is answered at once, with what is durable, so
 * that a slow disk does not look like a dead node.
 */
function acknowledge(state: State, from: NodeId, request: AppendEntries, proven: number, appended: boolean): void {
  const proof = response(state, request, { success: true, matchIndex: proven });
  const durable = Math.min(proven, state.log.durableIndex);
  // Not even the term may be reported before it is durable.
  const termDurable = state.durability.hardStateDurable(state);
  if (appended || durable < proven || !termDurable) state.sendWhenDurable(from, proof);
  if (!appended && termDurable) state.send(from, { ...proof, matchIndex: durable });
}

/** Refuses entries, with a hint where the logs may still meet: before the conflicting term (§5.3). */
function refuse(state: State, from: NodeId, request: AppendEntries): void {
  const { log } = state;
  const within = log.lastIndexWithin(Math.min(request.prevLogIndex - 1, log.lastIndex), request.prevLogTerm);
  const meet = Math.max(within, state.commitIndex);
  const conflictTerm = log.termAt(meet) ?? 0;
  state.sendWhenDurable(from, response(state, request, { success: false, conflictIndex: meet + 1, conflictTerm }));
}

/** Builds an answer to `request`; what `result` leaves out is zero. */
function response(
  { term }: State,
  { prevLogIndex, round }: AppendEntries,
  result: Pick<AppendEntriesResponse, "success"> & Partial<AppendEntriesResponse>,
): AppendEntriesResponse {
  return {
    type: "AppendEntriesResponse",
    term,
    prevLogIndex,
    round,
    matchIndex: 0,
    conflictIndex: 0,
    conflictTerm: 0,
    ...result,
  };
}
