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
  /** Appends bytes at `offset`, the end of the last chunk. */
  write(chunk: Uint8Array, offset: number): Promise<void> | void;
  /** Makes all bytes durable, without putting the snapshot in force. */
  stage(meta: SnapshotMeta): Promise<void> | void;
  /** Opens the staged bytes. */
  open(meta: SnapshotMeta): Promise<SnapshotSource> | SnapshotSource;
  /** Removes the bytes. A write may still be under way. */
  discard(staged: boolean): Promise<void> | void;
}

/** A snapshot, and its number on the medium. */
export interface SnapshotRef {
  readonly number: number;
  readonly meta: SnapshotMeta;
}

/** The snapshots of one storage that are being written or are staged. */
export class SnapshotWriters<M extends SnapshotMedium> {
  readonly #writers = new Set<StagingWriter<M>>();

  /** Returns a writer to a new medium. */
  create(medium: M): SnapshotWriter {
    const writer: StagingWriter<M> = new StagingWriter(medium, () => this.#writers.delete(writer));
    this.#writers.add(writer);
    return writer;
  }

  /**
   * Returns the snapshot that was staged under the id of `meta`, the newest if there are several.
   *
   * @throws {StorageError} `storage`, if there is none
   */
  staged({ id }: SnapshotMeta): { readonly medium: M; readonly meta: SnapshotMeta } {
    const writer = this.#find(id);
    if (!writer?.meta) throw failure(`snapshot ${id} is not staged`, "unchanged");
    return { medium: writer.medium, meta: writer.meta };
  }

  /** Notes that a staged snapshot is in force: there is nothing left to abort. */
  inForce({ id }: SnapshotMeta): void {
    this.#find(id)?.release();
  }

  /** Discards everything that is not in force. */
  async close(): Promise<void> {
    for (const writer of [...this.#writers]) await writer.abort();
  }

  #find(id: string): StagingWriter<M> | undefined {
    return [...this.#writers].findLast(({ meta }) => meta?.id === id);
  }
}

/** The writer of one snapshot. */
class StagingWriter<M extends SnapshotMedium> implements SnapshotWriter {
  readonly medium: M;
  offset = 0;
  checksum = 0;
  /** The meta that was staged. */
  meta: SnapshotMeta | null = null;
  readonly #onEnd: () => void;
  #state: "open" | "busy" | "failed" | "staged" | "ended" = "open";

  constructor(medium: M, onEnd: () => void) {
    this.medium = medium;
    this.#onEnd = onEnd;
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
      this.meta = meta;
    });
  }

  async open(): Promise<SnapshotReader> {
    if (this.#state !== "staged" || this.meta === null) throw failure("the snapshot is not staged", "unchanged");
    this.medium.check();
    return new SnapshotReaders().open(this.meta, await this.medium.open(this.meta));
  }

  async abort(): Promise<void> {
    if (this.#state === "ended") return;
    const staged = this.#state === "staged";
    this.release();
    await this.medium.discard(staged);
  }

  /** Ends the writer, and leaves the bytes where they are. */
  release(): void {
    this.#state = "ended";
    this.#onEnd();
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
