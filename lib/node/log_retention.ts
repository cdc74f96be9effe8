/**
 * Decides how far the log is compacted behind a snapshot (§7). Besides the trailing entries, a
 * leader keeps the entries that a member still needs, so that a snapshot is not out
 * of date by the time it has arrived: otherwise one would follow the other for as
 * long as there are writes. A bound of bytes protects the disk from a slow member.
 */

import type { NodeId, PeerProgress, SnapshotMeta } from "../raft/types.ts";
import type { NodeContext } from "./context.ts";
import type { LogSizes } from "./log_sizes.ts";

/** The election timeouts without an answer after which nothing is kept for a member. */
export const GONE_AFTER_TIMEOUTS = 10;

/** The surroundings that retention needs. */
export type RetentionContext = Pick<NodeContext, "events"> & {
  readonly raft: Pick<NodeContext["raft"], "firstIndex" | "progress">;
  readonly config: Pick<NodeContext["config"], "trailingEntries" | "maxRetainedBytes" | "electionTicks">;
};

/** The rule for the entries that compaction keeps. */
export class LogRetention {
  readonly #context: RetentionContext;
  readonly #sizes: LogSizes;
  #retainedBytes = 0;
  #retains = false;

  constructor(context: RetentionContext, sizes: LogSizes) {
    this.#context = context;
    this.#sizes = sizes;
  }

  /** Set if entries are kept for members, as of the last decision. */
  get retains(): boolean {
    return this.#retains;
  }

  /** The bytes of these entries. */
  get retainedBytes(): number {
    return this.#retainedBytes;
  }

  /** Returns the last entry to compact behind a snapshot, and reports members that lose entries by it. */
  limit({ index }: Pick<SnapshotMeta, "index">): number {
    const { trailingEntries, maxRetainedBytes } = this.#context.config;
    const usual = index - trailingEntries;
    if (maxRetainedBytes === 0) return usual;
    let limit = usual;
    this.#retainedBytes = 0;
    for (const peer of this.#context.raft.progress()) {
      if (peer.neededIndex > limit || !this.#waitsFor(peer)) continue;
      const bytes = this.#sizes.after(peer.neededIndex - 1) - this.#sizes.after(usual);
      if (bytes > maxRetainedBytes) {
        this.#lost(peer.id, peer.neededIndex, bytes);
      } else {
        limit = peer.neededIndex - 1;
        this.#retainedBytes = bytes;
      }
    }
    this.#retains = limit < usual;
    return limit;
  }

  /** Reports whether a member answers, and could still be served from the log. */
  #waitsFor({ neededIndex, ticksSinceContact }: PeerProgress): boolean {
    const { raft, config } = this.#context;
    return neededIndex >= raft.firstIndex && ticksSinceContact < GONE_AFTER_TIMEOUTS * config.electionTicks;
  }

  #lost(peer: NodeId, index: number, bytes: number): void {
    this.#context.events.emit("entriesDropped", { peer, index, bytes });
  }
}
