/**
 * The books of what is durable: which term, vote and entries were handed out to
 * be written, and which messages wait for them. persistence.ts has the rules of
 * what follows when a write ends.
 *
 * @module
 */

import type { RaftLog } from "./log.ts";
import type { HardState, OutboundMessage, PersistBatch, SnapshotMeta } from "./types.ts";

/** The persistent state of figure 2, as it is now. */
export interface Persistable extends HardState {
  readonly log: RaftLog;
}

/** Invariant: entries before `nextIndex` were handed out to be written, in this or an earlier batch. */
export class Durability {
  /** Term and vote as last handed out. */
  hardState: HardState;
  /** Term and vote as they are on disk. */
  durableHardState: HardState;
  /** The first entry that no batch has carried. */
  nextIndex: number;
  /** A staged snapshot that replaces the log with the next batch. */
  snapshot: SnapshotMeta | null = null;
  /** The batch that is being written, and up to where its entries were not overwritten since. */
  inflight: { readonly batch: PersistBatch; validUpTo: number } | null = null;
  /** Whether to write term and vote only to see whether the disk works again. */
  probeWanted = false;
  #sequence = 0;
  /** Held back until `inflight` is durable. */
  #afterInflight: OutboundMessage[] = [];
  /** Held back until the batch after that is durable. */
  #afterNext: OutboundMessage[] = [];

  constructor(hardState: HardState, nextIndex: number) {
    this.hardState = hardState;
    this.durableHardState = hardState;
    this.nextIndex = nextIndex;
  }

  /** Whether something was not handed out yet. */
  hasUnpersisted(state: Persistable): boolean {
    return this.hardStateChanged(state) || state.log.lastIndex >= this.nextIndex || this.snapshot !== null ||
      this.probeWanted;
  }

  hardStateChanged(state: Persistable): boolean {
    return state.term !== this.hardState.term || state.votedFor !== this.hardState.votedFor;
  }

  /** Whether term and vote, as known now, are on disk. */
  hardStateDurable(state: Persistable): boolean {
    return state.term === this.durableHardState.term && state.votedFor === this.durableHardState.votedFor;
  }

  /** Holds a message back until the present state is durable. Returns `false`, and keeps nothing, if it already is. */
  defer(state: Persistable, outbound: OutboundMessage): boolean {
    const unpersisted = this.hasUnpersisted(state);
    if (!unpersisted && this.inflight === null) return false;
    holdBack(unpersisted ? this.#afterNext : this.#afterInflight, outbound);
    return true;
  }

  /** The next batch to write; `null` if there is nothing to. */
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

  /** Entries from `index` on are gone from the log: a write of them that ends later says nothing (rule 6). */
  overwritten(index: number): void {
    this.nextIndex = Math.min(this.nextIndex, index);
    if (this.inflight !== null) this.inflight.validUpTo = Math.min(this.inflight.validUpTo, index - 1);
  }

  /** Ends the batch under way; returns up to where the log is durable by it, and the messages that waited. */
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

  /** The log begins anew after a staged snapshot, which the next batch puts in force. */
  replaceLog(snapshot: SnapshotMeta): void {
    this.snapshot = snapshot;
    this.nextIndex = snapshot.index + 1;
    if (this.inflight !== null) this.inflight.validUpTo = 0;
  }

  /** Forgets what was not written, messages included. */
  abandon(durableIndex: number): void {
    this.inflight = null;
    this.hardState = this.durableHardState;
    this.nextIndex = durableIndex + 1;
    this.#afterInflight = [];
    this.#afterNext = [];
  }
}

/**
 * Adds a message to those held back. A later acknowledgement to the same leader
 * says all that an earlier one does, so that a disk that hangs does not collect
 * them.
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
