/**
 * The node's use of its storage: writes, one at a time and in order, and the rules for
 * a disk that fails or hangs. Requests that arrive during a write form the next batch
 * (group commit).
 */

import { StorageError } from "../errors.ts";
import type { Entry, EntryRead, NodeId, PersistBatch, SnapshotMeta } from "../raft/types.ts";
import type { Applier } from "./applier.ts";
import type { NodeContext } from "./context.ts";
import { asStorageError, leadershipEnded, stopForStorage, superseded } from "./errors.ts";
import { LogRetention } from "./log_retention.ts";
import type { Messenger } from "./messenger.ts";
import type { Proposals } from "./proposals.ts";

/** The parts of a node that the end of a write concerns. */
export interface LogWriterParts {
  readonly applier: Pick<Applier, "restoreDurable" | "sizes">;
  readonly messenger: Pick<Messenger, "sentIndex">;
  readonly proposals: Pick<Proposals, "endAll">;
}

/** A staged local snapshot that shall become the newest one. */
interface SnapshotJob {
  readonly meta: SnapshotMeta;
  readonly wanted: () => boolean;
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

/** Writes the log of a node, and reads it. */
export class LogWriter {
  readonly #context: NodeContext;
  readonly #parts: LogWriterParts;
  readonly #retention: LogRetention;
  readonly #snapshots: SnapshotJob[] = [];
  #sequence: number;
  #busy = false;
  /** The whole ticks that the write under way has taken; a frozen process has few, so that a long sleep is not a stall. */
  #ticks = 0;
  #error: Error | null = null;

  /** @param sequence that of the last batch written before */
  constructor(context: NodeContext, sequence: number, parts: LogWriterParts) {
    this.#context = context;
    this.#sequence = sequence;
    this.#parts = parts;
    this.#retention = new LogRetention(context, parts.applier.sizes);
  }

  /** The last failure; `null` once a write has succeeded again. */
  get error(): Error | null {
    return this.#error;
  }

  /** The bytes of entries that are kept for receivers of snapshots. */
  get retainedBytes(): number {
    return this.#retention.retainedBytes;
  }

  /** The whole ticks that the write under way has taken; 0 without one. */
  get pendingTicks(): number {
    return this.#ticks;
  }

  /** Begins the next write if none is under way: a local snapshot, or a batch of everything that arrived meanwhile. */
  writeNext(): void {
    while (!this.#busy && this.#snapshots.length > 0) this.#writeSnapshot(this.#snapshots.shift()!);
    if (this.#busy) return;
    const { raft, config: { host: { clock } } } = this.#context;
    const batch = raft.takePersist();
    if (batch === null) return;
    const startedMs = clock.monotonicMs();
    this.#write(
      batch,
      () => this.#context.guard(() => this.#persisted(batch, clock.monotonicMs() - startedMs)),
      (cause) => this.#context.guard(() => this.#failed(batch, cause)),
    );
  }

  /** Handles a failure outside the log, such as compaction. It only costs space, unless the disk is left in doubt. */
  failedBeside(cause: unknown): void {
    this.#context.guard(() => {
      if (cause instanceof StorageError && cause.disk === "in_doubt") this.#stop(cause);
      else this.#report(cause, "ignored");
    });
  }

  /**
   * Makes a staged local snapshot the newest one, in order with the batches.
   *
   * @param wanted called right before the write: a newer snapshot may have been installed meanwhile
   */
  addSnapshot(meta: SnapshotMeta, wanted: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#snapshots.push({ meta, wanted, resolve, reject });
    this.#context.wake();
    return promise;
  }

  /** Reads entries that a peer needs. */
  read(read: EntryRead): void {
    const { raft, storage } = this.#context;
    const answer = (entries: readonly Entry[]) => {
      this.#context.guard(() => raft.entriesRead(read, entries));
      this.#context.wake();
    };
    storage.entries(read.from, read.to, read.maxBytes).then(answer, (error) => {
      // Entries that were compacted away meanwhile are not a failure.
      if (raft.firstIndex <= read.from) this.failedBeside(error);
      answer([]);
    });
  }

