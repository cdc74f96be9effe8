/**
 * A storage in memory, for tests, examples and nodes that may forget. Everything
 * that it calls durable lives in a {@linkcode MemoryDisk}, which outlives the
 * storage. So tests can simulate a crash and a restart: `crash()` one storage, and
 * open another on the same disk.
 */

import { concatBytes } from "../lib/bytes.ts";
import { StorageError } from "../lib/errors.ts";
import type { DiskState } from "../lib/errors.ts";
import type { Entry, HardState, PersistBatch, SnapshotMeta, TermStart } from "../lib/raft/types.ts";
import type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "../lib/storage.ts";
import { checkBatch, checkIdentity, checkRange, failure, keepsLog, storageClosed } from "./log_rules.ts";
import { SnapshotReaders, type SnapshotSource } from "./snapshot_reader.ts";
import { type SnapshotMedium, SnapshotWriters } from "./snapshot_writer.ts";

/** The durable data of a {@linkcode MemoryStorage}. One storage at a time may be open on it. */
export class MemoryDisk {
  /** `null` before {@linkcode MemoryStorage.initialize}. */
  identity: Identity | null = null;
  /** The durable term and vote. */
  hardState: HardState = { term: 0, votedFor: null };
  /** The newest snapshot. */
  snapshot: SnapshotMeta | null = null;
  /** The bytes of the newest snapshot. */
  snapshotBytes: Uint8Array = new Uint8Array();
  /** The log, from {@linkcode MemoryDisk.firstIndex}. */
  entries: Entry[] = [];
  /** The index of `entries[0]`, or of the next entry if the log is empty. */
  firstIndex = 1;
  /** The storage that is open on this disk. */
  owner: MemoryStorage | null = null;

  /** The last index of the log; `firstIndex - 1` if it is empty. */
  get lastIndex(): number {
    return this.firstIndex + this.entries.length - 1;
  }

  /** Returns the term of an entry, or of the last one that the snapshot covers. */
  termAt(index: number): number | undefined {
    const entry = this.entries[index - this.firstIndex];
    if (entry !== undefined) return entry.term;
    return this.snapshot?.index === index ? this.snapshot.term : undefined;
  }
}

/** An operation of a {@linkcode MemoryStorage}. */
export type MemoryOperation = "load" | "initialize" | "persist" | "entries" | "compact" | "snapshot";

/** Options of {@linkcode MemoryStorage}. */
export interface MemoryStorageOptions {
  /**
   * Called at the beginning of each operation, which continues when the promise
   * resolves. Tests use it for delays in virtual time. @default none
   */
  readonly delay?: (operation: MemoryOperation) => Promise<void> | void;
}

/** A snapshot that is not in force yet. */
type MemorySnapshot = SnapshotMedium & { readonly chunks: readonly Uint8Array[] };

/** A {@linkcode Storage} in memory, with faults on demand. */
export class MemoryStorage implements Storage {
  /** The data, which outlives this storage. */
  readonly disk: MemoryDisk;
  readonly #delay: (operation: MemoryOperation) => Promise<void> | void;
  readonly #writers = new SnapshotWriters<MemorySnapshot>();
  #state: "new" | "open" | "closed" = "new";
  #persisting: Promise<void> | null = null;
  #failedInDoubt = false;
  #nextFailure: { readonly disk: DiskState; readonly applied: boolean } | null = null;
  #hung: PromiseWithResolvers<void> | null = null;

  /**
   * Creates a storage, which opens its disk in `load`.
   *
   * @param disk the disk of an earlier storage; a new one by default
   */
  constructor(disk: MemoryDisk = new MemoryDisk(), options: MemoryStorageOptions = {}) {
    this.disk = disk;
    this.#delay = options.delay ?? (() => {});
  }

  /**
   * Makes the next `persist` fail.
   *
   * @param disk the state of the disk that the error reports
   * @param applied puts the batch on the disk nevertheless; only with `in_doubt`
   */
  failNextPersist(disk: DiskState, applied = false): void {
    this.#nextFailure = { disk, applied: applied && disk === "in_doubt" };
  }

  /** Blocks every `persist` until {@linkcode MemoryStorage.resume}. */
  hang(): void {
    this.#hung ??= Promise.withResolvers();
  }

  /** Continues what {@linkcode MemoryStorage.hang} has blocked. */
  resume(): void {
    this.#hung?.resolve();
    this.#hung = null;
  }

  /** Ends this storage like a power failure: operations under way are lost and reject. The disk may be opened again. */
  crash(): void {
    this.#end();
    this.resume();
  }

