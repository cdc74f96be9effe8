/**
 * Readers of snapshots, for any medium. They check the checksum of a snapshot that
 * is read from beginning to end.
 */

import { crc32c } from "../lib/crc32c.ts";
import type { StorageError } from "../lib/errors.ts";
import type { SnapshotMeta } from "../lib/raft/types.ts";
import type { SnapshotReader } from "../lib/storage.ts";
import { storageClosed } from "./log_rules.ts";

/** The bytes of one snapshot. */
export interface SnapshotSource {
  /** Reads exactly `length` bytes, which the snapshot has. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void> | void;
  /** Creates the error of bytes that are not as they were written. */
  damaged(reason: string): StorageError;
}

/** The readers of one storage that are open. */
export class SnapshotReaders<S extends SnapshotSource = SnapshotSource> {
  readonly #readers = new Map<S, SnapshotReader>();

  /** The snapshots that are being read, once for each reader. */
  get sources(): S[] {
    return [...this.#readers.keys()];
  }

  open(meta: SnapshotMeta, source: S): SnapshotReader {
    const reader = new CheckingReader(meta, source, () => this.#readers.delete(source));
    this.#readers.set(source, reader);
    return reader;
  }

  async close(): Promise<void> {
    for (const reader of [...this.#readers.values()]) await reader.close().catch(() => {});
  }
}

class CheckingReader implements SnapshotReader {
  readonly meta: SnapshotMeta;
  readonly #source: SnapshotSource;
  readonly #onClose: () => void;
  #closed = false;
  /** The bytes read in sequence so far, and their checksum. */
  #checked = 0;
  #checksum = 0;

  constructor(meta: SnapshotMeta, source: SnapshotSource, onClose: () => void) {
    this.meta = meta;
    this.#source = source;
    this.#onClose = onClose;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (this.#closed) throw storageClosed();
    const wanted = Math.min(length, this.meta.size - offset);
    if (wanted <= 0) return new Uint8Array();
    const bytes = await this.#source.read(offset, wanted);
    if (offset !== this.#checked) return bytes;
    this.#checksum = crc32c(bytes, this.#checksum);
    this.#checked += bytes.length;
    if (this.#checked === this.meta.size && this.#checksum !== this.meta.checksum) {
      throw this.#source.damaged("the snapshot's bytes have a wrong checksum");
    }
    return bytes;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
    await this.#source.close();
  }
}
