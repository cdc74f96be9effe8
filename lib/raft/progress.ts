/**
 * What a leader knows of one peer's log, and how much it may send.
 *
 * @module
 */

import type { NodeId, PeerProgress } from "./types.ts";

/** How a leader sends to a peer: one message at a time until it knows where their logs meet, then a pipeline; or a snapshot. */
export type ProgressState = "probe" | "replicate" | "snapshot";

/**
 * Invariant: `0 <= matchIndex < nextIndex`, and `matchIndex` never goes back
 * within one leadership.
 */
export class Progress {
  readonly id: NodeId;
  /** The data folder that `matchIndex` speaks of; another one starts from nothing. */
  readonly incarnation: string;
  /** Equal to the leader's log and durable at the peer, up to here. */
  matchIndex = 0;
  /** The next entry to send. In `replicate` it runs ahead of what was acknowledged. */
  nextIndex: number;
  state: ProgressState = "probe";
  /** In `probe`: a message is out; wait for its answer, or a heartbeat's. */
  probing = false;
  /** An answer from the storage is awaited for this peer. */
  reading = false;
  /** Ticks since the peer last answered in this term. */
  ticksSinceContact = 0;
  /** Whether it answered at all in this term. */
  contacted = false;
  /** The newest heartbeat round that the peer answered. */
  ackedRound = 0;
  /** The commit index that the peer was last told. */
  sentCommit = 0;
  /** The membership entry that removed this peer; it still gets the log until it knows. */
  departingAt: number | null = null;
  /** Ticks since that entry was committed. */
  departingTicks = 0;
  /** The last index and the bytes of each AppendEntries on its way, in order. */
  #inflight: { readonly lastIndex: number; readonly bytes: number }[] = [];
  #inflightBytes = 0;

  constructor(id: NodeId, incarnation: string, nextIndex: number) {
    this.id = id;
    this.incarnation = incarnation;
    this.nextIndex = nextIndex;
  }

  get inflightMessages(): number {
    return this.#inflight.length;
  }

  get inflightBytes(): number {
    return this.#inflightBytes;
  }

  /** Notes entries that left. */
  sent(lastIndex: number, bytes: number): void {
    if (this.state === "probe") {
      this.probing = true;
      return;
    }
    this.nextIndex = lastIndex + 1;
    this.#inflight.push({ lastIndex, bytes });
    this.#inflightBytes += bytes;
  }

  /** Everything up to `index` is durable at the peer. Returns whether that is news. */
  acknowledge(index: number): boolean {
    let freed = 0;
    while (freed < this.#inflight.length && this.#inflight[freed]!.lastIndex <= index) {
      this.#inflightBytes -= this.#inflight[freed++]!.bytes;
    }
    if (freed > 0) this.#inflight.splice(0, freed);
    if (index <= this.matchIndex) return false;
    this.matchIndex = index;
    this.nextIndex = Math.max(this.nextIndex, index + 1);
    return true;
  }

  /** Goes back to one message at a time, from `nextIndex` on. */
  becomeProbe(nextIndex: number): void {
    this.state = "probe";
    this.nextIndex = Math.max(nextIndex, this.matchIndex + 1);
    this.probing = false;
    this.#clearInflight();
  }

  /** The logs meet just before `nextIndex`: send without waiting. */
  becomeReplicate(): void {
    this.state = "replicate";
    this.probing = false;
    this.#clearInflight();
  }

  /** The next entry is compacted away: a snapshot is on its way. */
  becomeSnapshot(): void {
    this.state = "snapshot";
    this.probing = false;
    this.#clearInflight();
  }

  /** For people who watch. */
  report(): PeerProgress {
    return {
      id: this.id,
      matchIndex: this.matchIndex,
      nextIndex: this.nextIndex,
      state: this.state,
      ticksSinceContact: this.contacted ? this.ticksSinceContact : Number.POSITIVE_INFINITY,
      inflightMessages: this.inflightMessages,
      inflightBytes: this.inflightBytes,
    };
  }

  #clearInflight(): void {
    this.#inflight = [];
    this.#inflightBytes = 0;
  }
}
