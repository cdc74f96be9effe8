/**
 * The real storage, with checks of the batches it receives and of the state it
 * reports as durable.
 */

import type { RaftView } from "../../lib/node/types.ts";
import type { Entry, PersistBatch } from "../../lib/raft/types.ts";
import { StorageError } from "../../lib/errors.ts";
import type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "../../lib/storage.ts";
import type { ApplicationChecks } from "../checks/application_checks.ts";
import type { Life } from "../checks/life.ts";
import type { ProtocolChecks } from "../checks/protocol_checks.ts";
import type { ProtocolTrace } from "../protocol_trace.ts";

/** More bytes than the blocks of one snapshot have that begins and ends with the first (lib/kv/snapshot.ts). */
const SEVERAL_BLOCKS = 3 * 64 * 1024;

/** The parts that check a storage. */
export interface StorageChecks {
  readonly life: Life;
  readonly protocol: ProtocolChecks;
  readonly application: ApplicationChecks;
  readonly trace: ProtocolTrace | null;
  /** Counts an event. */
  readonly count: (what: string) => void;
  /** Called when a promise settles, which must not happen in a dead process. */
  readonly settled: () => void;
}

export class CheckedStorage implements Storage {
  readonly #storage: Storage;
  readonly #checks: StorageChecks;

  constructor(storage: Storage, checks: StorageChecks) {
    this.#storage = storage;
    this.#checks = checks;
  }

  async load(): Promise<LoadedState> {
    const { life, protocol, trace, settled } = this.#checks;
    const found = await this.#storage.load();
    settled();
    protocol.loaded(life, found);
    trace?.loaded(life, found);
    return found;
  }

  async persist(batch: PersistBatch): Promise<void> {
    const { life, protocol, application, trace, settled } = this.#checks;
    const { record } = life;
    protocol.persisting(life, batch);
    trace?.writing(life, batch);
    record.underWay = batch;
    try {
      await this.#storage.persist(batch);
    } catch (error) {
      if (error instanceof StorageError && error.disk === "unchanged") {
        record.underWay = null;
        trace?.wrote(life, true);
      }
      throw error;
    }
    settled();
    trace?.wrote(life, false);
    record.underWay = null;
    record.apply(batch);
    // Only a snapshot of the node's own state is persisted alone, and keeps the log.
    const { snapshot, entries } = batch;
    const isOwn = entries.length === 0 && snapshot !== null && snapshot.index <= (life.view?.appliedIndex ?? 0);
    if (!isOwn) return;
    application.snapshotTaken(life, snapshot);
    if (snapshot.size > SEVERAL_BLOCKS) this.#checks.count("snapshot of several blocks");
    if (life.view !== null && hasPacked(life.view)) this.#checks.count("entries packed");
  }

  /** Notes the snapshots that the node opens to restore them. */
  async createSnapshot(): Promise<SnapshotWriter> {
    const writer = await this.#storage.createSnapshot();
    const open = writer.open.bind(writer);
    writer.open = async () => {
      const reader = await open();
      this.#checks.life.opened = reader.meta;
      return reader;
    };
    return writer;
  }

  initialize(identity: Identity): Promise<void> {
    return this.#storage.initialize(identity);
  }

  entries(from: number, to: number, maxBytes: number): Promise<Entry[]> {
    return this.#storage.entries(from, to, maxBytes);
  }

  compact(index: number): Promise<void> {
    return this.#storage.compact(index);
  }

  openSnapshot(): Promise<SnapshotReader | null> {
    return this.#storage.openSnapshot();
  }

  close(): Promise<void> {
    return this.#storage.close();
  }
}

/** Reports whether a node keeps packed entries (lib/raft/packed_entries.ts). Those are copied by each read; the others stay objects. */
function hasPacked(view: RaftView): boolean {
  for (let index = view.lastIndex; index >= view.firstIndex; index -= 50) {
    const [entry] = view.cachedEntries(index, index);
    if (entry === undefined) return false;
    if (entry !== view.cachedEntries(index, index)[0]) return true;
  }
  return false;
}
