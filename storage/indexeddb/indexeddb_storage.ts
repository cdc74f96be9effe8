/// <reference lib="dom" />
/**
 * The storage of a node in a browser: one IndexedDB database (keys.ts) under one
 * Web Lock (web_lock.ts). Every batch is one strict transaction, so it is atomic.
 * Small records stay in memory, and change there only once the transaction that
 * changes them is complete.
 *
 * The identity lives with the data. A browser that evicts a site takes all of it,
 * so a node that starts after that is new, with a new incarnation, and never a voter
 * that has forgotten its vote.
 */

import type { StorageError } from "../../lib/errors.ts";
import type { Entry, PersistBatch } from "../../lib/raft/types.ts";
import type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "../../lib/storage.ts";
import { checkBatch, checkIdentity, checkRange, failure, storageClosed } from "../log_rules.ts";
import type { SnapshotRef } from "../snapshot_writer.ts";
import { Database } from "./database.ts";
import { locked } from "./database_errors.ts";
import { keyOf, placeName } from "./keys.ts";
import { afterBatch, withoutBefore } from "./log_shape.ts";
import type { LogShape } from "./log_shape.ts";
import { decodeEntry, deleteIndexes, putRange, putRecord, readEntryRecords, writeBatch } from "./records.ts";
import { browserPlatform } from "./platform.ts";
import type { DatabasePlatform } from "./platform.ts";
import { recover } from "./recovery.ts";
import { SnapshotChunks } from "./snapshot_chunks.ts";
import { takeLock } from "./web_lock.ts";

/** The node that a database belongs to. */
export interface IndexedDbPlace {
  /** A name that distinguishes clusters of one site. It need not be the cluster's own id, which may not be known yet. */
  readonly clusterId: string;
  /** The node's name; the storage accepts no other identity. */
  readonly nodeId: string;
  /**
   * The time to wait for a tab or worker that still has the node open, in
   * milliseconds. A killed one releases it a moment later. @default 0
   */
  readonly lockWaitMs?: number;
}

/** Options of {@linkcode IndexedDbStorage}. */
export interface IndexedDbStorageOptions extends IndexedDbPlace {
  /**
   * Called once if the database is deleted or closed under the storage. Every later
   * write fails, which stops the node. A node that has nothing to write would notice
   * only much later, so close it here. @default none
   */
  readonly onLost?: (error: StorageError) => void;
}

/** The number of entries that one transaction of a compaction deletes, so that batches don't wait long. */
const compactedAtOnce = 1024;

/** The open parts after `load`. */
interface Opened {
  /** Releases the lock. */
  readonly release: () => Promise<void>;
  readonly database: Database;
  readonly snapshots: SnapshotChunks;
  identity: Identity | null;
  log: LogShape;
  /** Counts removals of entries: a read that one of them interrupts may miss entries. */
  rewrites: number;
}

/** A {@linkcode Storage} in IndexedDB. */
export class IndexedDbStorage implements Storage {
  /** The name of the database, and of the lock. */
  readonly name: string;
  readonly #options: IndexedDbStorageOptions;
  readonly #platform: DatabasePlatform;
  #opened: Opened | null = null;
  #loading: Promise<LoadedState> | null = null;
  #closed: Promise<void> | null = null;
  #persisting = false;
  /** Writes that change the log's shape, one after the other. */
  #writes: Promise<void> = Promise.resolve();

  /** Creates a storage that opens nothing before `load`. */
  constructor(options: IndexedDbStorageOptions, platform: DatabasePlatform = browserPlatform) {
    const { clusterId, nodeId } = options;
    if (clusterId === "" || nodeId === "") throw new RangeError("a storage needs a cluster id and a node id");
    this.#options = options;
    this.#platform = platform;
    this.name = placeName(clusterId, nodeId);
  }

