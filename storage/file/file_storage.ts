/**
 * The storage of a server node: a folder with a manifest, a log in segments, and
 * one snapshot.
 *
 * ```
 * manifest             the identity of the node (manifest.ts)
 * log-0000000001       the log, term and vote included (segment.ts, record.ts)
 * snapshot-0000000001  the newest snapshot (snapshot_files.ts)
 * lock-1               the process that has the folder open (lock_file.ts)
 * lock.*.sock          answers while that process lives; deleted by the next owner
 * *.tmp                unfinished files; deleted by the next start
 * ```
 *
 * Nothing is ever changed in place. A batch is appended to the log with one write
 * (several if it has megabytes) and one fdatasync, and is atomic (recovery.ts).
 * Entries are overwritten by appending others with the same indexes: the later
 * record is the valid one.
 */

import { StorageError } from "../../lib/errors.ts";
import type { Entry, PersistBatch } from "../../lib/raft/types.ts";
import type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "../../lib/storage.ts";
import { checkIdentity, failure, storageClosed } from "../log_rules.ts";
import { damaged } from "./file_errors.ts";
import type { FileSystem, FolderLock } from "./file_system.ts";
import { errorCode, readFully, writeFully } from "./file_system.ts";
import { Folder } from "./folder.ts";
import { manifestName, readManifest, writeManifest } from "./manifest.ts";
import { LogState } from "./log_state.ts";
import { readSegmentHeader } from "./log_scan.ts";
import { LogRecovery } from "./recovery.ts";
import { logIdOf, segmentSequence } from "./segment.ts";
import { SegmentFiles, sequencesIn } from "./segment_files.ts";
import { isSnapshotName, openSnapshotFile, SnapshotFiles, snapshotName } from "./snapshot_files.ts";
import { beginSegment, WriteAheadLog } from "./write_ahead_log.ts";

/** Options of {@linkcode FileStorage}. */
export interface FileStorageOptions {
  /** The log begins a new file once the current one has this many bytes. @default 64 MiB */
  readonly segmentBytes?: number;
}

/** The open parts after `load`; there is a log only once there is an identity. */
interface Opened {
  readonly lock: FolderLock;
  readonly files: SegmentFiles;
  readonly snapshots: SnapshotFiles;
  identity: Identity | null;
  log: WriteAheadLog | null;
}

/** A {@linkcode Storage} in a folder of a {@linkcode FileSystem}. */
export class FileStorage implements Storage {
  /** The folder. */
  readonly directory: string;
  readonly #folder: Folder;
  readonly #segmentBytes: number;
  #opened: Opened | null = null;
  #loading: Promise<void> | null = null;
  #closed: Promise<void> | null = null;
  #persisting: Promise<void> | null = null;
  #compacting: Promise<void> = Promise.resolve();

