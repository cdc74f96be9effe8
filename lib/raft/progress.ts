/**
 * The leader's view of one peer's log, and its flow control.
 */

import type { NodeId, PeerProgress } from "./types.ts";

/**
 * The progress of one peer. Invariant: `0 <= matchIndex < nextIndex`, and
 * `matchIndex` never goes back within one leadership.
 */
export class Progress {
  readonly id: NodeId;
  /** The data folder that `matchIndex` refers to; another one starts from nothing. */
  readonly incarnation: string;
  /** The last entry that is durable at the peer and equal to the leader's. */
  matchIndex = 0;
  /** The next entry to send. In `replicate` it runs ahead of what was acknowledged. */
  nextIndex: number;
  state: PeerProgress["state"] = "probe";
  /** In `snapshot`: the last entry that the snapshot under way covers. */
  pendingSnapshot = 0;
  /** In `probe`: a message is under way; wait for its answer, or a heartbeat's. */
  probing = false;
  /** Set while entries for this peer are read from the storage. */
  reading = false;
  /** Ticks since the peer last answered in this term. */
  ticksSinceContact = 0;
  /** Set once it has answered in this term. */
  contacted = false;
  /** The newest heartbeat round that the peer answered. */
  ackedRound = 0;
  /** The commit index last sent to the peer. */
  sentCommit = 0;
  /** The membership entry that removed this peer, which receives the log until it has that entry. */
  departingAt: number | null = null;
  /** Ticks since that entry was committed. */
  departingTicks = 0;
  /** The last index and the bytes of each unanswered AppendEntries, in order. */
  #inflight: { readonly lastIndex: number; readonly bytes: number }[] = [];
  #inflightBytes = 0;

  constructor(id: NodeId, incarnation: string, nextIndex: number) {
    this.id = id;
    this.incarnation = incarnation;
    this.nextIndex = nextIndex;
  }

  /** The first entry that the peer may still need from the log. */
  get neededIndex(): number {
    // In `replicate` entries in flight may be lost; in `probe` the leader still looks for where the logs meet.
    if (this.state === "replicate") return this.matchIndex + 1;
    return this.state === "probe" ? this.nextIndex : Math.max(this.pendingSnapshot, this.matchIndex) + 1;
  }

  get inflightMessages(): number {
    return this.#inflight.length;
  }

  get inflightBytes(): number {
    return this.#inflightBytes;
  }

  /** Notes entries that were sent. */
  sent(lastIndex: number, bytes: number): void {
    if (this.state === "probe") {
      this.probing = true;
      return;
    }
    this.nextIndex = lastIndex + 1;
    this.#inflight.push({ lastIndex, bytes });
    this.#inflightBytes += bytes;
  }

  /** Notes that everything up to `index` is durable at the peer. Returns whether that is new. */
  acknowledge(index: number): boolean {
    while (this.#inflight.length > 0 && this.#inflight[0]!.lastIndex <= index) {
      this.#inflightBytes -= this.#inflight.shift()!.bytes;
    }
    if (index <= this.matchIndex) return false;
    this.matchIndex = index;
    this.nextIndex = Math.max(this.nextIndex, index + 1);
    return true;
  }

  /** Returns to one message at a time, from `nextIndex` on. */
  becomeProbe(nextIndex: number): void {
    this.#become("probe");
    this.nextIndex = Math.max(nextIndex, this.matchIndex + 1);
  }

  /** Starts the pipeline: the logs meet just before `nextIndex`. */
  becomeReplicate(): void {
    this.#become("replicate");
  }

  /** Stops sending entries while a snapshot that covers everything up to `index` is sent, because the next entry is compacted away. */
  becomeSnapshot(index: number): void {
    this.#become("snapshot");
    this.pendingSnapshot = index;
  }

  /** Returns a copy for observers. */
  report(): PeerProgress {
    const { id, matchIndex, nextIndex, neededIndex, state, inflightMessages, inflightBytes } = this;
    const ticksSinceContact = this.contacted ? this.ticksSinceContact : Infinity;
    return { id, matchIndex, nextIndex, neededIndex, state, ticksSinceContact, inflightMessages, inflightBytes };
  }

  #become(state: PeerProgress["state"]): void {
    this.state = state;
    this.probing = false;
    this.#inflight = [];
    this.#inflightBytes = 0;
  }
}
