/**
 * Snapshots and log compaction (§7). The bytes are the driver's to store and
 * send; the rules of when a snapshot is needed, wanted and in force are here.
 *
 * @module
 */

import { advanceCommit, commitTo } from "./commitment.ts";
import { followLeader } from "./follower.ts";
import { noteContact } from "./replication.ts";
import { invariant } from "./state.ts";
import type { Leadership, State } from "./state.ts";
import { advanceTransfer } from "./transfer.ts";
import type { InstallSnapshot, InstallSnapshotResponse, NodeId, SnapshotMeta } from "./types.ts";

/** A snapshot that this node took of its own state is durable. */
export function snapshotTaken(state: State, meta: SnapshotMeta): void {
  if (meta.index <= (state.snapshot?.index ?? 0)) return;
  invariant(meta.index <= state.appliedIndex, `snapshot ${meta.index} is ahead of what is applied`);
  state.snapshot = meta;
  state.configuration.compact(meta.index);
}

/** Forgets entries up to `index`; what a durable snapshot does not cover stays. */
export function compact(state: State, index: number): void {
  state.log.compact(Math.min(index, state.snapshot?.index ?? 0));
}

/** A chunk for `to`; `null` once the transfer is not wanted any more. */
export function snapshotMessage(
  state: State,
  to: NodeId,
  snapshot: SnapshotMeta,
  offset: number,
  data: Uint8Array,
): InstallSnapshot | null {
  const { leadership } = state;
  if (leadership === null || leadership.peers.get(to)?.state !== "snapshot") return null;
  return { type: "InstallSnapshot", term: state.term, round: leadership.round, snapshot, offset, data };
}

/** The transfer was given up; the peer is asked again what it has. */
export function snapshotFailed(state: State, to: NodeId): void {
  const peer = state.leadership?.peers.get(to);
  if (peer?.state !== "snapshot") return;
  peer.becomeProbe(peer.matchIndex + 1);
  state.dirty = true;
}

/** The leader's side of an answer. Only answers of this term get here. */
export function handleInstallSnapshotResponse(
  state: State,
  leadership: Leadership,
  from: NodeId,
  response: InstallSnapshotResponse,
): void {
  const peer = leadership.peers.get(from);
  if (peer === undefined || response.matchIndex > state.log.lastIndex) return;
  noteContact(state, leadership, peer, response.round);
  state.outbox.snapshotResponses.push({ from, message: response });
  if (response.status !== "installed") return;
  const advanced = peer.acknowledge(response.matchIndex);
  if (peer.state === "snapshot") peer.becomeProbe(peer.matchIndex + 1);
  if (!advanced) return;
  advanceCommit(state);
  advanceTransfer(state, leadership, peer);
}

/** The receiver's side of a chunk of a term that is not older than this node's. */
export function handleInstallSnapshot(state: State, from: NodeId, request: InstallSnapshot): void {
  followLeader(state, from, request);
  const { snapshot } = request;
  commitIfMatching(state, snapshot);
  if (snapshot.index <= state.commitIndex) respondInstalled(state, from, snapshot.id, request.round);
  else state.outbox.snapshotChunks.push({ from, message: request });
}

/**
 * The answer may come long after the chunk, in another term, whose rounds are
 * others: it confirms only what was heard in this one (rule 8).
 */
function roundToConfirm(state: State, to: NodeId, round: number): number {
  return to === state.leader ? Math.min(round, state.leaderRound) : 0;
}

/**
 * What the log has already needs no snapshot, only to be known as committed; what
 * follows it may have been acknowledged, and must stay (figure 13, step 6).
 */
function commitIfMatching(state: State, { index, term }: SnapshotMeta): void {
  if (state.log.termAt(index) === term) commitTo(state, index);
}

/** Answers a chunk that was stored, or not. */
export function snapshotProgress(
  state: State,
  to: NodeId,
  snapshotId: string,
  offset: number,
  status: "accepted" | "failed",
  round: number,
): void {
  state.sendWhenDurable(to, {
    type: "InstallSnapshotResponse",
    term: state.term,
    round: roundToConfirm(state, to, round),
    snapshotId,
    offset,
    status,
    matchIndex: 0,
  });
}

/**
 * Replaces log, membership and commit index by a staged snapshot. The next batch
 * makes it durable, and the answer leaves after that. A snapshot that is not
 * newer than what is committed is never installed (rule: no state goes back), nor
 * one whose last entry came with the log while its bytes were stored.
 *
 * @returns whether it is installed; if not, its bytes are of no use
 */
export function installSnapshot(state: State, from: NodeId, meta: SnapshotMeta, round: number): boolean {
  if (state.role !== "follower" || state.durability.snapshot !== null) return false;
  commitIfMatching(state, meta);
  if (meta.index <= state.commitIndex) {
    respondInstalled(state, from, meta.id, round);
    return false;
  }
  state.log.reset(meta, state.appliedIndex);
  state.configuration.reset(meta);
  state.durability.replaceLog(meta);
  state.snapshot = meta;
  state.commitIndex = meta.index;
  state.event({ type: "membershipChanged", index: meta.index, membership: meta.membership, reason: "restored" });
  respondInstalled(state, from, meta.id, round);
  return true;
}

/** Whether a snapshot was put in force that is not on disk yet: until then nothing may be applied. */
export function installPending(state: State): boolean {
  const { durability } = state;
  return durability.snapshot !== null || (durability.inflight !== null && durability.inflight.batch.snapshot !== null);
}

function respondInstalled(state: State, to: NodeId, snapshotId: string, round: number): void {
  state.sendWhenDurable(to, {
    type: "InstallSnapshotResponse",
    term: state.term,
    round: roundToConfirm(state, to, round),
    snapshotId,
    offset: 0,
    status: "installed",
    matchIndex: state.commitIndex,
  });
}
