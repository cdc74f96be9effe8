/// <reference lib="dom" />
/**
 * Snapshots as chunks.
 *
 * How one takes the place of another:
 *
 * 1. Its chunks are written under a number of their own, each in a transaction of
 *    its own. A crash leaves chunks that the next start deletes.
 * 2. The batch that puts it in force writes its number and meta with term, vote
 *    and entries. Before, the old snapshot is in force; after, the new one.
 * 3. The old chunks are deleted once nobody reads them any more. A crash before
 *    leaves chunks that the next start deletes.
 *
 * Numbers, not the snapshot's id, make up the keys: the id comes from other nodes.
 *
 * @module
 */

import { promisifyRequest } from "idb-keyval";
import { crc32c } from "../../lib/crc32c.ts";
import type { SnapshotMeta } from "../../lib/raft/types.ts";
import type { SnapshotReader, SnapshotWriter } from "../../lib/storage.ts";
import { checkWritten, closedError, failure } from "../log_rules.ts";
import type { Database } from "./database.ts";
import { damaged } from "./database_errors.ts";
import { chunkBytes, chunkKey, chunkRange } from "./keys.ts";
import type { SnapshotRef } from "./log_shape.ts";

/** The snapshots of one database: those being written, those staged, and those that are read. */
export class SnapshotChunks {
  readonly #database: Database;
  readonly #inForce: () => Promise<SnapshotRef | null>;
  readonly #staged = new Map<string, ChunkWriter>();
  readonly #writers = new Set<ChunkWriter>();
  readonly #readers = new Set<ChunkReader>();
  /** Replaced, and to be deleted with their last reader. */
  readonly #replaced = new Set<number>();
  readonly #deletions = new Set<Promise<void>>();
  #next: number;

  /**
   * @param next no chunk has this number or a higher one
   * @param inForce the snapshot in force, once no write is under way that could change it
   */
  constructor(database: Database, next: number, inForce: () => Promise<SnapshotRef | null>) {
    this.#database = database;
    this.#next = next;
    this.#inForce = inForce;
  }

