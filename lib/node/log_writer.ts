/**
 * The node's use of its storage: writes in order, and the rules for a disk that
 * fails or hangs.
 */

import { RaftError, StorageError } from "../errors.ts";
import type { Entry, EntryRead, PersistBatch, SnapshotMeta } from "../raft/types.ts";
import type { Applier } from "./applier.ts";
import type { NodeContext } from "./context.ts";
import { asStorageError, stopForStorage } from "./errors.ts";
import type { Messenger } from "./messenger.ts";
import type { Proposals } from "./proposals.ts";
import { WriteQueue } from "./write_queue.ts";
import type { SnapshotJob, SnapshotOutcome } from "./write_queue.ts";

/** The parts of a node that the end of a write concerns. */
export interface LogWriterParts {
  readonly applier: Pick<Applier, "restoreDurable">;
  readonly messenger: Pick<Messenger, "sentIndex">;
  readonly proposals: Pick<Proposals, "endAll">;
}

/** Writes the log of a node, and reads it. */
export class LogWriter {
  readonly #context: NodeContext;
  readonly #parts: LogWriterParts;
  readonly #queue: WriteQueue;
  #error: Error | null = null;

  /** @param sequence that of the last batch written before */
  constructor(context: NodeContext, sequence: number, parts: LogWriterParts) {
    this.#context = context;
    this.#parts = parts;
    this.#queue = new WriteQueue(context.storage, () => context.config.host.clock.monotonicMs(), sequence, {
      persisted: (batch, durationMs) => context.guard(() => this.#persisted(batch, durationMs)),
      failed: (batch, error) => context.guard(() => this.#failed(batch, error)),
      idle: () => context.wake(),
    });
  }

  /** The last failure; `null` once a write has succeeded again. */
  get error(): Error | null {
    return this.#error;
  }

  /** Begins the next write if none is under way: a group commit of everything that arrived meanwhile. */
  writeNext(): void {
    this.#queue.startSnapshot();
    if (!this.#queue.idle) return;
    const batch = this.#context.raft.takePersist();
    if (batch !== null) this.#queue.write(batch);
  }

  /** Handles a failure outside the log, such as compaction. It only costs space, unless the disk is left in doubt. */
  failedBeside(cause: unknown): void {
    this.#context.guard(() => {
      if (cause instanceof StorageError && cause.disk === "in_doubt") this.#stop(cause);
      else this.#report(cause, "ignored");
    });
  }

  /** Queues a local snapshot. */
  writeSnapshot(job: SnapshotJob): void {
    const done = (outcome: SnapshotOutcome) => {
      job.done(outcome);
      if (typeof outcome === "string") return;
      const error = asStorageError(outcome.error);
      if (error.disk === "in_doubt") this.#stop(error);
    };
    this.#queue.addSnapshot({ ...job, done });
    this.#context.wake();
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

  /** Compacts the log behind a snapshot, except for entries that slow followers may still need. */
  compactBehind(snapshot: SnapshotMeta): void {
    const { raft, storage, config } = this.#context;
    const index = snapshot.index - config.trailingEntries;
    if (index < raft.firstIndex) return;
    raft.compact(index);
    storage.compact(index).catch((error) => this.failedBeside(error));
  }

  /** Checks for a write that does not return: it deposes a leader as surely as one that fails (rule 9), and finally stops any node. */
  tick(): void {
    const { raft, config } = this.#context;
    const ticks = this.#queue.tick();
    if (ticks >= config.storageStallTicks) {
      this.#stop(new StorageError("a write to the storage has not returned", { disk: "in_doubt" }));
    } else if (ticks >= config.electionTicks && raft.role === "leader") {
      const error = new StorageError("a write to the storage has not returned yet", { disk: "in_doubt" });
      this.#error = error;
      raft.stepDown(error.message);
      this.#report(error, "steppedDown");
      this.#endProposals(error, Infinity);
    }
  }

  /** Drops the queued snapshots. */
  end(): void {
    this.#queue.end();
  }

  #persisted(batch: PersistBatch, durationMs: number): void {
    const { raft, events } = this.#context;
    raft.persisted(batch);
    this.#error = null;
    if (events.has("metric")) {
      const bytes = batch.entries.reduce((sum, entry) => sum + entry.data.length, 0);
      events.emit("metric", { type: "persist", durationMs, entries: batch.entries.length, bytes });
    }
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
    this.#parts.proposals.endAll(
      (outcome) =>
        new RaftError("storage", `the leader could not write, and gave up leadership: ${cause.message}`, {
          outcome,
          cause,
          hint: outcome === "rejected" ? "Send it to the new leader." : "It may have been carried out, or may be yet.",
        }),
      rejectedAfter,
    );
  }
}
