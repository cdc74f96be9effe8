/**
 * The leader's half of log replication (§5.3): messages to each peer, and their
 * answers.
 */

import { advanceCommit } from "./commitment.ts";
import { checkQuorum } from "./check_quorum.ts";
import { entryBytes } from "./entry_cache.ts";
import { tickDepartures } from "./membership_change.ts";
import type { Progress } from "./progress.ts";
import { acknowledgeRound, beginRound } from "./reads.ts";
import type { Leadership, State } from "./state.ts";
import { advanceTransfer, retireIfRemoved, tickTransfer } from "./transfer.ts";
import type { AppendEntries, AppendEntriesResponse, Entry, EntryRead, NodeId } from "./types.ts";

/** Counts a tick of the leader: steps down without a quorum, and begins the next round of heartbeats when it is due. */
export function tickLeader(state: State, leadership: Leadership): void {
  const { electionTicks, heartbeatTicks } = state.config;
  if (state.graceTicks > 0) state.graceTicks--;
  if (!checkQuorum(state, leadership)) return;
  tickTransfer(state, leadership);
  tickDepartures(state, leadership.peers, 4 * electionTicks);
  if (++leadership.heartbeatTicks >= heartbeatTicks) {
    leadership.heartbeatTicks = 0;
    leadership.roundWanted = true;
    state.dirty = true;
  }
}

/** Sends everything that is due. The inputs of one turn leave as one batch. */
export function flush(state: State): void {
  const { leadership } = state;
  if (leadership === null || !state.dirty) return;
  state.dirty = false;
  const round = leadership.roundWanted;
  if (round) beginRound(state, leadership);
  for (const peer of leadership.peers.values()) {
    const sent = sendEntries(state, leadership, peer);
    if (!sent && (round || owesCommit(state, peer))) sendHeartbeat(state, leadership, peer);
  }
  retireIfRemoved(state, leadership);
}

/** Reports whether a peer has entries and has not received that they are committed. */
function owesCommit(state: State, peer: Progress): boolean {
  return peer.state === "replicate" && peer.sentCommit < state.commitIndex;
}

/** The most entries of one message: receivers have a limit, which empty entries reach long before that of bytes. */
const MAX_BATCH_ENTRIES = 16 * 1024;

/** Sends as many entries as the peer's window takes. Returns whether it sent any message. */
function sendEntries(state: State, leadership: Leadership, peer: Progress): boolean {
  let sent = false;
  // Even with a full window: entries in flight may be lost, and can't be sent again or compared by a heartbeat.
  if (peer.state !== "snapshot" && peer.nextIndex <= state.log.baseIndex) {
    requestSnapshot(state, peer);
    return false;
  }
  while (peer.nextIndex <= state.log.lastIndex && hasRoom(state, peer)) {
    const { maxBatchBytes } = state.config;
    const last = Math.min(state.log.lastIndex, peer.nextIndex + MAX_BATCH_ENTRIES - 1);
    const entries = state.log.cached(peer.nextIndex, last, maxBatchBytes);
    if (entries.length === 0) {
      peer.reading = true;
      // Only durable entries: a read beyond them would fail as a whole.
      const to = Math.min(last, state.log.durableIndex);
      state.outbox.entryReads.push({ peer: peer.id, from: peer.nextIndex, to, maxBytes: maxBatchBytes });
      return sent;
    }
    sendAppendEntries(state, leadership, peer, entries);
    sent = true;
  }
  return sent;
}

function hasRoom(state: State, peer: Progress): boolean {
  if (peer.reading) return false;
  if (peer.state === "probe") return !peer.probing;
  return peer.state === "replicate" && peer.inflightMessages < state.config.maxInflightMessages &&
    peer.inflightBytes < state.config.maxInflightBytes;
}

/** Requests a snapshot transfer from the driver, if the peer answers. */
function requestSnapshot(state: State, peer: Progress): void {
  if (!peer.contacted || peer.ticksSinceContact >= state.config.electionTicks) return;
  peer.becomeSnapshot(state.snapshot?.index ?? 0);
  state.outbox.snapshotSends.push(peer.id);
  state.event({ type: "snapshotNeeded", peer: peer.id });
}

