/**
 * The bookkeeping of durability: the term, vote and entries that were handed out
 * to be written, and the messages that wait for them (rule 2). persistence.ts has the
 * consequences of a write.
 */

import type { RaftLog } from "./log.ts";
import type { HardState, OutboundMessage, PersistBatch, SnapshotMeta } from "./types.ts";

/** The persistent state of figure 2, as it is now. */
export interface Persistable extends HardState {
  readonly log: RaftLog;
}

/** The state of a node's writes. Invariant: entries before `nextIndex` were handed out to be written, in this or an earlier batch. */
export class Durability {
  /** Term and vote as last handed out. */
  hardState: HardState;
  /** Term and vote as they are on disk. */
  durableHardState: HardState;
  /** The first entry that no batch has carried. */
  nextIndex: number;
  /** The staged snapshot that replaces the log with the next batch. */
  snapshot: SnapshotMeta | null = null;
  /** The batch under way, and the last of its entries that was not overwritten since. */
  inflight: { readonly batch: PersistBatch; validUpTo: number } | null = null;
  /** Set to write term and vote only to see whether the disk works again. */
  probeWanted = false;
  #sequence = 0;
  /** Messages held back until `inflight` is durable. */
  #afterInflight: OutboundMessage[] = [];
  /** Messages held back until the next batch is durable. */
  #afterNext: OutboundMessage[] = [];

  constructor(hardState: HardState, nextIndex: number) {
    this.hardState = hardState;
    this.durableHardState = hardState;
    this.nextIndex = nextIndex;
  }

  /** Reports whether something was not handed out yet. */
  hasUnpersisted(state: Persistable): boolean {
    return this.hardStateChanged(state) || state.log.lastIndex >= this.nextIndex || this.snapshot !== null ||
      this.probeWanted;
  }

  hardStateChanged(state: Persistable): boolean {
    return !equalHardStates(state, this.hardState);
  }

  /** Reports whether the present term and vote are on disk. */
  hardStateDurable(state: Persistable): boolean {
    return equalHardStates(state, this.durableHardState);
  }

  /** Holds a message back until the present state is durable. Returns `false`, and keeps nothing, if it already is. */
  defer(state: Persistable, outbound: OutboundMessage): boolean {
    const unpersisted = this.hasUnpersisted(state);
    if (!unpersisted && this.inflight === null) return false;
    holdBack(unpersisted ? this.#afterNext : this.#afterInflight, outbound);
    return true;
  }

  /** Returns the next batch to write; `null` if there is nothing to write. */
  take(state: Persistable): PersistBatch | null {
    if (this.inflight !== null) throw new Error("takePersist: an earlier batch is still under way");
    if (!this.hasUnpersisted(state)) return null;
    const { log } = state;
    const hardState = { term: state.term, votedFor: state.votedFor };
    const entries = log.lastIndex >= this.nextIndex ? log.cached(this.nextIndex, log.lastIndex) : [];
    const batch: PersistBatch = {
      sequence: ++this.#sequence,
      hardState: this.hardStateChanged(state) || this.probeWanted ? hardState : null,
      snapshot: this.snapshot,
      entries,
    };
    this.hardState = hardState;
    this.nextIndex = log.lastIndex + 1;
    this.snapshot = null;
    this.probeWanted = false;
    this.inflight = { batch, validUpTo: log.lastIndex };
    this.#afterInflight.push(...this.#afterNext.splice(0));
    return batch;
  }

  /** Notes that entries from `index` on were truncated: a write of them that ends later acknowledges nothing (rule 6). */
  overwritten(index: number): void {
    this.nextIndex = Math.min(this.nextIndex, index);
    if (this.inflight !== null) this.inflight.validUpTo = Math.min(this.inflight.validUpTo, index - 1);
  }

  /** Ends the batch under way. Returns the last entry that it made durable, and the messages that waited for it. */
  finish(batch: PersistBatch): { durableIndex: number; messages: OutboundMessage[] } {
    const inflight = this.inflight;
    if (inflight === null || inflight.batch.sequence !== batch.sequence) {
      throw new Error(`persisted: batch ${batch.sequence} is not the one under way`);
    }
    this.inflight = null;
    if (batch.hardState !== null) this.durableHardState = batch.hardState;
    const written = batch.entries.at(-1)?.index ?? batch.snapshot?.index ?? 0;
    return { durableIndex: Math.min(written, inflight.validUpTo), messages: this.#afterInflight.splice(0) };
  }

  /** Restarts the log after a staged snapshot, which the next batch puts in force. */
  replaceLog(snapshot: SnapshotMeta): void {
    this.snapshot = snapshot;
    this.nextIndex = snapshot.index + 1;
    if (this.inflight !== null) this.inflight.validUpTo = 0;
  }

  /** Drops everything that was not written, messages included. */
  abandon(durableIndex: number): void {
    this.inflight = null;
    this.hardState = this.durableHardState;
    this.nextIndex = durableIndex + 1;
    this.#afterInflight = [];
    this.#afterNext = [];
  }
}

/** Reports whether term and vote are the same. */
export function equalHardStates(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.votedFor === b.votedFor;
}

/**
 * Adds a message to those held back. A later acknowledgement to the same leader
 * replaces an earlier one, so that they don't pile up behind a hanging disk.
 */
function holdBack(held: OutboundMessage[], outbound: OutboundMessage): void {
  const { to, message } = outbound;
  const earlier = held.findIndex((before) =>
    before.to === to && before.message.type === "AppendEntriesResponse" && before.message.term === message.term
  );
  const before = held[earlier]?.message;
  if (message.type !== "AppendEntriesResponse" || before?.type !== "AppendEntriesResponse") held.push(outbound);
  else if (before.matchIndex <= message.matchIndex) held[earlier] = outbound;
  else held[earlier] = { to, message: { ...before, round: message.round } };
}