  /** Keeps the entries that a member needs after the snapshot that it is about to be sent. */
  keepFor(receiver: NodeId): void {
    if (this.#context.config.maxRetainedBytes > 0) this.#retention.add(receiver);
  }

  /** Compacts the log behind a snapshot, except for entries that others may still need. */
  compactBehind(snapshot: SnapshotMeta): void {
    const { raft } = this.#context;
    const index = this.#retention.limit(snapshot);
    if (index < raft.firstIndex) return;
    raft.compact(index);
    this.#parts.applier.sizes.dropBefore(index);
    this.#compactStorage(index);
  }

  /** Compacts what an earlier process kept on the disk for members: the core begins at the snapshot, and serves none of it. */
  start(): void {
    const { raft, config } = this.#context;
    if (raft.snapshot !== null && config.maxRetainedBytes > 0) {
      this.#compactStorage(raft.snapshot.index - config.trailingEntries);
    }
  }

  #compactStorage(index: number): void {
    this.#context.storage.compact(index).catch((error) => this.failedBeside(error));
  }

  /** Checks for a write that does not return: it deposes a leader as surely as one that fails (rule 9), and finally stops any node. */
  tick(): void {
    const { raft, config } = this.#context;
    // A receiver may have caught up by now, or be gone.
    if (this.#retention.retains && raft.snapshot !== null) this.compactBehind(raft.snapshot);
    if (this.#busy) this.#ticks++;
    if (this.#ticks >= config.storageStallTicks) {
      this.#stop(new StorageError("a write to the storage has not returned", { disk: "in_doubt" }));
    } else if (this.#ticks >= config.electionTicks && raft.role === "leader") {
      const error = new StorageError("a write to the storage has not returned yet", { disk: "in_doubt" });
      this.#error = error;
      raft.stepDown(error.message);
      this.#report(error, "steppedDown");
      this.#endProposals(error, Infinity);
    }
  }

  /** Drops the queued snapshots. */
  end(): void {
    for (const { reject } of this.#snapshots.splice(0)) reject(superseded());
  }

  #writeSnapshot({ meta, wanted, resolve, reject }: SnapshotJob): void {
    if (!wanted()) return reject(superseded());
    this.#write({ sequence: 0, hardState: null, snapshot: meta, entries: [] }, resolve, (cause) => {
      reject(cause);
      const error = asStorageError(cause);
      if (error.disk === "in_doubt") this.#stop(error);
    });
  }

  #write(batch: PersistBatch, done: () => void, failed: (cause: unknown) => void): void {
    const { storage } = this.#context;
    this.#busy = true;
    const ended = (report: () => void): void => {
      this.#busy = false;
      this.#ticks = 0;
      report();
      this.#context.wake();
    };
    // The storage counts all writes, the core only its own batches.
    const sequence = ++this.#sequence;
    // An async function, so that a synchronous throw becomes a rejection too.
    const persist = async (): Promise<void> => await storage.persist({ ...batch, sequence });
    persist().then(() => ended(done), (cause) => ended(() => failed(cause)));
  }

  #persisted(batch: PersistBatch, durationMs: number): void {
    const { raft, events } = this.#context;
    raft.persisted(batch);
    this.#error = null;
    const bytes = batch.entries.reduce((sum, entry) => sum + entry.data.length, 0);
    events.emit("metric", { type: "persist", durationMs, entries: batch.entries.length, bytes });
    if (batch.snapshot === null) return;
    this.compactBehind(batch.snapshot);
    this.#parts.applier.restoreDurable(batch.snapshot);
  }

  /**
   * Handles a failed batch. A leader whose disk is unchanged gives up leadership and
   * continues. Any other node stops: a follower can no longer promise anything, and only
   * a restart shows the contents of a disk in doubt.
   */
  #failed(batch: PersistBatch, cause: unknown): void {
    const { raft } = this.#context;
    const error = asStorageError(cause);
    this.#error = error;
    const led = raft.role === "leader";
    const goesOn = error.disk === "unchanged" && raft.persistFailed(batch);
    if (!goesOn) {
      this.#stop(error);
      return;
    }
    this.#report(error, led ? "steppedDown" : "ignored");
    // Commands that were never sent and are not on disk have no effect.
    if (led) this.#endProposals(error, Math.max(raft.durableIndex, this.#parts.messenger.sentIndex));
  }

  #stop(error: StorageError): void {
    this.#error = error;
    stopForStorage(this.#context, error);
  }

  /** Reports a failure to observers. */
  #report(cause: unknown, consequence: "steppedDown" | "ignored"): void {
    this.#context.events.emit("storageError", { error: asStorageError(cause), consequence });
  }

  #endProposals(cause: StorageError, rejectedAfter: number): void {
    const message = `the leader could not write, and gave up leadership: ${cause.message}`;
    this.#parts.proposals.endAll((outcome) => leadershipEnded("storage", message, outcome, cause), rejectedAfter);
  }
}
