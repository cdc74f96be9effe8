/**
 * The durable state of a node: the second of the three contracts.
 */

import type { Entry, PersistBatch, RestoredState, SnapshotMeta } from "./raft/types.ts";

/** The identity of a data folder. */
export interface Identity {
  /** The node's name. */
  readonly nodeId: string;
  /** A random id, created with the folder: a wiped folder has another one. */
  readonly incarnation: string;
  /** The id of the cluster; empty until the node has joined one, and constant afterwards. */
  readonly clusterId: string;
}

/** The state that {@linkcode Storage.load} found. */
export interface LoadedState extends RestoredState {
  /** The identity; `null` if the storage is new: call {@linkcode Storage.initialize} before anything else. */
  readonly identity: Identity | null;
}

/** Reports whether a storage holds nothing but an identity: no term, no log and no snapshot. */
export function isEmpty({ hardState, lastIndex, snapshot }: LoadedState): boolean {
  return hardState.term === 0 && lastIndex === 0 && snapshot === null;
}

/** A snapshot being written. It is not visible before it is persisted. */
export interface SnapshotWriter {
  /** The number of bytes written so far. */
  readonly offset: number;
  /** The CRC-32C of these bytes. */
  readonly checksum: number;
  /** Appends a chunk. One call at a time. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Makes the bytes durable beside the current snapshot (staged). They replace it
   * when a {@linkcode PersistBatch} names `meta` as its snapshot.
   *
   * @throws {StorageError} `damaged` if size or checksum differ from `meta`'s.
   */
  stage(meta: SnapshotMeta): Promise<void>;
  /** Opens the staged snapshot for reading, before a batch names it; later reads may fail once it was discarded. */
  open(): Promise<SnapshotReader>;
  /** Discards the snapshot, staged or not, at once: it does not wait for a call under way. Does nothing if a batch has named it. */
  abort(): Promise<void>;
}

/** The newest durable snapshot, open for reading. It stays readable until closed, even if a newer one replaces it. */
export interface SnapshotReader {
  /** The description of the snapshot. */
  readonly meta: SnapshotMeta;
  /** Reads up to `length` bytes; fewer only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Releases the snapshot. */
  close(): Promise<void>;
}

/**
 * The durable log, term, vote and snapshots of one node.
 *
 * - `load` comes first, `initialize` next if the storage is new.
 * - There is at most one `persist` at a time, and batches come in order.
 *   All other methods may be called while a `persist` is under way.
 * - A write whose promise resolves is durable, even if power fails the next instant.
 * - A rejection is a {@linkcode StorageError} that says whether the disk is
 *   unchanged. After one that left it `in_doubt`, every later `persist` rejects.
 */
export interface Storage {
  /**
   * Reads the state, and cuts off a write that a crash left incomplete.
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
   * Makes one batch durable, all or nothing. `batch.snapshot` must be
   * staged; it becomes the newest snapshot, and the log is kept if it has an
   * entry with the snapshot's index and term, and emptied otherwise, before
   * `batch.entries` are written.
   */
  persist(batch: PersistBatch): Promise<void>;

  /**
   * Reads durable entries from `from` up to `to`, inclusive: as many as fit in
   * `maxBytes` of data, but at least one.
   *
   * @throws {StorageError} `damaged`; or `storage` for an index that is compacted away or not there.
   */
  entries(from: number, to: number, maxBytes: number): Promise<Entry[]>;

  /**
   * Removes entries up to `index`, inclusive, which the newest snapshot covers. May
   * keep some of them longer, but never removes others.
   */
  compact(index: number): Promise<void>;

  /**
   * Begins to write a snapshot. At most one is written or staged beside the newest
   * one: the one before is aborted, even if one of its calls hangs. If a batch is
   * making that one the newest, this waits for the batch.
   */
  createSnapshot(): Promise<SnapshotWriter>;

  /** Opens the newest durable snapshot; `null` if there is none. */
  openSnapshot(): Promise<SnapshotReader | null>;

  /** Waits for calls under way, and releases the lock. Later calls reject with `closed`. */
  close(): Promise<void>;
}
