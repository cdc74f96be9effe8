/**
 * Decides how far the log is compacted behind a snapshot (§7). Besides the trailing
 * entries, a leader keeps the entries that a receiver of a snapshot needs next, so
 * that the snapshot is not out of date by the time it has arrived: otherwise one
 * would follow the other for as long as there are writes. A bound of bytes protects
 * the disk from a slow receiver.
 */

import type { NodeId, PeerProgress, SnapshotMeta } from "../raft/types.ts";
import type { NodeContext } from "./context.ts";
import type { LogSizes } from "./log_sizes.ts";

/** The election timeouts without a sign of the other side after which a transfer is given up. */
export const GONE_AFTER_TIMEOUTS = 10;

/** The surroundings that retention needs. */
export type RetentionContext = Pick<NodeContext, "events"> & {
  readonly raft: Pick<NodeContext["raft"], "firstIndex" | "progress" | "snapshot">;
  readonly config: Pick<NodeContext["config"], "trailingEntries" | "maxRetainedBytes" | "electionTicks">;
};

/** The rule for the entries that compaction keeps. */
export class LogRetention {
  readonly #context: RetentionContext;
  readonly #sizes: LogSizes;
  /** The members that were sent a snapshot and have not caught up yet, each with the index of the newest one at that time. */
  readonly #receivers = new Map<NodeId, number>();
  #retainedBytes = 0;
  #retains = false;

  constructor(context: RetentionContext, sizes: LogSizes) {
    this.#context = context;
    this.#sizes = sizes;
  }

  /** Set if entries are kept for receivers, as of the last decision. */
  get retains(): boolean {
    return this.#retains;
  }

  /** The bytes of these entries. */
  get retainedBytes(): number {
    return this.#retainedBytes;
  }

  /** Notes that a member is about to be sent a snapshot. */
  add(receiver: NodeId): void {
    this.#receivers.set(receiver, this.#context.raft.snapshot?.index ?? 0);
  }

  /** Returns the last entry to compact behind a snapshot, and reports receivers that lose entries by it. */
  limit({ index }: Pick<SnapshotMeta, "index">): number {
    const { trailingEntries, maxRetainedBytes } = this.#context.config;
    const usual = index - trailingEntries;
    let limit = usual;
    this.#retainedBytes = 0;
    for (const peer of this.#progressOfReceivers()) {
      const { id, neededIndex } = peer;
      if (neededIndex > usual) {
        // Served by the trailing entries of a newer snapshot than its own, it has caught up.
        if (peer.state !== "snapshot" && index > this.#receivers.get(id)!) this.#receivers.delete(id);
        continue;
      }
      if (neededIndex > limit || !this.#waitsFor(peer)) continue;
      const bytes = this.#sizes.after(neededIndex - 1) - this.#sizes.after(usual);
      if (bytes > maxRetainedBytes) {
        this.#context.events.emit("entriesDropped", { peer: id, index: neededIndex, bytes });
      } else {
        limit = neededIndex - 1;
        this.#retainedBytes = bytes;
      }
    }
    this.#retains = limit < usual;
    return limit;
  }

  /** Returns the progress of all receivers, and forgets those that this node no longer leads. */
  #progressOfReceivers(): PeerProgress[] {
    if (this.#receivers.size === 0) return [];
    const progress = this.#context.raft.progress().filter(({ id }) => this.#receivers.has(id));
    for (const id of this.#receivers.keys()) if (!progress.some((peer) => peer.id === id)) this.#receivers.delete(id);
    return progress;
  }

  /** Reports whether a receiver answers, and could still be served from the log. */
  #waitsFor({ neededIndex, ticksSinceContact }: PeerProgress): boolean {
    const { raft, config } = this.#context;
    return neededIndex >= raft.firstIndex && ticksSinceContact < GONE_AFTER_TIMEOUTS * config.electionTicks;
  }
}