  /** See {@linkcode Storage.createSnapshot}. */
  create(): SnapshotWriter {
    this.#database.check();
    const writer: ChunkWriter = new ChunkWriter(this.#database, this.#next++, {
      staged: (id) => this.#staged.set(id, writer),
      aborted: async () => {
        this.#writers.delete(writer);
        if (writer.meta !== null && this.#staged.get(writer.meta.id) === writer) this.#staged.delete(writer.meta.id);
        // A batch that names it may be under way, or have been written.
        if ((await this.#inForce())?.number !== writer.number) await this.#delete(writer.number);
      },
    });
    this.#writers.add(writer);
    return writer;
  }

  /** @throws {StorageError} `storage`, if the snapshot was not staged */
  staged(meta: SnapshotMeta): SnapshotRef {
    const writer = this.#staged.get(meta.id);
    if (writer === undefined || writer.meta === null) throw failure(`Snapshot ${meta.id} is not staged.`, "unchanged");
    return { number: writer.number, meta: writer.meta };
  }

  /** Notes that a snapshot is in force, durably, in place of `before`. */
  replaced(ref: SnapshotRef, before: SnapshotRef | null): void {
    const writer = this.#staged.get(ref.meta.id);
    this.#staged.delete(ref.meta.id);
    if (writer !== undefined) {
      this.#writers.delete(writer);
      writer.release();
    }
    if (before === null) return;
    this.#replaced.add(before.number);
    this.#deleteReplaced();
  }

  /** Opens the snapshot in force. */
  open(ref: SnapshotRef): SnapshotReader {
    const reader: ChunkReader = new ChunkReader(this.#database, ref, () => {
      this.#readers.delete(reader);
      this.#deleteReplaced();
    });
    this.#readers.add(reader);
    return reader;
  }

  /** Closes readers, and discards what is not in force. */
  async close(): Promise<void> {
    for (const reader of [...this.#readers]) await reader.close();
    for (const writer of [...this.#writers]) await writer.abort();
    await Promise.all(this.#deletions);
  }

  #deleteReplaced(): void {
    for (const number of [...this.#replaced]) {
      if ([...this.#readers].some((reader) => reader.number === number)) continue;
      this.#replaced.delete(number);
      void this.#delete(number);
    }
  }

  /** What can't be deleted now is left to the next start. */
  async #delete(number: number): Promise<void> {
    const deletion = this.#database.store("readwrite", (store) => void store.delete(chunkRange(number))).catch(
      () => {},
    );
    this.#deletions.add(deletion);
    await deletion;
    this.#deletions.delete(deletion);
  }
}

/** What a writer tells. */
interface WriterEvents {
  readonly staged: (id: string) => void;
  readonly aborted: () => Promise<void>;
}

/** Collects bytes, and writes them a chunk at a time. */
class ChunkWriter implements SnapshotWriter {
  readonly number: number;
  readonly #database: Database;
  readonly #on: WriterEvents;
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  #filled = 0;
  #chunks = 0;
  #offset = 0;
  #checksum = 0;
  #meta: SnapshotMeta | null = null;
  #state: "open" | "busy" | "failed" | "staged" | "ended" = "open";

  constructor(database: Database, number: number, on: WriterEvents) {
    this.#database = database;
    this.number = number;
    this.#on = on;
  }

  get offset(): number {
    return this.#offset;
  }

  get checksum(): number {
    return this.#checksum;
  }

  /** What was staged. */
  get meta(): SnapshotMeta | null {
    return this.#meta;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#work("open", async () => {
      const buffer = this.#buffer ??= new Uint8Array(chunkBytes);
      for (let at = 0; at < chunk.length;) {
        const part = chunk.subarray(at, at + chunkBytes - this.#filled);
        buffer.set(part, this.#filled);
        this.#filled += part.length;
        at += part.length;
        if (this.#filled === chunkBytes) await this.#flush(buffer);
      }
      this.#offset += chunk.length;
      this.#checksum = crc32c(chunk, this.#checksum);
    });
  }

  async stage(meta: SnapshotMeta): Promise<void> {
    await this.#work("staged", async () => {
      checkWritten(meta, this.#offset, this.#checksum);
      if (this.#buffer !== null && this.#filled > 0) await this.#flush(this.#buffer.slice(0, this.#filled));
      if (!this.#busy()) return;
      this.#buffer = null;
      const { id, index, term, membership, size, checksum } = meta;
      this.#meta = { id, index, term, membership, size, checksum };
      this.#on.staged(id);
    });
  }

  async abort(): Promise<void> {
    if (this.#state === "ended") return;
    this.release();
    await this.#on.aborted();
  }

  /** It is in force now: nothing is left to abort. */
  release(): void {
    this.#state = "ended";
    this.#buffer = null;
  }

  async #flush(bytes: Uint8Array): Promise<void> {
    if (this.#state !== "busy") throw failure("The snapshot was aborted.", "unchanged");
    await this.#database.store("readwrite", (store) => {
      store.put(bytes, chunkKey(this.number, this.#chunks));
      store.transaction.commit();
    });
    this.#chunks++;
    this.#filled = 0;
  }

  async #work(next: "open" | "staged", work: () => Promise<void>): Promise<void> {
    if (this.#state === "busy") throw failure("One call at a time: the snapshot is being written.", "unchanged");
    if (this.#state === "failed") throw failure("An earlier write of the snapshot failed.", "unchanged");
    if (this.#state !== "open") throw failure("The snapshot was staged or aborted before.", "unchanged");
    this.#database.check();
    this.#state = "busy";
    try {
      await work();
    } catch (error) {
      if (this.#busy()) this.#state = "failed";
      throw error;
    }
    if (!this.#busy()) throw failure("The snapshot was aborted.", "unchanged");
    this.#state = next;
  }

  /** Whether nobody has aborted it meanwhile. */
  #busy(): boolean {
    return this.#state === "busy";
  }
}

/** Reads chunks, and checks the checksum of a snapshot that is read from beginning to end. */
class ChunkReader implements SnapshotReader {
  readonly meta: SnapshotMeta;
  readonly number: number;
  readonly #database: Database;
  readonly #onClose: () => void;
  #closed = false;
  /** How far it was read in sequence, and the checksum up to there. */
  #checked = 0;
  #checksum = 0;

  constructor(database: Database, ref: SnapshotRef, onClose: () => void) {
    this.#database = database;
    this.number = ref.number;
    this.meta = ref.meta;
    this.#onClose = onClose;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (this.#closed) throw closedError();
    const end = Math.min(offset + length, this.meta.size);
    if (end <= offset) return new Uint8Array();
    const first = Math.floor(offset / chunkBytes);
    const last = Math.floor((end - 1) / chunkBytes);
    const chunks = await this.#database.store(
      "readonly",
      (store) => promisifyRequest<unknown[]>(store.getAll(chunkRange(this.number, first, last))),
    );
    const bytes = new Uint8Array(end - offset);
    for (let chunk = first; chunk <= last; chunk++) {
      const start = chunk * chunkBytes;
      const found = this.#checkChunk(chunk, chunks[chunk - first]);
      const part = found.subarray(Math.max(0, offset - start), end - start);
      bytes.set(part, Math.max(0, start - offset));
    }
    this.#check(offset, bytes);
    return bytes;
  }

  // deno-lint-ignore require-await -- nothing to wait for
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
  }

  #checkChunk(chunk: number, value: unknown): Uint8Array {
    const size = Math.min(chunkBytes, this.meta.size - chunk * chunkBytes);
    if (value instanceof Uint8Array && value.length === size) return value;
    throw this.#damaged(`chunk ${chunk} is missing or cut off`);
  }

  #check(offset: number, bytes: Uint8Array): void {
    if (offset !== this.#checked) return;
    this.#checksum = crc32c(bytes, this.#checksum);
    this.#checked += bytes.length;
    if (this.#checked === this.meta.size && this.#checksum !== this.meta.checksum) {
      throw this.#damaged("its bytes have a wrong checksum");
    }
  }

  #damaged(reason: string): Error {
    return damaged(this.#database.name, `snapshot ${this.meta.id}`, reason);
  }
}