  /**
   * Creates a storage that opens nothing before `load`.
   *
   * @param dir the folder; made, with its parents, by `load`
   */
  constructor(fs: FileSystem, dir: string, options: FileStorageOptions = {}) {
    this.directory = dir;
    this.#folder = new Folder(fs, dir);
    this.#segmentBytes = options.segmentBytes ?? 64 * 1024 * 1024;
    if (!(this.#segmentBytes > 0 && this.#segmentBytes <= 2 ** 30)) {
      throw new RangeError(`segmentBytes must be from 1 to ${2 ** 30}: ${this.#segmentBytes}`);
    }
  }

  async load(): Promise<LoadedState> {
    if (this.#closed !== null) throw storageClosed();
    if (this.#opened !== null || this.#loading !== null) throw failure("the storage is already loaded", "unchanged");
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#loading = promise;
    let lock: FolderLock | undefined;
    const { fs, dir } = this.#folder;
    const files = new SegmentFiles(this.#folder);
    try {
      await fs.makeDirectory(dir);
      lock = await fs.lock(dir);
      return await this.#recover(lock, files);
    } catch (error) {
      this.#opened = null;
      await files.close();
      await lock?.release();
      if (error instanceof StorageError) throw error;
      throw failure(`opening the folder ${dir} failed${why(error)}`, "unchanged", error);
    } finally {
      this.#loading = null;
      resolve();
    }
  }

  async #recover(lock: FolderLock, files: SegmentFiles): Promise<LoadedState> {
    const folder = this.#folder;
    const names = await folder.fs.readDirectory(folder.dir);
    const identity = await readManifest(folder);
    if (identity === null) await this.#checkNew(names);
    const recovery = new LogRecovery(logIdOf(identity?.incarnation ?? ""));
    if (identity !== null) await this.#readLog(names, files, recovery);
    const { state } = recovery;
    const { snapshotRef } = state;
    if (snapshotRef !== null) await (await openSnapshotFile(folder, snapshotRef)).close();
    await this.#removeLeftovers(names, snapshotRef?.number);
    const snapshots = new SnapshotFiles(folder, (snapshotRef?.number ?? 0) + 1);
    const log = identity === null ? null : new WriteAheadLog(folder, files, state, this.#segmentBytes);
    this.#opened = { lock, files, snapshots, identity, log };
    const covered = state.snapshot?.index ?? 0;
    return {
      identity,
      hardState: state.hardState,
      snapshot: state.snapshot,
      lastIndex: state.lastIndex,
      termStarts: [...state.index.termStarts],
      memberships: recovery.memberships.filter((entry) => entry.index > covered),
    };
  }

  /** Checks that a folder without a manifest has at most the leftovers of an interrupted `initialize`. */
  async #checkNew(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const sequence = segmentSequence(name);
      const leftover = sequence === 1 && await this.#isEmptySegment(name);
      if ((sequence !== undefined && !leftover) || (isSnapshotName(name) && !name.endsWith(".tmp"))) {
        throw damaged(this.#folder.pathOf(manifestName), 0, `it is missing, but there is ${name}`);
      }
    }
  }

  #isEmptySegment(name: string): Promise<boolean> {
    const path = this.#folder.pathOf(name);
    // Its log id doesn't matter: no batch was ever written to it.
    return this.#folder.read(path, async (file) => (await readSegmentHeader(file, path)).size === await file.size());
  }

  /** Reads all segments, cuts off a torn tail, and opens the newest for writing. */
  async #readLog(names: readonly string[], files: SegmentFiles, recovery: LogRecovery): Promise<void> {
    const sequences = sequencesIn(this.#folder, names);
    for (const sequence of sequences.slice(0, -1)) {
      const path = files.pathOf(sequence);
      const { end } = await this.#folder.read(path, (file) => recovery.readSegment(file, path, sequence, false));
      files.add(sequence, end);
    }
    const newest = sequences.at(-1)!;
    const path = files.pathOf(newest);
    const active = await this.#folder.fs.open(path, "write");
    try {
      const { lastBatch, end } = await recovery.readSegment(active, path, newest, true);
      recovery.checkComplete(files.pathOf(sequences[0]!));
      // Also what looks cut off already: a start before may have cut it, and its sync may have failed.
      await active.truncate(end + 1);
      await active.truncate(end);
      // From now on the node acts on this batch, so a power failure must not lose it.
      await writeFully(active, await readFully(active, lastBatch, end - lastBatch), lastBatch);
      await active.sync();
      files.add(newest, end, active);
    } catch (error) {
      await active.close();
      throw error;
    }
  }

  async #removeLeftovers(names: readonly string[], snapshotFile: number | undefined): Promise<void> {
    const current = snapshotFile === undefined ? "" : snapshotName(snapshotFile);
    const leftover = names.filter((name) =>
      isSnapshotName(name) ? name !== current : name === `${manifestName}.tmp` || /^log-\d{10,15}\.tmp$/.test(name)
    );
    for (const name of leftover) await this.#folder.fs.unlink(this.#folder.pathOf(name));
    // Names, too, may be visible that were never synced.
    await this.#folder.fs.syncDirectory(this.#folder.dir);
  }

  async initialize(identity: Identity): Promise<void> {
    const opened = this.#open();
    checkIdentity(opened.identity, identity);
    const { nodeId, incarnation, clusterId } = identity;
    if (opened.identity === null) await this.#createLog(opened, identity);
    else if (opened.identity.clusterId !== clusterId) await writeManifest(this.#folder, identity);
    opened.identity = { nodeId, incarnation, clusterId };
  }

  /** Creates the log, then the manifest: a manifest promises that there is a log. */
  async #createLog(opened: Opened, identity: Identity): Promise<void> {
    const state = new LogState(logIdOf(identity.incarnation));
    await beginSegment(this.#folder, opened.files, state);
    try {
      await writeManifest(this.#folder, identity);
    } catch (error) {
      await opened.files.removeOldest();
      throw error;
    }
    opened.log = new WriteAheadLog(this.#folder, opened.files, state, this.#segmentBytes);
  }

  async persist(batch: PersistBatch): Promise<void> {
    const { snapshots } = this.#open();
    this.#folder.check();
    const log = this.#log();
    if (this.#persisting !== null) throw failure("another batch is being persisted", "unchanged");
    log.check(batch);
    const done = (async () => {
      if (batch.snapshot === null) return await log.append(batch, null);
      await snapshots.putInForce(batch.snapshot, log.state.snapshotRef, (ref) => log.append(batch, ref));
    })();
    this.#persisting = done.then(() => {}, () => {});
    try {
      await done;
    } finally {
      this.#persisting = null;
    }
  }

  async entries(from: number, to: number, maxBytes: number): Promise<Entry[]> {
    return await this.#log().entries(from, to, maxBytes);
  }

  async compact(index: number): Promise<void> {
    const { log } = this.#open();
    const done = this.#compacting.then(() => log?.compact(index));
    this.#compacting = done.then(() => {}, () => {});
    await done;
  }

  async createSnapshot(): Promise<SnapshotWriter> {
    return await this.#open().snapshots.create();
  }

  async openSnapshot(): Promise<SnapshotReader | null> {
    const { snapshots, log } = this.#open();
    for (;;) {
      const ref = log?.state.snapshotRef ?? null;
      if (ref === null) return null;
      try {
        return await snapshots.open(ref);
      } catch (error) {
        // A newer one may have replaced it while it was being opened.
        if (log?.state.snapshotRef === ref) throw error;
      }
    }
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
    await this.#loading;
    const opened = this.#opened;
    await this.#persisting;
    await this.#compacting;
    if (opened === null) return;
    await opened.snapshots.close();
    await opened.files.close();
    await opened.lock.release();
  }

  #open(): Opened {
    if (this.#closed !== null) throw storageClosed();
    if (this.#opened === null) throw failure("the storage is not loaded", "unchanged");
    return this.#opened;
  }

  #log(): WriteAheadLog {
    const { log } = this.#open();
    if (log === null) throw failure("the storage has no identity yet", "unchanged");
    return log;
  }
}

/** Explains why a folder can't be opened: the caller may have named the wrong one. */
function why(error: unknown): string {
  const code = errorCode(error);
  if (code === "EEXIST" || code === "ENOTDIR") return `: it is not a folder (${code})`;
  if (code === "EACCES" || code === "EPERM") return `: permission denied (${code})`;
  if (code === "EROFS") return `: the file system is read-only (${code})`;
  return ` (${code || String(error)})`;
}
