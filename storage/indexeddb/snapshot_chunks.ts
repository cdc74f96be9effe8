/// <reference lib="dom" />
/**
 * Snapshots as chunks in the database.
 *
 * A snapshot replaces another in three steps:
 *
 * 1. Its chunks are written under a number of their own, each in a transaction of
 *    its own. A crash leaves chunks that the next start deletes.
 * 2. The batch that puts it in force writes its number and meta with term, vote
 *    and entries. Before, the old snapshot is in force; after, the new one.
 * 3. The old chunks are deleted once no reader is open on them. A crash before
 *    leaves chunks that the next start deletes.
 *
 * Numbers, not the snapshot's id, make up the keys: the id comes from other nodes.
 */

import { promisifyRequest } from "idb-keyval";
import type { StorageError } from "../../lib/errors.ts";
import type { SnapshotMeta } from "../../lib/raft/types.ts";
import type { SnapshotReader, SnapshotWriter } from "../../lib/storage.ts";
import { failure } from "../log_rules.ts";
import { SnapshotReaders, type SnapshotSource } from "../snapshot_reader.ts";
import { type SnapshotMedium, type SnapshotRef, SnapshotWriters } from "../snapshot_writer.ts";
import type { Database } from "./database.ts";
import { damaged } from "./database_errors.ts";
import { chunkBytes, chunkKey } from "./keys.ts";

type ChunkSource = SnapshotSource & { readonly number: number };

/** The snapshots of one database: those being written, staged, or read. */
export class SnapshotChunks {
  readonly #database: Database;
  readonly #inForce: () => Promise<SnapshotRef | null>;
  readonly #writers = new SnapshotWriters<SnapshotRecords>();
  readonly #readers = new SnapshotReaders<ChunkSource>();
  /** The numbers of replaced snapshots, to be deleted when their last reader is closed. */
  readonly #replaced = new Set<number>();
  readonly #deletions = new Set<Promise<void>>();
  #next: number;

  /**
   * @param next a number above those of all chunks
   * @param inForce returns the snapshot in force, once no write is under way that could change it
   */
  constructor(database: Database, next: number, inForce: () => Promise<SnapshotRef | null>) {
    this.#database = database;
    this.#next = next;
    this.#inForce = inForce;
  }

  /** Begins a new snapshot, for {@linkcode Storage.createSnapshot}. */
  async create(): Promise<SnapshotWriter> {
    this.#database.check();
    return await this.#writers.create(() => {
      const number = this.#next++;
      const remove = async (): Promise<void> => {
        // A batch that names it may have been written, although it failed.
        if ((await this.#inForce())?.number !== number) await this.#delete(number);
      };
      return new SnapshotRecords(this.#database, number, remove);
    });
  }

  /** Puts a staged snapshot in force, durably once `write` has resolved, and deletes the one before. */
  async putInForce(
    meta: SnapshotMeta,
    before: SnapshotRef | null,
    write: (ref: SnapshotRef) => Promise<void>,
  ): Promise<void> {
    await this.#writers.commit(meta, async (staged) => {
      const { id, index, term, membership, size, checksum } = staged.meta;
      await write({ number: staged.medium.number, meta: { id, index, term, membership, size, checksum } });
      if (before === null) return;
      this.#replaced.add(before.number);
      this.#deleteReplaced();
    });
  }

  open(ref: SnapshotRef): SnapshotReader {
    return this.#readers.open(ref.meta, chunkSource(this.#database, ref, () => this.#deleteReplaced()));
  }

  async close(): Promise<void> {
    await this.#readers.close();
    await this.#writers.close();
    await Promise.all(this.#deletions);
  }

  #deleteReplaced(): void {
    for (const number of [...this.#replaced]) {
      if (this.#readers.sources.some((source) => source.number === number)) continue;
      this.#replaced.delete(number);
      void this.#delete(number);
    }
  }

  /** Deletes chunks; if that fails, the next start does it. */
  async #delete(number: number): Promise<void> {
    const { store, ranges } = this.#database;
    const deletion = store("readwrite", (store) => void store.delete(ranges.chunks(number))).catch(() => {});
    this.#deletions.add(deletion);
    await deletion;
    this.#deletions.delete(deletion);
  }
}

/** The records of one snapshot: bytes are collected, and written a chunk at a time. */
class SnapshotRecords implements SnapshotMedium {
  readonly number: number;
  readonly #database: Database;
  readonly #remove: () => Promise<void>;
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  #filled = 0;
  #chunks = 0;
  #discarded = false;

  /** @param remove removes the chunks, unless the snapshot is in force by then */
  constructor(database: Database, number: number, remove: () => Promise<void>) {
    this.#database = database;
    this.number = number;
    this.#remove = remove;
  }

  check(): void {
    this.#database.check();
  }

  async write(chunk: Uint8Array): Promise<void> {
    const buffer = this.#buffer ??= new Uint8Array(chunkBytes);
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + chunkBytes - this.#filled);
      buffer.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === chunkBytes) await this.#flush(buffer);
    }
  }

  async stage(): Promise<void> {
    if (this.#buffer !== null && this.#filled > 0) await this.#flush(this.#buffer.slice(0, this.#filled));
    this.#buffer = null;
  }

  open(meta: SnapshotMeta): SnapshotSource {
    return chunkSource(this.#database, { number: this.number, meta }, () => {});
  }

  async discard(): Promise<void> {
    this.#discarded = true;
    this.#buffer = null;
    await this.#remove();
  }

  async #flush(bytes: Uint8Array): Promise<void> {
    if (this.#discarded) throw failure("the snapshot was aborted", "unchanged");
    await this.#database.store("readwrite", (store) => {
      store.put(bytes, chunkKey(this.number, this.#chunks));
      store.transaction.commit();
    });
    this.#chunks++;
    this.#filled = 0;
  }
}

/** The chunks of one snapshot, to be read. */
function chunkSource(database: Database, { number, meta }: SnapshotRef, onClose: () => void): ChunkSource {
  const damage = (reason: string): StorageError => damaged(database.name, `snapshot ${meta.id}`, reason);
  return {
    number,
    read: async (offset, length) => {
      const end = offset + length;
      const first = Math.floor(offset / chunkBytes);
      const last = Math.floor((end - 1) / chunkBytes);
      const chunks = await database.store(
        "readonly",
        (store) => promisifyRequest<unknown[]>(store.getAll(database.ranges.chunks(number, first, last))),
      );
      const bytes = new Uint8Array(length);
      for (let chunk = first; chunk <= last; chunk++) {
        const start = chunk * chunkBytes;
        const found = chunks[chunk - first];
        if (!(found instanceof Uint8Array) || found.length !== Math.min(chunkBytes, meta.size - start)) {
          throw damage(`chunk ${chunk} is missing or cut off`);
        }
        const part = found.subarray(Math.max(0, offset - start), end - start);
        bytes.set(part, Math.max(0, start - offset));
      }
      return bytes;
    },
    close: onClose,
    damaged: damage,
  };
}
