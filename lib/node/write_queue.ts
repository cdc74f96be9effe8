/**
 * Writes to the storage, one at a time, in order and watched by ticks. Requests that
 * arrive meanwhile form the next batch (group commit).
 */

import type { PersistBatch, SnapshotMeta } from "../raft/types.ts";
import type { Storage } from "../storage.ts";

/** A staged local snapshot that shall become the newest one. */
export interface SnapshotJob {
  readonly meta: SnapshotMeta;
  /** Called right before the write: a newer snapshot may have been installed meanwhile. */
  readonly wanted: () => boolean;
  readonly done: (outcome: SnapshotOutcome) => void;
}

/** The end of the write of a local snapshot. */
export type SnapshotOutcome = "durable" | "superseded" | { readonly error: unknown };

/** Receives the end of each batch of the core. */
export interface WriteListener {
  persisted(batch: PersistBatch, durationMs: number): void;
  failed(batch: PersistBatch, error: unknown): void;
  /** Called when the disk is idle, and the core's next batch may be taken. */
  idle(): void;
}

/** Writes batches to the storage. */
export class WriteQueue {
  readonly #storage: Storage;
  readonly #nowMs: () => number;
  readonly #listener: WriteListener;
  readonly #snapshots: SnapshotJob[] = [];
  #busy = false;
  #sequence: number;
  /** The whole ticks that the write under way has taken. */
  #ticks = 0;

  /** @param sequence that of the last batch written before */
  constructor(storage: Storage, nowMs: () => number, sequence: number, listener: WriteListener) {
    this.#storage = storage;
    this.#nowMs = nowMs;
    this.#sequence = sequence;
    this.#listener = listener;
  }

  /** Reports whether no write is under way. */
  get idle(): boolean {
    return !this.#busy;
  }

  /** Counts a tick. Returns the ticks of the write under way; a frozen process has few, so that a long sleep is not a stall. */
  tick(): number {
    return this.#busy ? ++this.#ticks : 0;
  }

  /** Writes a batch of the core; only when idle. */
  write(batch: PersistBatch): void {
    const startedMs = this.#nowMs();
    this.#run(
      batch,
      () => this.#listener.persisted(batch, this.#nowMs() - startedMs),
      (error) => this.#listener.failed(batch, error),
    );
  }

  /** Queues a local snapshot, in order with the batches. */
  addSnapshot(job: SnapshotJob): void {
    this.#snapshots.push(job);
  }

  /** Drops queued local snapshots. */
  end(): void {
    for (const job of this.#snapshots.splice(0)) job.done("superseded");
  }

  /** Writes the next local snapshot, if there is one and the disk is idle. */
  startSnapshot(): void {
    while (!this.#busy) {
      const job = this.#snapshots.shift();
      if (job === undefined) return;
      if (!job.wanted()) {
        job.done("superseded");
        continue;
      }
      this.#run(
        { sequence: 0, hardState: null, snapshot: job.meta, entries: [] },
        () => job.done("durable"),
        (error) => job.done({ error }),
      );
    }
  }

  #run(batch: PersistBatch, done: () => void, failed: (error: unknown) => void): void {
    this.#busy = true;
    this.#ticks = 0;
    const ended = (report: () => void) => {
      this.#busy = false;
      report();
      this.#listener.idle();
    };
    // The storage counts all writes, the core only its own batches.
    persist(this.#storage, { ...batch, sequence: ++this.#sequence }).then(
      () => ended(done),
      (error) => ended(() => failed(error)),
    );
  }
}

/** Persists a batch; a synchronous throw becomes a rejection too. */
async function persist(storage: Storage, batch: PersistBatch): Promise<void> {
  await storage.persist(batch);
}
