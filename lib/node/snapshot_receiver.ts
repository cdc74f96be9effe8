/**
 * Collects the chunks of a snapshot from the leader (§7), and stages it once it is
 * complete. Two snapshots are never mixed: equal index and term do not mean equal
 * bytes. The state machine restores it before it is put in force.
 */

import type { Raft } from "../raft/mod.ts";
import type { InstallSnapshot, NodeId, SnapshotMeta } from "../raft/types.ts";
import type { SnapshotWriter } from "../storage.ts";
import type { Applier } from "./applier.ts";
import type { NodeContext } from "./context.ts";
import { GONE_AFTER_TIMEOUTS } from "./log_retention.ts";
import type { LogWriter } from "./log_writer.ts";
import type { Messenger } from "./messenger.ts";
import type { SnapshotTaker } from "./snapshot_taker.ts";
import { UnreadableSnapshot } from "./staged_restore.ts";

/** The parts of a node that receiving a snapshot concerns. */
export interface ReceiverParts {
  readonly applier: Pick<Applier, "restore">;
  readonly logWriter: Pick<LogWriter, "failedBeside">;
  readonly messenger: Pick<Messenger, "refused">;
  readonly taker: Pick<SnapshotTaker, "supersede">;
}

/** The part of a node's context that receiving a snapshot needs. */
export type ReceiverContext = Pick<NodeContext, "storage" | "wake"> & {
  readonly raft: Pick<Raft, "snapshotProgress" | "installSnapshot" | "commitIndex">;
  readonly config: Pick<NodeContext["config"], "electionTicks">;
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
  /** Ticks since the last chunk. */
  silentTicks: number;
  working: boolean;
  /** Set once a chunk has arrived: that of an empty snapshot has no bytes. */
  begun: boolean;
  /** Set while the state machine restores it: no other snapshot replaces it then. */
  restoring: boolean;
  /** Set if another snapshot has replaced it, or it failed. */
  dropped: boolean;
}

const MAX_QUEUED = 8;
/** How often a snapshot that can't be restored is refused at once, before its bytes are taken again: the state machine may be able to by then. */
const REFUSALS = 16;

/** Receives at most one snapshot at a time. A newer one replaces an older one, and a new leader's that of the old leader. */
export class SnapshotReceiver {
  readonly #context: ReceiverContext;
  readonly #parts: ReceiverParts;
  #incoming: Incoming | null = null;
  /** The last snapshot that the state machine could not restore. */
  #unreadable: { readonly meta: SnapshotMeta; refusals: number } | null = null;
  #stopped = false;

