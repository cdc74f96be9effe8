/**
 * A storage that was loaded already, to see who its folder belongs to, for a
 * node that loads its storage itself.
 *
 * @module
 */

import type { Entry, PersistBatch } from "../lib/raft/types.ts";
import type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "../lib/storage.ts";

/** Passes everything on but the first `load`, which it answers itself. */
export class LoadedStorage implements Storage {
  readonly #storage: Storage;
  #loaded: LoadedState;

  private constructor(storage: Storage, loaded: LoadedState) {
    this.#storage = storage;
    this.#loaded = loaded;
  }

  /** Loads the storage. Closes it if that fails. */
  static async load(storage: Storage): Promise<LoadedStorage> {
    try {
      return new LoadedStorage(storage, await storage.load());
    } catch (error) {
      await storage.close().catch(() => {});
      throw error;
    }
  }

  /** What was found, with the identity that it was given since. */
  get loaded(): LoadedState {
    return this.#loaded;
  }

  /** Whether nothing but an identity is there. (A crash may come between the name of a cluster and its first entry.) */
  get empty(): boolean {
    const { hardState, lastIndex, snapshot } = this.#loaded;
    return hardState.term === 0 && lastIndex === 0 && snapshot === null;
  }

  load(): Promise<LoadedState> {
    return Promise.resolve(this.#loaded);
  }

  async initialize(identity: Identity): Promise<void> {
    await this.#storage.initialize(identity);
    this.#loaded = { ...this.#loaded, identity };
  }

  persist(batch: PersistBatch): Promise<void> {
    return this.#storage.persist(batch);
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
}
