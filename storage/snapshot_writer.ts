/**
 * Writers of snapshots, for any medium. They allow one call at a time, nothing after
 * a failure, and `stage` or `abort` at the end.
 */

import { crc32c } from "../lib/crc32c.ts";
import type { SnapshotMeta } from "../lib/raft/types.ts";
import type { SnapshotReader, SnapshotWriter } from "../lib/storage.ts";
import { checkWritten, failure } from "./log_rules.ts";
import { SnapshotReaders } from "./snapshot_reader.ts";
import type { SnapshotSource } from "./snapshot_reader.ts";

/** The place of one snapshot's bytes. */
export interface SnapshotMedium {
  /** @throws {StorageError} if nothing may be written any longer */
  check(): void;
  /** Prepares the place for bytes. */
  begin?(): Promise<void>;
  /** Appends bytes at `offset`, the end of the last chunk. */
  write(chunk: Uint8Array, offset: number): Promise<void> | void;
  /** Makes all bytes durable, without putting the snapshot in force. */
  stage(meta: SnapshotMeta): Promise<void> | void;
  /** Opens the staged bytes. */
  open(meta: SnapshotMeta): Promise<SnapshotSource> | SnapshotSource;
  /** Removes the bytes, without waiting for a call that is still under way. */
  discard(staged: boolean): Promise<void> | void;
}

/** A snapshot, and its number on the medium. */
export interface SnapshotRef {
  readonly number: number;
  readonly meta: SnapshotMeta;
}

/** A snapshot that was staged and is not in force yet. */
export interface StagedSnapshot<M extends SnapshotMedium> {
  readonly medium: M;
  readonly meta: SnapshotMeta;
}

/**
 * The snapshot of one storage that is being written or is staged: at most one beside
 * the one in force, because each is as large as the whole state.
 */
export class SnapshotWriters<M extends SnapshotMedium> {
  #current: StagingWriter<M> | null = null;
  /** Counts calls of `create`, of which the last one counts. */
  #turn = 0;

  /** Returns a writer to a new medium. The one before is aborted, or waited for if a batch is putting it in force. */
  async create(make: () => M): Promise<SnapshotWriter> {
    const turn = ++this.#turn;
    await this.#current?.giveWay();
    if (turn !== this.#turn) throw failure("another snapshot is being written instead", "unchanged");
    const writer = this.#current = new StagingWriter(make());
    await writer.begin();
    return writer;
  }

  /**
   * Puts the snapshot in force that was staged under the id of `meta`: it is, once
   * `write` has resolved. Until then nothing aborts it.
   *
   * @throws {StorageError} `storage`, if there is none; and whatever `write` throws
   */
  async commit(meta: SnapshotMeta, write: (staged: StagedSnapshot<M>) => Promise<void>): Promise<void> {
    const writer = this.#current;
    if (writer?.meta?.id !== meta.id) throw failure(`snapshot ${meta.id} is not staged`, "unchanged");
    await writer.commit(() => write({ medium: writer.medium, meta: writer.meta! }));
  }

  /** Discards what is not in force. */
  async close(): Promise<void> {
    this.#turn++;
    await this.#current?.abort();
  }
}

/** The writer of one snapshot. */
class StagingWriter<M extends SnapshotMedium> implements SnapshotWriter {
  readonly medium: M;
  offset = 0;
  checksum = 0;
  #meta: SnapshotMeta | null = null;
  #state: "open" | "busy" | "failed" | "staged" | "ended" = "open";
  /** The batch that puts it in force. */
  #commit: Promise<void> | null = null;

  constructor(medium: M) {
    this.medium = medium;
  }

  /** The meta that is staged. */
  get meta(): SnapshotMeta | null {
    return this.#state === "staged" ? this.#meta : null;
  }

  async begin(): Promise<void> {
    await this.#work("open", async () => await this.medium.begin?.());
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#work("open", async () => {
      await this.medium.write(chunk, this.offset);
      this.offset += chunk.length;
      this.checksum = crc32c(chunk, this.checksum);
    });
  }

  async stage(meta: SnapshotMeta): Promise<void> {
    await this.#work("staged", async () => {
      checkWritten(meta, this.offset, this.checksum);
      await this.medium.stage(meta);
      this.#meta = meta;
    });
  }

  async open(): Promise<SnapshotReader> {
    const { meta } = this;
    if (meta === null) throw failure("the snapshot is not staged", "unchanged");
    this.medium.check();
    return new SnapshotReaders().open(meta, await this.medium.open(meta));
  }

  /** Does nothing while a batch is putting it in force, or has done so. */
  async abort(): Promise<void> {
    if (this.#state === "ended" || this.#commit !== null) return;
    const staged = this.#state === "staged";
    this.#state = "ended";
    await this.medium.discard(staged);
  }

  /** Aborts it, unless a batch is putting it in force: then it waits for the end of the batch. */
  async giveWay(): Promise<void> {
    await this.#commit?.catch(() => {});
    await this.abort();
  }

  /** Ends the writer once `write` has resolved, and leaves the bytes where they are. */
  async commit(write: () => Promise<void>): Promise<void> {
    this.#commit = write();
    try {
      await this.#commit;
      this.#state = "ended";
    } finally {
      this.#commit = null;
    }
  }

  async #work(next: "open" | "staged", work: () => Promise<void>): Promise<void> {
    if (this.#state === "busy") throw failure("another call of this snapshot's writer is under way", "unchanged");
    if (this.#state === "failed") throw failure("an earlier write of the snapshot failed", "unchanged");
    if (this.#state !== "open") throw failure("the snapshot was already staged or aborted", "unchanged");
    this.medium.check();
    this.#state = "busy";
    try {
      await work();
    } catch (error) {
      if (this.#isBusy()) this.#state = "failed";
      throw error;
    }
    if (!this.#isBusy()) throw failure("the snapshot was aborted", "unchanged");
    this.#state = next;
  }

  /** Reports whether it was not aborted meanwhile. */
  #isBusy(): boolean {
    return this.#state === "busy";
  }
}
