/**
 * What the node makes of its storage: writes in order, and the rules of a disk
 * that fails or hangs.
 *
 * @module
 */

import { RaftError, StorageError } from "../errors.ts";
import type { Raft } from "../raft/mod.ts";
import type { Entry, EntryRead, PersistBatch, SnapshotMeta } from "../raft/types.ts";
import type { Storage } from "../storage.ts";
import type { NodeConfig } from "./config.ts";
import type { MakeError } from "./errors.ts";
import type { EventHub } from "./events.ts";
import { Persister } from "./persister.ts";
import type { SnapshotJob, SnapshotOutcome } from "./persister.ts";

/** What the disk needs of the node. */
export interface DiskOptions {
  readonly storage: Storage;
  readonly raft: Raft;
  readonly config: NodeConfig;
  readonly events: EventHub;
  /** Of the last batch that was written before. */
  readonly sequence: number;
  /** The last entry that this leader has sent to anybody. */
  readonly sentIndex: () => number;
  /** A snapshot from the leader is the newest on disk. */
  readonly installed: (meta: SnapshotMeta) => void;
  /** Ends all proposals; those after the index have surely no effect. */
  readonly endProposals: (make: MakeError, rejectedAfter: number) => void;
  readonly stop: (error: RaftError) => void;
  readonly guard: (run: () => void) => void;
  readonly wake: () => void;
}

/** The storage as the loop sees it. */
export class Disk {
  readonly #options: DiskOptions;
  readonly #persister: Persister;
  #error: Error | null = null;

  constructor(options: DiskOptions) {
    const { storage, config, sequence, guard, wake } = options;
    this.#options = options;
    this.#persister = new Persister(storage, () => config.host.clock.monotonicMs(), sequence, {
      persisted: (batch, durationMs) => guard(() => this.#persisted(batch, durationMs)),
      failed: (batch, error) => guard(() => this.#failed(batch, error)),
      idle: wake,
    });
  }

  /** What is wrong; `null` once a write has succeeded again. */
  get error(): Error | null {
    return this.#error;
  }

  /** Begins the next write, if none is under way: group commit of all that came meanwhile. */
  writeNext(): void {
    this.#persister.startSnapshot();
    if (!this.#persister.idle) return;
    const batch = this.#options.raft.takePersist();
    if (batch !== null) this.#persister.write(batch);
  }

  /** Something beside the log failed. Nothing depends on it but space: only a disk in doubt is as bad as for the log. */
  failedBeside(cause: unknown): void {
    this.#options.guard(() => {
      if (cause instanceof StorageError && cause.disk === "in_doubt") this.#stop(cause);
      else this.tell(cause, "ignored");
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
    this.#persister.addSnapshot({ ...job, done });
    this.#options.wake();
  }

  /** Reads entries that a peer needs. */
  read(read: EntryRead): void {
    const { raft, storage, guard, wake } = this.#options;
    const answer = (entries: readonly Entry[]) => {
      guard(() => raft.entriesRead(read, entries));
      wake();
    };
    storage.entries(read.from, read.to, read.maxBytes).then(answer, (error) => {
      // What was compacted away meanwhile is no failure.
      if (raft.firstIndex <= read.from) this.failedBeside(error);
      answer([]);
    });
  }

  /** Forgets what a snapshot covers, but for what slow followers may still need. */
  compactBehind(snapshot: SnapshotMeta): void {
    const { raft, storage, config } = this.#options;
    const index = snapshot.index - config.trailingEntries;
    if (index < raft.firstIndex) return;
    raft.compact(index);
    storage.compact(index).catch((error) => this.failedBeside(error));
  }

  /** A write that never returns deposes a leader as surely as one that fails (rule 9), and stops any node in the end. */
  tick(): void {
    const { raft, config } = this.#options;
    const ticks = this.#persister.tick();
    if (ticks >= config.storageStallTicks) {
      this.#stop(new StorageError("a write to the storage has not returned", { disk: "in_doubt" }));
    } else if (ticks >= config.electionTicks && raft.role === "leader") {
      const error = new StorageError("a write to the storage has not returned yet", { disk: "in_doubt" });
      this.#error = error;
      raft.stepDown(error.message);
      this.tell(error, "steppedDown");
      this.#endProposals(error, Infinity);
    }
  }

  /** Tells observers. */
  tell(cause: unknown, consequence: "steppedDown" | "stopped" | "ignored"): void {
    this.#options.events.emit("storageError", { error: asStorageError(cause), consequence });
  }

  /** Queued snapshots are written no more. */
  end(error: RaftError): void {
    if (error instanceof StorageError) this.#error ??= error;
    this.#persister.end();
  }

  #persisted(batch: PersistBatch, durationMs: number): void {
    const { raft, events, installed } = this.#options;
    raft.persisted(batch);
    this.#error = null;
    if (events.has("metric")) {
      const bytes = batch.entries.reduce((sum, entry) => sum + entry.data.length, 0);
      events.emit("metric", { type: "persist", durationMs, entries: batch.entries.length, bytes });
    }
    if (batch.snapshot === null) return;
    this.compactBehind(batch.snapshot);
    installed(batch.snapshot);
  }

  /**
   * A leader whose disk is known to be unchanged gives up leadership, and goes on.
   * Everybody else stops: a follower can't promise anything any more, and what
   * a disk in doubt holds only a restart can tell.
   */
  #failed(batch: PersistBatch, cause: unknown): void {
    const { raft, sentIndex } = this.#options;
    const error = asStorageError(cause);
    this.#error = error;
    const led = raft.role === "leader";
    const goesOn = error.disk === "unchanged" && raft.persistFailed(batch);
    if (!goesOn) {
      this.#stop(error);
      return;
    }
    this.tell(error, led ? "steppedDown" : "ignored");
    // What was never sent and is not on disk is nowhere.
    if (led) this.#endProposals(error, Math.max(raft.durableIndex, sentIndex()));
  }

  #stop(error: StorageError): void {
    this.#error = error;
    this.tell(error, "stopped");
    this.#options.stop(error);
  }

  #endProposals(cause: StorageError, rejectedAfter: number): void {
    this.#options.endProposals(
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

/** Whatever a storage throws; what says nothing of the disk leaves it in doubt. */
export function asStorageError(cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new StorageError(`the storage failed: ${message}`, { disk: "in_doubt", cause });
}
