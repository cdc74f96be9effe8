/**
 * The real storage, with checks of the batches it receives and of the state it
 * reports as durable.
 */

import type { PersistBatch } from "../../lib/raft/types.ts";
import { StorageError } from "../../lib/errors.ts";
import type { LoadedState, SnapshotWriter } from "../../lib/storage.ts";
import { FileStorage } from "../../storage/file/file_storage.ts";
import type { ApplicationChecks } from "../checks/application_checks.ts";
import type { Life, ProtocolChecks } from "../checks/protocol_checks.ts";
import type { ProtocolTrace } from "../protocol_trace.ts";
import type { Disk } from "./disk.ts";
import { FOLDER } from "./disk.ts";

/** The parts that check a storage. */
export interface StorageChecks {
  readonly life: Life;
  readonly protocol: ProtocolChecks;
  readonly application: ApplicationChecks;
  readonly trace: ProtocolTrace | null;
  /** Called when a promise settles, which must not happen in a dead process. */
  readonly settled: () => void;
}

export class CheckedStorage extends FileStorage {
  readonly #checks: StorageChecks;

  constructor(disk: Disk, segmentBytes: number, checks: StorageChecks) {
    super(disk.fileSystem, FOLDER, { segmentBytes });
    this.#checks = checks;
  }

  override async load(): Promise<LoadedState> {
    const { life, protocol, trace, settled } = this.#checks;
    const found = await super.load();
    settled();
    protocol.loaded(life, found);
    trace?.loaded(life, found);
    return found;
  }

  override async persist(batch: PersistBatch): Promise<void> {
    const { life, protocol, application, trace, settled } = this.#checks;
    const { record } = life;
    protocol.persisting(life, batch);
    trace?.writing(life, batch);
    record.underWay = batch;
    try {
      await super.persist(batch);
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
    if (isOwn) application.snapshotTaken(life, snapshot);
  }

  /** Notes the snapshots that the node opens to restore them. */
  override async createSnapshot(): Promise<SnapshotWriter> {
    const writer = await super.createSnapshot();
    const open = writer.open.bind(writer);
    writer.open = async () => {
      const reader = await open();
      this.#checks.life.opened = reader.meta;
      return reader;
    };
    return writer;
  }
}
