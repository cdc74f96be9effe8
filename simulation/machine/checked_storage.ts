/**
 * The real storage, with checks of the batches it receives and of the state it
 * reports as durable.
 */

import type { Entry, PersistBatch } from "../../lib/raft/types.ts";
import { StorageError } from "../../lib/errors.ts";
import type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "../../lib/storage.ts";
import type { ApplicationChecks } from "../checks/application_checks.ts";
import type { Life, ProtocolChecks } from "../checks/protocol_checks.ts";

export class CheckedStorage implements Storage {
  readonly #storage: Storage;
  readonly #life: Life;
  readonly #protocol: ProtocolChecks;
  readonly #application: ApplicationChecks;
  readonly #settled: () => void;

  /** @param settled called when a promise settles, which must not happen in a dead process */
  constructor(
    storage: Storage,
    life: Life,
    protocol: ProtocolChecks,
    application: ApplicationChecks,
    settled: () => void,
  ) {
    this.#settled = settled;
    this.#storage = storage;
    this.#life = life;
    this.#protocol = protocol;
    this.#application = application;
  }

  async load(): Promise<LoadedState> {
    const found = await this.#storage.load();
    this.#settled();
    this.#protocol.loaded(this.#life, found);
    return found;
  }

  async initialize(identity: Identity): Promise<void> {
    await this.#storage.initialize(identity);
  }

  async persist(batch: PersistBatch): Promise<void> {
    const { record } = this.#life;
    this.#protocol.persisting(this.#life, batch);
    record.underWay = batch;
    try {
      await this.#storage.persist(batch);
    } catch (error) {
      if (error instanceof StorageError && error.disk === "unchanged") record.underWay = null;
      throw error;
    }
    this.#settled();
    record.underWay = null;
    record.apply(batch);
    // Only a snapshot of the node's own state is persisted alone, and keeps the log.
    const { snapshot } = batch;
    if (snapshot !== null && this.#isOwn(batch)) this.#application.snapshotTaken(this.#life, snapshot);
  }

  entries(from: number, to: number, maxBytes: number): Promise<Entry[]> {
    return this.#storage.entries(from, to, maxBytes);
  }

  compact(index: number): Promise<void> {
    return this.#storage.compact(index);
  }

  createSnapshot(): Promise<SnapshotWriter> {
    return this.#storage.createSnapshot();
  }

  openSnapshot(): Promise<SnapshotReader | null> {
    return this.#storage.openSnapshot();
  }

  close(): Promise<void> {
    return this.#storage.close();
  }

  #isOwn({ snapshot, entries }: PersistBatch): boolean {
    return entries.length === 0 && snapshot !== null && snapshot.index <= (this.#life.view?.appliedIndex ?? 0);
  }
}
