/**
 * Collects the chunks of a snapshot from the leader (§7), and stages it once it is
 * complete. Two snapshots are never mixed: equal index and term do not mean equal
 * bytes.
 */

import type { Raft } from "../raft/mod.ts";
import type { InstallSnapshot, NodeId, SnapshotMeta } from "../raft/types.ts";
import type { SnapshotWriter } from "../storage.ts";
import type { Applier } from "./applier.ts";
import type { NodeContext } from "./context.ts";
import type { LogWriter } from "./log_writer.ts";

/** The parts of a node that receiving a snapshot concerns. */
export interface ReceiverParts {
  readonly applier: Pick<Applier, "expectRestore">;
  readonly logWriter: Pick<LogWriter, "failedBeside">;
}

/** The part of a node's context that receiving a snapshot needs. */
export type ReceiverContext = Pick<NodeContext, "storage" | "wake"> & {
  readonly raft: Pick<Raft, "snapshotProgress" | "installSnapshot">;
};

interface Incoming {
  readonly meta: SnapshotMeta;
  /** Chunks that wait to be written, in order. */
  readonly queue: Uint8Array[];
  writer: SnapshotWriter | null;
  /** The next byte wanted, after the queued ones. */
  expected: number;
  /** The sender of the last chunk, and its round: the one to answer. */
  from: NodeId;
  round: number;
  working: boolean;
  /** Set if another snapshot has replaced it, or it failed. */
  dropped: boolean;
}

const MAX_QUEUED = 8;

/** Receives at most one snapshot at a time. A newer one replaces an older one, and a new leader's that of the old leader. */
export class SnapshotReceiver {
  readonly #context: ReceiverContext;
  readonly #parts: ReceiverParts;
  #incoming: Incoming | null = null;
  #stopped = false;

  constructor(context: ReceiverContext, parts: ReceiverParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Takes a chunk from the current leader. */
  received(from: NodeId, message: InstallSnapshot): void {
    if (this.#stopped) return;
    const incoming = this.#incomingFor(from, message);
    if (incoming === null) return;
    incoming.from = from;
    incoming.round = message.round;
    const end = message.offset + message.data.length;
    if (end > incoming.meta.size) return;
    const wanted = message.offset === incoming.expected && (message.data.length > 0 || incoming.meta.size === 0);
    if (!wanted || incoming.queue.length >= MAX_QUEUED) {
      // Repeated, or ahead of a lost chunk: answer with the missing offset.
      this.#answer(incoming, incoming.expected);
      return;
    }
    incoming.expected = end;
    incoming.queue.push(message.data);
    this.#work(incoming);
  }

  /** Stops for good, and drops the snapshot under way. */
  stop(): void {
    this.#stopped = true;
    if (this.#incoming !== null) this.#drop(this.#incoming);
  }

  /** Returns the transfer of a chunk; `null` if the chunk is late. */
  #incomingFor(from: NodeId, { snapshot, offset, round }: InstallSnapshot): Incoming | null {
    const current = this.#incoming;
    if (current?.meta.id === snapshot.id) return current;
    // A late chunk of the same leader. An older snapshot of a new leader continues, since the old leader sends no more of its own.
    if (current !== null && current.from === from && current.meta.index > snapshot.index) return null;
    if (offset !== 0) {
      this.#answer({ from, meta: snapshot, round }, 0);
      return null;
    }
    if (current !== null) this.#drop(current);
    return this.#incoming = {
      meta: snapshot,
      queue: [],
      writer: null,
      expected: 0,
      from,
      round,
      working: false,
      dropped: false,
    };
  }

  #work(incoming: Incoming): void {
    if (incoming.working) return;
    incoming.working = true;
    this.#writeAll(incoming).catch((error) => {
      if (incoming.dropped) return;
      this.#drop(incoming);
      this.#parts.logWriter.failedBeside(error);
      this.#answer(incoming, 0, "failed");
    }).finally(() => {
      incoming.working = false;
      if (incoming.dropped) incoming.writer?.abort().catch(() => {});
      else if (incoming.queue.length > 0) this.#work(incoming);
    });
  }

  /** Writes the queued chunks. After each await the transfer may have been dropped; its writer is aborted once this has ended. */
  async #writeAll(incoming: Incoming): Promise<void> {
    if (incoming.writer === null) {
      incoming.writer = await this.#context.storage.createSnapshot();
      if (incoming.dropped) return;
    }
    const { writer, meta } = incoming;
    for (let chunk = incoming.queue.shift(); chunk !== undefined; chunk = incoming.queue.shift()) {
      await writer.write(chunk);
      if (incoming.dropped) return;
      if (writer.offset < meta.size) this.#answer(incoming, writer.offset);
    }
    if (writer.offset === meta.size) await this.#stage(incoming, writer);
  }

  async #stage(incoming: Incoming, writer: SnapshotWriter): Promise<void> {
    const { meta } = incoming;
    await writer.stage(meta);
    if (incoming.dropped) return;
    this.#incoming = null;
    if (this.#context.raft.installSnapshot(incoming.from, meta, incoming.round)) {
      this.#parts.applier.expectRestore(meta);
    } else {
      incoming.dropped = true;
    }
    this.#context.wake();
  }

  #answer(
    { from, meta, round }: Pick<Incoming, "from" | "meta" | "round">,
    offset: number,
    status: "accepted" | "failed" = "accepted",
  ): void {
    this.#context.raft.snapshotProgress(from, meta.id, offset, status, round);
    this.#context.wake();
  }

  #drop(incoming: Incoming): void {
    incoming.dropped = true;
    incoming.queue.length = 0;
    if (!incoming.working) incoming.writer?.abort().catch(() => {});
    if (this.#incoming === incoming) this.#incoming = null;
  }
}