  async load(): Promise<LoadedState> {
    if (this.#state === "closed") throw storageClosed();
    if (this.#state === "open") throw failure("the storage is already loaded", "unchanged");
    if (this.disk.owner !== null) {
      throw new StorageError("the storage is locked: another one is open on the same disk", {
        disk: "unchanged",
        code: "locked",
        hint: "Close the other storage first.",
      });
    }
    this.disk.owner = this;
    this.#state = "open";
    await this.#pause("load");
    const { disk } = this;
    const termStarts: TermStart[] = [];
    for (const { index, term } of disk.entries) {
      if (termStarts.at(-1)?.term !== term) termStarts.push({ index, term });
    }
    const covered = disk.snapshot?.index ?? 0;
    return {
      identity: disk.identity,
      hardState: disk.hardState,
      snapshot: disk.snapshot,
      lastIndex: disk.lastIndex,
      termStarts,
      memberships: disk.entries.filter((entry) => entry.type === "membership" && entry.index > covered),
    };
  }

  async initialize(identity: Identity): Promise<void> {
    await this.#pause("initialize");
    checkIdentity(this.disk.identity, identity);
    this.disk.identity = { ...identity };
  }

  async persist(batch: PersistBatch): Promise<void> {
    this.#checkOpen();
    if (this.#failedInDoubt) throw failure("the disk is in doubt since an earlier failure", "in_doubt");
    if (this.#persisting !== null) throw failure("another batch is being persisted", "unchanged");
    if (this.disk.identity === null) throw failure("the storage has no identity yet", "unchanged");
    const { snapshot } = batch;
    const done = snapshot === null
      ? this.#persist(batch, null)
      : this.#writers.commit(snapshot, ({ medium }) => this.#persist(batch, medium));
    this.#persisting = done.then(() => {}, () => {});
    try {
      await done;
    } finally {
      this.#persisting = null;
    }
  }

  async entries(from: number, to: number, maxBytes: number): Promise<Entry[]> {
    await this.#pause("entries");
    const { entries, firstIndex, lastIndex } = this.disk;
    checkRange(from, to, firstIndex, lastIndex);
    const found: Entry[] = [];
    let bytes = 0;
    for (let index = from; index <= to; index++) {
      const entry = entries[index - firstIndex]!;
      bytes += entry.data.length;
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(entry);
    }
    return found;
  }

  async compact(index: number): Promise<void> {
    await this.#pause("compact");
    const { disk } = this;
    const upTo = Math.min(index, disk.snapshot?.index ?? 0);
    if (upTo < disk.firstIndex) return;
    disk.entries = disk.entries.slice(upTo + 1 - disk.firstIndex);
    disk.firstIndex = upTo + 1;
  }

  async createSnapshot(): Promise<SnapshotWriter> {
    await this.#pause("snapshot");
    return await this.#writers.create(() => {
      const chunks: Uint8Array[] = [];
      return {
        chunks,
        check: () => this.#checkOpen(),
        write: (chunk) => void chunks.push(chunk.slice()),
        stage() {},
        open: () => memorySource(concatBytes(chunks)),
        discard: () => void chunks.splice(0),
      };
    });
  }

  async openSnapshot(): Promise<SnapshotReader | null> {
    await this.#pause("snapshot");
    const { snapshot, snapshotBytes } = this.disk;
    return snapshot === null ? null : new SnapshotReaders().open(snapshot, memorySource(snapshotBytes));
  }

  async close(): Promise<void> {
    await this.#persisting;
    this.#end();
  }

  /** Closes the storage. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #persist(batch: PersistBatch, snapshot: MemorySnapshot | null): Promise<void> {
    await this.#pause("persist");
    if (this.#hung !== null) await this.#hung.promise;
    this.#checkOpen();
    checkBatch(this.disk, batch);
    const bytes = snapshot === null ? null : concatBytes(snapshot.chunks);
    const fault = this.#nextFailure;
    this.#nextFailure = null;
    if (fault === null || fault.applied) this.#apply(batch, bytes);
    if (fault === null) return;
    this.#failedInDoubt = fault.disk === "in_doubt";
    throw failure("injected write failure", fault.disk);
  }

  /** Applies a batch without an await, so that it is atomic. */
  #apply(batch: PersistBatch, bytes: Uint8Array | null): void {
    const { disk } = this;
    if (batch.hardState !== null) disk.hardState = batch.hardState;
    if (batch.snapshot !== null && bytes !== null) {
      if (!keepsLog(disk, batch.snapshot)) {
        disk.entries = [];
        disk.firstIndex = batch.snapshot.index + 1;
      }
      disk.snapshot = batch.snapshot;
      disk.snapshotBytes = bytes;
    }
    const first = batch.entries[0];
    if (first === undefined) return;
    disk.entries.length = first.index - disk.firstIndex;
    for (const entry of batch.entries) disk.entries.push(entry);
  }

  async #pause(operation: MemoryOperation): Promise<void> {
    this.#checkOpen();
    await this.#delay(operation);
    this.#checkOpen();
  }

  #checkOpen(): void {
    if (this.#state === "closed") throw storageClosed();
    if (this.#state === "new") throw failure("the storage is not loaded", "unchanged");
  }

  #end(): void {
    this.#state = "closed";
    void this.#writers.close();
    if (this.disk.owner === this) this.disk.owner = null;
  }
}

function memorySource(bytes: Uint8Array): SnapshotSource {
  return {
    read: (offset, length) => Promise.resolve(bytes.slice(offset, offset + length)),
    close() {},
    damaged: (reason) => new StorageError(reason, { code: "damaged", disk: "unchanged" }),
  };
}
