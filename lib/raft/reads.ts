/**
 * Linearizable reads without the log (ReadIndex, dissertation §6.4). A read may
 * be served once a heartbeat round that began after it arrived is acknowledged
 * by a quorum: then no newer leader existed when it arrived. Many reads share a
 * round. Rounds are counted within one term, so that no acknowledgement of
 * another leadership can confirm a read.
 */

import type { Progress } from "./progress.ts";
import { quorumValue } from "./quorum.ts";
import type { Leadership, State } from "./state.ts";
import type { Refusal } from "./types.ts";

/** Begins a read, which ends in the effects. */
export function readIndex(state: State, id: number): Refusal | null {
  const { leadership } = state;
  if (leadership === null) return "not_leader";
  // Before the first commit of its term a leader does not know what is committed: such reads wait (§8).
  leadership.reads.push({ id, round: 0, index: state.committedInTerm ? state.commitIndex : -1 });
  leadership.roundWanted = true;
  state.dirty = true;
  return null;
}

/** Begins a round for every read that has none. */
export function beginRound(state: State, leadership: Leadership): void {
  leadership.roundWanted = false;
  leadership.round++;
  state.outbox.roundStarted = leadership.round;
  for (let i = leadership.reads.length - 1; i >= 0 && leadership.reads[i]!.round === 0; i--) {
    leadership.reads[i]!.round = leadership.round;
  }
  // A single node needs no acknowledgement.
  confirmRounds(state, leadership);
}

/** Counts a peer's answer to a message of this round. */
export function acknowledgeRound(state: State, leadership: Leadership, peer: Progress, round: number): void {
  // A round that has not begun can't be acknowledged.
  if (round > leadership.round || round <= peer.ackedRound) return;
  peer.ackedRound = round;
  confirmRounds(state, leadership);
}

function confirmRounds(state: State, leadership: Leadership): void {
  const confirmed = quorumValue(
    state.membership,
    (id) => id === state.id ? leadership.round : leadership.peers.get(id)?.ackedRound ?? 0,
  );
  if (confirmed <= leadership.confirmedRound) return;
  leadership.confirmedRound = confirmed;
  releaseReads(state);
}

/** Hands out the reads whose round is confirmed. */
export function releaseReads(state: State): void {
  const { leadership } = state;
  if (leadership === null || leadership.reads.length === 0 || !state.committedInTerm) return;
  let confirmed = 0;
  for (const read of leadership.reads) {
    if (read.index < 0) read.index = state.commitIndex;
    if (read.round === 0 || read.round > leadership.confirmedRound) continue;
    state.outbox.reads.push({ id: read.id, index: read.index });
    confirmed++;
  }
  // Rounds ascend, and reads without a round are last: the confirmed reads are the head.
  leadership.reads.splice(0, confirmed);
}
