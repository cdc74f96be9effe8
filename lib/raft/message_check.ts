/**
 * Messages that no correct peer sends. They are refused before they change anything:
 * only a fault of this node's own state may stop it (`invariant`), never a message.
 */

import { decodeMembership, isVoter, memberOf } from "./membership.ts";
import { isNumber, problemOf, problemOfSnapshot } from "./restored_check.ts";
import type { Leadership, State } from "./state.ts";
import { MAX_CATCH_UP } from "./term_limit.ts";
import type {
  AppendEntries,
  AppendEntriesResponse,
  InstallSnapshot,
  InstallSnapshotResponse,
  Message,
  MessageRefusal,
  NodeId,
} from "./types.ts";

/** Returns the reason to refuse a message; `null` if a correct peer may have sent it. */
export function reasonToRefuse(state: State, from: NodeId, message: Message): MessageRefusal | null {
  const problem = malformed(message);
  if (problem !== null) return { kind: "malformed", reason: `its ${message.type} is malformed: ${problem}` };
  return termTooHigh(state, from, message) ?? wrongLeader(state, from, message) ?? contradiction(state, message) ??
    impossibleAnswer(state, from, message);
}

/** Refuses a term that is too far ahead; term_limit.ts has the reasons. */
function termTooHigh(state: State, from: NodeId, { type, term }: Message): MessageRefusal | null {
  const { termLimit, membership } = state;
  if (term <= termLimit.highest) {
    termLimit.kept(from, type === "AppendEntries" || type === "InstallSnapshot");
    return null;
  }
  const isMember = memberOf(membership, from) !== undefined;
  // A node without a membership has to trust the first leader.
  termLimit.exceeded(from, term, isMember || membership.members.length === 0);
  const next = !isMember || term - state.term <= MAX_CATCH_UP
    ? ""
    : "; no elections lead so far: of the two, remove the one that a quorum does not follow, and add it again with an " +
      "empty storage";
  return { kind: "term", reason: `its ${type} has term ${term}, and this node's term is ${state.term}${next}` };
}

/** Refuses a second leader of this term: there is at most one (figure 3, Election Safety). */
function wrongLeader(state: State, from: NodeId, { type, term }: Message): MessageRefusal | null {
  if (type !== "AppendEntries" && type !== "InstallSnapshot" && type !== "TimeoutNow") return null;
  const { leader } = state;
  if (term !== state.term || leader === null || leader === from) return null;
  return { kind: "leader", reason: `its ${type} claims to lead in term ${term}, and "${leader}" does` };
}

/** Refuses what contradicts committed entries: every leader has them (figure 3, Leader Completeness). */
function contradiction(state: State, message: Message): MessageRefusal | null {
  if (message.term < state.term) return null;
  const other = message.type === "AppendEntries"
    ? contradicted(state, message.prevLogIndex, message.prevLogTerm) ??
      firstDefined(message.entries, ({ index, term }) => contradicted(state, index, term))
    : message.type === "InstallSnapshot"
    ? contradicted(state, message.snapshot.index, message.snapshot.term)
    : null;
  if (other === null) return null;
  const next = "if a quorum follows the sender, remove this node, and add it again with an empty storage";
  const reason = `its ${message.type} contradicts entry ${other}, which is committed here; ${next}`;
  return { kind: "conflict", reason };
}

/** Returns a committed entry that a log with this entry can't have; terms never go down in a log (§5.3). */
function contradicted({ log, commitIndex }: State, index: number, term: number): number | null {
  if (index > commitIndex) return term < log.termAt(commitIndex)! ? commitIndex : null;
  const committed = log.termAt(index);
  return committed === undefined || committed === term ? null : index;
}

function firstDefined<T>(items: readonly T[], find: (item: T) => number | null): number | null {
  for (const item of items) {
    const found = find(item);
    if (found !== null) return found;
  }
  return null;
}

/** Refuses answers to what this node has never sent. */
function impossibleAnswer(state: State, from: NodeId, message: Message): MessageRefusal | null {
  if (message.term !== state.term) return null;
  const answer = (what: string): MessageRefusal => ({ kind: "answer", reason: `its ${message.type} ${what}` });
  switch (message.type) {
    case "RequestVoteResponse": {
      const counts = !message.preVote && message.voteGranted && state.role === "candidate";
      return counts && !isVoter(state.membership, from) ? answer("grants a vote, and it has none") : null;
    }
    case "AppendEntriesResponse":
    case "InstallSnapshotResponse": {
      const impossible = state.leadership === null ? null : impossibleProgress(state, state.leadership, message);
      return impossible === null ? null : answer(impossible);
    }
    default:
      return null;
  }
}

function impossibleProgress(
  { log }: State,
  leadership: Leadership,
  message: AppendEntriesResponse | InstallSnapshotResponse,
): string | null {
  if (message.matchIndex > log.lastIndex) {
    return `acknowledges entry ${message.matchIndex}, and the log ends at ${log.lastIndex}`;
  }
  if (message.round > leadership.round) return `confirms round ${message.round}, and ${leadership.round} is the newest`;
  if (message.type === "AppendEntriesResponse" && message.conflictIndex > message.prevLogIndex) {
    return `places a conflict at entry ${message.conflictIndex}, after entry ${message.prevLogIndex}`;
  }
  return null;
}

/** Returns the problem of a message that makes no sense to any node; `null` if there is none. Transports may have checked it, or not. */
function malformed(message: Message): string | null {
  for (const [name, value] of Object.entries(message)) {
    if (typeof value === "number" && !isNumber(value)) return `${name} is ${value}`;
  }
  switch (message.type) {
    case "RequestVote":
      return message.lastLogTerm <= message.term ? null : `the last entry of the log has term ${message.lastLogTerm}`;
    case "AppendEntries":
      return malformedEntries(message);
    case "InstallSnapshot":
      return malformedSnapshot(message);
    default:
      return null;
  }
}

/** Entries follow `prevLogIndex` without a gap, terms never go down (§5.3), and the first of all is a membership. */
function malformedEntries({ term, prevLogIndex, prevLogTerm, entries }: AppendEntries): string | null {
  if (prevLogTerm > term) return `the entry before has term ${prevLogTerm}`;
  let index = prevLogIndex;
  let before = prevLogTerm;
  for (const entry of entries) {
    if (entry.index !== ++index) return `entry ${entry.index} stands where ${index} should be`;
    if (!isNumber(entry.index) || !isNumber(entry.term) || entry.term < before || entry.term > term) {
      return `entry ${entry.index} has term ${entry.term}`;
    }
    before = entry.term;
    // Every log begins with it, and every snapshot needs one.
    if (index === 1 && entry.type !== "membership") return "entry 1 is not a membership";
    const problem = entry.type === "membership" ? problemOf(() => decodeMembership(entry.data)) : null;
    if (problem !== null) return `entry ${index}: ${problem}`;
  }
  return null;
}

function malformedSnapshot({ term, snapshot, offset, data }: InstallSnapshot): string | null {
  const problem = problemOfSnapshot(snapshot, term);
  if (problem !== null || offset + data.length <= snapshot.size) return problem;
  return `a chunk at ${offset} is not in ${snapshot.size} bytes`;
}
