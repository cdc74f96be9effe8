/**
 * What makes a node survive a crash. The second of the three contracts.
 *
 * @module
 */

import type { Entry, PersistBatch, RestoredState, SnapshotMeta } from "./raft/types.ts";

/** Who a data folder belongs to. */
export interface Identity {
  /** The node's name. */
  readonly nodeId: string;
  /** Random, made once with the folder: a wiped folder is another node. */
  readonly incarnation: string;
  /** Empty until the node has become part of a cluster; never changes after. */
  readonly clusterId: string;
}

/** What {@linkcode Storage.load} found. */
export interface LoadedState extends RestoredState {
  /** `null` if the storage is new: call {@linkcode Storage.initialize} before anything else. */
  readonly identity: Identity | null;
}

/** Reports whether a storage holds nothing but an identity: no term, no log and no snapshot. */
export function isEmpty({ hardState, lastIndex, snapshot }: LoadedState): boolean {
  return hardState.term === 0 && lastIndex === 0 && snapshot === null;
}

/** A snapshot being written. Nothing of it shows before it is persisted. */
export interface SnapshotWriter {
  /** Bytes written so far. */
  readonly offset: number;
  /** CRC-32C of them. */
  readonly checksum: number;
  /** Appends a chunk. One call at a time. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Makes the bytes durable, aside from the current snapshot (staged). They take
   * its place when a {@linkcode PersistBatch} names `meta` as its snapshot.
   *
   * @throws {StorageError} `damaged` if size or checksum differ from `meta`'s.
   */
  stage(meta: SnapshotMeta): Promise<void>;
  /** Discards it, staged or not. */
  abort(): Promise<void>;
}

/** The newest durable snapshot, open for reading; stays readable until closed, even when a newer one replaces it. */
export interface SnapshotReader {
  /** What it is. */
  readonly meta: SnapshotMeta;
  /** Reads up to `length` bytes; fewer only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Lets go of it. */
  close(): Promise<void>;
}

/**
 * Durable log, term, vote and snapshots of one node.
 *
 * - `load` comes first, `initialize` next if the storage is new.
 * - There is at most one `persist` at a time, and batches come in order.
 *   Everything else may be called while a `persist` is under way.
 * - A promise that resolves means durable: power may fail the next instant.
 * - A rejection is a {@linkcode StorageError} that tells whether the disk is
 *   unchanged. After one that left it `in_doubt` every later `persist` rejects.
 */
export interface Storage {
  /**
   * Reads what is there and cuts off what a crash left half-written.
   *
   * @throws {StorageError} `locked`, `damaged` (names file and offset), or `unsupported_version`.
   */
  load(): Promise<LoadedState>;

  /**
   * Makes the identity durable: once on a new storage, and once more to add the
   * cluster id to one that had none.
   *
   * @throws {StorageError} `identity_mismatch` for any other change.
   */
  initialize(identity: Identity): Promise<void>;

  /**
   * Makes one batch durable, all or nothing. `batch.snapshot` must have been
   * staged; it becomes the newest snapshot, and the log is kept if it has an
   * entry with the snapshot's index and term, and emptied otherwise, before
   * `batch.entries` are written.
   */
  persist(batch: PersistBatch): Promise<void>;

  /**
   * Reads durable entries back: `from` to at most `to`, inclusive, as many as fit
   * in `maxBytes` of data, but at least one.
   *
   * @throws {StorageError} `damaged`; or `storage` for an index that is compacted away or not there.
   */
  entries(from: number, to: number, maxBytes: number): Promise<Entry[]>;

  /**
   * Forgets entries up to `index`, inclusive, which the newest snapshot covers.
   * May keep some of them longer; never one more than asked.
   */
  compact(index: number): Promise<void>;

  /** Begins to write a snapshot. */
  createSnapshot(): Promise<SnapshotWriter>;

  /** Opens the newest durable snapshot; `null` if there is none. */
  openSnapshot(): Promise<SnapshotReader | null>;

  /** Waits for what is under way, and lets go of the lock. Later calls reject with `closed`. */
  close(): Promise<void>;
}