  constructor(context: ReceiverContext, parts: ReceiverParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Reports whether a snapshot is arriving. */
  get isReceiving(): boolean {
    return this.#incoming !== null;
  }

  /** Counts a tick: drops a snapshot that is no longer sent, or that the log has overtaken; one that is restored ends by itself. */
  tick(): void {
    const incoming = this.#incoming;
    if (incoming === null || incoming.restoring) return;
    const { raft, config } = this.#context;
    const abandoned = ++incoming.silentTicks > GONE_AFTER_TIMEOUTS * config.electionTicks;
    if (abandoned || incoming.meta.index <= raft.commitIndex) this.#drop(incoming);
  }

  /** Takes a chunk from the current leader. */
  received(from: NodeId, message: InstallSnapshot): void {
    if (this.#stopped) return;
    const incoming = this.#incomingFor(from, message);
    if (incoming === null) return;
    incoming.from = from;
    incoming.round = message.round;
    incoming.silentTicks = 0;
    const end = message.offset + message.data.length;
    if (end > incoming.meta.size) return;
    const wanted = message.offset === incoming.expected && (message.data.length > 0 || !incoming.begun);
    incoming.begun = true;
    if (!wanted || incoming.queue.length >= MAX_QUEUED) {
      // Repeated, or ahead of a lost chunk: answer with the missing offset.
      this.#answer(incoming, incoming.expected);
      return;
    }
    incoming.expected = end;
    incoming.queue.push(message.data);
    this.#work(incoming);
  }

  /** Reports whether the state machine could not restore this snapshot, and takes its bytes again only after some time. */
  #isUnreadable(snapshot: SnapshotMeta): boolean {
    const unreadable = this.#unreadable;
    return unreadable !== null && isSame(unreadable.meta, snapshot) && unreadable.refusals-- > 0;
  }

  /** Stops for good, and drops the snapshot under way. */
  stop(): void {
    this.#stopped = true;
    if (this.#incoming !== null) this.#drop(this.#incoming);
  }

  /** Returns the transfer of a chunk; `null` if the chunk is late. */
  #incomingFor(from: NodeId, { snapshot, offset, round }: InstallSnapshot): Incoming | null {
    const current = this.#incoming;
    if (current !== null && isSame(current.meta, snapshot)) return current;
    // A late chunk of the same leader. An older snapshot of a new leader continues, since the old leader sends no more of its own.
    if (current !== null && current.from === from && current.meta.index > snapshot.index) return null;
    if (current?.restoring) return null;
    if (offset !== 0) {
      this.#answer({ from, meta: snapshot, round }, 0);
      return null;
    }
    if (this.#isUnreadable(snapshot)) {
      this.#answer({ from, meta: snapshot, round }, 0, "failed");
      return null;
    }
    if (current !== null) this.#drop(current);
    this.#parts.taker.supersede();
    return this.#incoming = {
      meta: snapshot,
      queue: [],
      writer: null,
      expected: 0,
      from,
      round,
      silentTicks: 0,
      working: false,
      begun: false,
      restoring: false,
      dropped: false,
    };
  }

  #work(incoming: Incoming): void {
    if (incoming.working) return;
    incoming.working = true;
    this.#writeAll(incoming).catch((error) => {
      if (!incoming.dropped) this.#failed(incoming, error);
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
    if (writer.checksum !== meta.checksum) throw new UnreadableSnapshot("its bytes have a wrong checksum");
    await writer.stage(meta);
    if (incoming.dropped) return;
    incoming.restoring = true;
    const outcome = await this.#parts.applier.restore({
      meta,
      open: () => writer.open(),
      install: () => !incoming.dropped && this.#install(incoming),
    });
    if (incoming.dropped) return;
    if ("error" in outcome) throw outcome.error;
    if (!outcome.installed) this.#drop(incoming);
  }

  /** Puts a restored snapshot in force. From then on its bytes belong to the core's next batch. */
  #install(incoming: Incoming): boolean {
    const installed = this.#context.raft.installSnapshot(incoming.from, incoming.meta, incoming.round);
    if (installed) this.#incoming = null;
    this.#context.wake();
    return installed;
  }

  /** Answers that a snapshot could not be stored or restored: the leader sends it again, or a newer one. */
  #failed(incoming: Incoming, error: unknown): void {
    this.#drop(incoming);
    const { from, meta } = incoming;
    if (error instanceof UnreadableSnapshot) {
      // Bytes that were changed on their way, or by another sender, arrive well the next time.
      if (incoming.restoring) this.#unreadable = { meta, refusals: REFUSALS };
      const reason = `its snapshot at index ${meta.index} can't be restored: ${error.message}`;
      this.#parts.messenger.refused(from, { kind: "snapshot", reason });
    } else {
      this.#parts.logWriter.failedBeside(error);
    }
    this.#answer(incoming, 0, "failed");
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
    // At once, also while a call of the writer is under way or hangs.
    incoming.writer?.abort().catch(() => {});
    if (this.#incoming === incoming) this.#incoming = null;
  }
}

/** Reports whether two chunks belong to one snapshot. Its id alone could be that of a chunk with another size, which would never be complete. */
function isSame(a: SnapshotMeta, b: SnapshotMeta): boolean {
  return a.id === b.id && a.index === b.index && a.term === b.term && a.size === b.size && a.checksum === b.checksum;
}