  async load(): Promise<LoadedState> {
    if (this.#closed !== null) throw storageClosed();
    if (this.#opened !== null || this.#loading !== null) throw failure("the storage is already loaded", "unchanged");
    this.#loading = this.#load();
    try {
      return await this.#loading;
    } finally {
      this.#loading = null;
    }
  }

  async #load(): Promise<LoadedState> {
    const { nodeId, lockWaitMs = 0, onLost = () => {} } = this.#options;
    let database: Database | undefined;
    const theft = new AbortController();
    const release = await takeLock(this.#platform, this.name, lockWaitMs, () => {
      theft.abort();
      database?.lose("its lock was taken away");
    });
    if (release === null) throw locked(this.name);
    try {
      database = await Database.open(this.#platform, this.name, onLost);
      // Nothing was open yet that could have been lost.
      if (theft.signal.aborted) throw locked(this.name);
      const { identity, log, memberships, leftovers } = await recover(database);
      if (identity !== null && identity.nodeId !== nodeId) checkIdentity(identity, { ...identity, nodeId });
      if (leftovers.size > 0) {
        const { store, ranges } = database;
        await store("readwrite", (store) => leftovers.forEach((number) => store.delete(ranges.chunks(number))));
      }
      const { snapshotRef, snapshot, hardState, lastIndex, termStarts } = log;
      const inForce = () => this.#writes.then(() => this.#opened?.log.snapshotRef ?? null);
      const snapshots = new SnapshotChunks(database, (snapshotRef?.number ?? 0) + 1, inForce);
      this.#opened = { release, database, snapshots, identity, log, rewrites: 0 };
      const covered = snapshot?.index ?? 0;
      const after = memberships.filter((entry) => entry.index > covered);
      return { identity, hardState, snapshot, lastIndex, termStarts: [...termStarts], memberships: after };
    } catch (error) {
      database?.close();
      await release();
      throw error;
    }
  }

  async initialize(identity: Identity): Promise<void> {
    const opened = this.#open();
    const { nodeId, incarnation, clusterId } = identity;
    await this.#exclusive(async () => {
      checkIdentity(opened.identity, identity);
      if (nodeId !== this.#options.nodeId) {
        checkIdentity({ nodeId: this.#options.nodeId, incarnation, clusterId }, identity);
      }
      const isNew = opened.identity === null;
      await opened.database.store("readwrite", (store) => {
        putRecord(store, "identity", { nodeId, incarnation, clusterId });
        if (!isNew) return;
        putRecord(store, "hardState", opened.log.hardState);
        putRange(store, opened.log);
      });
      opened.identity = { nodeId, incarnation, clusterId };
    });
  }

  async persist(batch: PersistBatch): Promise<void> {
    const opened = this.#open();
    opened.database.check();
    if (this.#persisting) throw failure("another batch is being persisted", "unchanged");
    if (opened.identity === null) throw failure("the storage has no identity yet", "unchanged");
    const { snapshots, log } = opened;
    const write = (ref: SnapshotRef | null) => this.#exclusive(() => this.#persist(opened, batch, ref));
    this.#persisting = true;
    try {
      // Persists alone change which snapshot is in force, one at a time.
      if (batch.snapshot === null) await write(null);
      else await snapshots.putInForce(batch.snapshot, log.snapshotRef, write);
    } finally {
      this.#persisting = false;
    }
  }

  async #persist(opened: Opened, batch: PersistBatch, snapshotRef: SnapshotRef | null): Promise<void> {
    const { database, log: before } = opened;
    checkBatch(before, batch);
    const after = afterBatch(before, batch, snapshotRef);
    await database.store("readwrite", (store) => {
      writeBatch(store, database.ranges, batch, before, after);
      store.transaction.commit();
    });
    const first = batch.entries[0];
    if (snapshotRef !== null || (first !== undefined && first.index <= before.lastIndex)) opened.rewrites++;
    opened.log = after;
  }

  async entries(from: number, to: number, maxBytes: number): Promise<Entry[]> {
    const opened = this.#open();
    for (;;) {
      const { log: { firstIndex, lastIndex }, rewrites } = opened;
      checkRange(from, to, firstIndex, lastIndex);
      const records = await opened.database.store(
        "readonly",
        (store) => readEntryRecords(store, opened.database.ranges, from, to, maxBytes),
      );
      try {
        return entriesOf(opened, records, from, to, maxBytes);
      } catch (error) {
        // Entries were replaced or dropped meanwhile: read the log as it is now.
        if (opened.rewrites === rewrites) throw error;
      }
    }
  }

  async compact(index: number): Promise<void> {
    const opened = this.#open();
    const slice = async (): Promise<boolean> => {
      const { database, log } = opened;
      const upTo = Math.min(index, log.snapshot?.index ?? 0, log.firstIndex + compactedAtOnce - 1);
      if (upTo < log.firstIndex) return false;
      const after = withoutBefore(log, upTo + 1);
      await database.store("readwrite", (store) => {
        deleteIndexes(store, database.ranges, 0, upTo);
        const start = after.termStarts[0];
        if (start !== undefined) store.put(start.term, keyOf("term", start.index));
        putRange(store, after);
        store.transaction.commit();
      });
      opened.log = after;
      opened.rewrites++;
      return true;
    };
    while (await this.#exclusive(slice));
  }

  async createSnapshot(): Promise<SnapshotWriter> {
    return await this.#open().snapshots.create();
  }

  // deno-lint-ignore require-await -- a thrown error must be a rejection
  async openSnapshot(): Promise<SnapshotReader | null> {
    const { snapshots, log: { snapshotRef } } = this.#open();
    return snapshotRef === null ? null : snapshots.open(snapshotRef);
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  /** Closes the storage. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    await this.#loading?.catch(() => {});
    await this.#writes;
    if (this.#opened === null) return;
    const { snapshots, database, release } = this.#opened;
    await snapshots.close();
    database.close();
    await release();
  }

  #open(): Opened {
    if (this.#closed !== null) throw storageClosed();
    if (this.#opened === null) throw failure("the storage is not loaded", "unchanged");
    return this.#opened;
  }

  #exclusive<T>(write: () => Promise<T>): Promise<T> {
    const done = this.#writes.then(write);
    this.#writes = done.then(() => {}, () => {});
    return done;
  }
}

/** Decodes the entries in `records` that fit in `maxBytes`, at least one. */
function entriesOf(
  { database, log }: Opened,
  records: readonly unknown[],
  from: number,
  to: number,
  maxBytes: number,
): Entry[] {
  const found: Entry[] = [];
  let bytes = 0;
  for (let index = from; index <= to; index++) {
    const term = log.termAt(index);
    const record = records[index - from];
    // The records end once they have enough bytes.
    if (record === undefined && found.length > 0 && bytes >= maxBytes) break;
    const entry = decodeEntry(database.name, record, index, term ?? -1);
    bytes += entry.data.length;
    if (found.length > 0 && bytes > maxBytes) break;
    found.push(entry);
  }
  return found;
}