function sendAppendEntries(state: State, leadership: Leadership, peer: Progress, entries: readonly Entry[]): void {
  state.send(peer.id, appendEntries(state, leadership, peer.nextIndex - 1, entries));
  peer.sentCommit = state.commitIndex;
  if (entries.length === 0) return;
  peer.sent(entries.at(-1)!.index, entries.reduce((sum, entry) => sum + entryBytes(entry), 0));
}

/** Sends an AppendEntries without entries. If the leader can't compare the logs, it claims no more than that they are equal at index 0. */
function sendHeartbeat(state: State, leadership: Leadership, peer: Progress): void {
  const comparable = peer.state !== "snapshot" && state.log.termAt(peer.nextIndex - 1) !== undefined;
  if (comparable) return sendAppendEntries(state, leadership, peer, []);
  state.send(peer.id, appendEntries(state, leadership, 0, []));
}

/** Builds the message with the entries after `prevLogIndex`. */
function appendEntries(
  { term, log, commitIndex: leaderCommit }: State,
  { round }: Leadership,
  prevLogIndex: number,
  entries: readonly Entry[],
): AppendEntries {
  const prevLogTerm = prevLogIndex === 0 ? 0 : log.termAt(prevLogIndex)!;
  return { type: "AppendEntries", term, prevLogIndex, prevLogTerm, entries, leaderCommit, round };
}

/** Sends entries that were read from the storage, if the peer still needs them. */
export function entriesRead(state: State, read: EntryRead, entries: readonly Entry[]): void {
  const { leadership } = state;
  const peer = leadership?.peers.get(read.peer);
  if (leadership === null || peer === undefined || !peer.reading) return;
  peer.reading = false;
  // Entries that could not be read are read again with the next heartbeat, not in a tight loop.
  if (entries.length === 0) return;
  state.dirty = true;
  if (peer.nextIndex !== read.from || state.log.termAt(read.from - 1) === undefined || !hasRoom(state, peer)) return;
  const same = entries.every((entry, i) =>
    entry.index === read.from + i && state.log.termAt(entry.index) === entry.term
  );
  if (same) sendAppendEntries(state, leadership, peer, entries);
}

/** Processes a peer's answer of this term. */
export function handleAppendEntriesResponse(
  state: State,
  leadership: Leadership,
  from: NodeId,
  response: AppendEntriesResponse,
): void {
  const peer = leadership.peers.get(from);
  if (peer === undefined) return;
  noteContact(state, leadership, peer, response.round);
  if (response.success) handleSuccess(state, leadership, peer, response);
  else handleConflict(state, peer, response);
}

/** Notes that a peer answered, and that it followed this leader in that round. */
export function noteContact(state: State, leadership: Leadership, peer: Progress, round: number): void {
  peer.contacted = true;
  peer.ticksSinceContact = 0;
  state.dirty = true;
  acknowledgeRound(state, leadership, peer, round);
}

function handleSuccess(
  state: State,
  leadership: Leadership,
  peer: Progress,
  response: AppendEntriesResponse,
): void {
  // A leader's log only grows, so no peer can have more of it than the leader.
  if (response.matchIndex > state.log.lastIndex) return;
  const advanced = peer.acknowledge(response.matchIndex);
  // The peer answers: even if messages were lost, the next one may be sent.
  peer.probing = false;
  const meets = Math.max(response.matchIndex, response.prevLogIndex) >= peer.nextIndex - 1;
  if (peer.state === "probe" && meets) peer.becomeReplicate();
  else if (peer.state === "snapshot" && peer.matchIndex >= state.log.baseIndex) peer.becomeProbe(peer.matchIndex + 1);
  if (!advanced) return;
  advanceCommit(state);
  advanceTransfer(state, leadership, peer);
}

/** Handles logs that differ at `prevLogIndex`: goes back to where they can still meet, skipping whole terms (§5.3). */
function handleConflict(state: State, peer: Progress, response: AppendEntriesResponse): void {
  const stale = response.prevLogIndex <= peer.matchIndex || peer.state === "snapshot" ||
    (peer.state === "probe" && response.prevLogIndex !== peer.nextIndex - 1);
  if (stale) return;
  const hint = Math.min(response.conflictIndex - 1, response.prevLogIndex - 1);
  peer.becomeProbe(state.log.lastIndexWithin(Math.max(hint, 0), response.conflictTerm) + 1);
}
