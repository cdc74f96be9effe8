/**
 * Snapshots and log compaction (§7). The driver stores and sends the bytes; this
 * file has the rules of when a snapshot is needed, wanted and in force.
 */

import { advanceCommit, commitTo } from "./commitment.ts";
import { followLeader } from "./follower.ts";
import { noteContact } from "./replication.ts";
import { invariant } from "./state.ts";
import type { Leadership, State } from "./state.ts";
import { advanceTransfer } from "./transfer.ts";
import type { InstallSnapshot, InstallSnapshotResponse, NodeId, SnapshotMeta } from "./types.ts";

/** Notes that a snapshot of this node's own state is durable. */
export function snapshotTaken(state: State, meta: SnapshotMeta): void {
  if (meta.index <= (state.snapshot?.index ?? 0)) return;
  invariant(meta.index <= state.appliedIndex, `snapshot ${meta.index} is ahead of what is applied`);
  state.snapshot = meta;
  state.configuration.compact(meta.index);
}

/** Compacts the log up to `index`, but keeps entries that no durable snapshot covers. */
export function compact(state: State, index: number): void {
  state.log.compact(Math.min(index, state.snapshot?.index ?? 0));
}

/** Returns the message with a chunk for `to`; `null` if the transfer is no longer wanted. */
export function snapshotMessage(
  state: State,
  to: NodeId,
  snapshot: SnapshotMeta,
  offset: number,
  data: Uint8Array,
): InstallSnapshot | null {
  const { leadership } = state;
  const peer = leadership?.peers.get(to);
  if (leadership === null || peer?.state !== "snapshot") return null;
  peer.pendingSnapshot = snapshot.index;
  return { type: "InstallSnapshot", term: state.term, round: leadership.round, snapshot, offset, data };
}

/** Gives up a transfer, and probes the peer's log again. */
export function snapshotFailed(state: State, to: NodeId): void {
  const peer = state.leadership?.peers.get(to);
  if (peer?.state !== "snapshot") return;
  peer.becomeProbe(peer.matchIndex + 1);
  state.dirty = true;
}

/** Processes an answer of this term on the leader. */
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

/** Processes a chunk of a term that is not older than this node's. */
export function handleInstallSnapshot(state: State, from: NodeId, request: InstallSnapshot): void {
  followLeader(state, from, request);
  const { snapshot } = request;
  commitIfMatching(state, snapshot);
  if (snapshot.index <= state.commitIndex) respondInstalled(state, from, snapshot.id, request.round);
  // One at a time: behind a disk that hangs, further ones would only pile up. The leader sends the chunk again.
  else if (!installPending(state)) state.outbox.snapshotChunks.push({ from, message: request });
}

/**
 * Returns the round that an answer may confirm. The answer may be sent long after
 * the chunk, in another term with other rounds: it confirms only a round received in
 * this term (rule 8).
 */
function roundToConfirm(state: State, to: NodeId, round: number): number {
  return to === state.leader ? Math.min(round, state.leaderRound) : 0;
}

/**
 * Commits the entries that a snapshot covers if the log has its last one. The
 * entries after it may have been acknowledged, and must stay (figure 13, step 6).
 */
function commitIfMatching(state: State, { index, term }: SnapshotMeta): void {
  if (state.log.termAt(index) === term) commitTo(state, index);
}

/** Answers a chunk that was stored, or could not be. */
export function snapshotProgress(
  state: State,
  to: NodeId,
  snapshotId: string,
  offset: number,
  status: "accepted" | "failed",
  round: number,
): void {
  respond(state, to, round, { snapshotId, offset, status, matchIndex: 0 });
}

/**
 * Replaces log, membership and commit index by a staged snapshot. The next batch
 * makes it durable, and the answer leaves after that. A snapshot that is not newer
 * than the commit index is never installed, so that no state goes back; nor is one
 * whose last entry arrived with the log while its bytes were stored.
 *
 * @returns true if it is installed; if not, its bytes can be discarded
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

/** Reports whether an installed snapshot is not on disk yet: until then nothing may be applied. */
export function installPending(state: State): boolean {
  const { durability } = state;
  return durability.snapshot !== null || (durability.inflight !== null && durability.inflight.batch.snapshot !== null);
}

function respondInstalled(state: State, to: NodeId, snapshotId: string, round: number): void {
  respond(state, to, round, { snapshotId, offset: 0, status: "installed", matchIndex: state.commitIndex });
}

function respond(
  state: State,
  to: NodeId,
  round: number,
  result: Omit<InstallSnapshotResponse, "type" | "term" | "round">,
): void {
  const head = { type: "InstallSnapshotResponse", term: state.term, round: roundToConfirm(state, to, round) } as const;
  state.sendWhenDurable(to, { ...head, ...result });
}
