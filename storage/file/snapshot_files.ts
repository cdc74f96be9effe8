/**
 * Snapshots as files.
 *
 * ```
 * 16 bytes  "RAFTSNAP", format version, zero
 * …         the snapshot's bytes
 * …         its meta, as in the log
 *  4 bytes  length of the meta
 *  4 bytes  CRC-32C of the first 16 bytes, the meta and its length
 * ```
 *
 * The bytes have a checksum of their own, which is part of the meta. The meta
 * stands at the end because size and checksum are not known before.
 *
 * A snapshot replaces another in four steps:
 *
 * 1. It is written to `snapshot-N.tmp`, and synced. A crash leaves a file that
 *    the next start deletes.
 * 2. It is renamed to `snapshot-N`, and the folder synced. Nothing refers to it
 *    yet: a crash still leaves a file that the next start deletes.
 * 3. The log's batch that names N is written and synced. Before, the old snapshot
 *    is in force; after, the new one. There is nothing between, because a batch is
 *    all or nothing.
 * 4. The old file is deleted. A crash before leaves a file that the next start deletes.
 *
 * Numbers, not the snapshot's id, make up the names: the id comes from other nodes.
 */

import { crc32c } from "../../lib/crc32c.ts";
import type { SnapshotMeta } from "../../lib/raft/types.ts";
import type { SnapshotReader, SnapshotWriter } from "../../lib/storage.ts";
import { SnapshotReaders, type SnapshotSource } from "../snapshot_reader.ts";
import { type SnapshotMedium, type SnapshotRef, SnapshotWriters } from "../snapshot_writer.ts";
import { damaged, readFailure, unsupportedVersion } from "./file_errors.ts";
import type { FileHandle } from "./file_system.ts";
import { errorCode, readFully, writeFully } from "./file_system.ts";
import type { Folder } from "./folder.ts";
import { encodeSnapshotRef, formatVersion } from "./segment.ts";

const magic = new TextEncoder().encode("RAFTSNAP");
/** The bytes of a snapshot begin here. */
export const headerBytes = 16;

export function snapshotName(number: number): string {
  return `snapshot-${String(number).padStart(10, "0")}`;
}

/** Reports whether a file is a snapshot, finished or not. */
export function isSnapshotName(name: string): boolean {
  return /^snapshot-\d{10,15}(\.tmp)?$/.test(name);
}

function encodeHeader(): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(headerBytes);
  header.set(magic);
  new DataView(header.buffer).setUint32(8, formatVersion, true);
  return header;
}

function encodeTrailer(ref: SnapshotRef): Uint8Array {
  const meta = encodeSnapshotRef(ref);
  const trailer = new Uint8Array(meta.length + 8);
  const view = new DataView(trailer.buffer);
  trailer.set(meta);
  view.setUint32(meta.length, meta.length, true);
  view.setUint32(meta.length + 4, crc32c(trailer.subarray(0, meta.length + 4), crc32c(encodeHeader())), true);
  return trailer;
}

/**
 * Checks a snapshot's file, except for the snapshot's own bytes.
 *
 * @throws {StorageError} `damaged`, or `unsupported_version`
 */
async function checkSnapshotFile(file: FileHandle, path: string, ref: SnapshotRef): Promise<void> {
  const header = await readFully(file, 0, headerBytes);
  const expected = encodeHeader();
  if (header.length < headerBytes || magic.some((byte, i) => header[i] !== byte)) {
    throw damaged(path, 0, "the file does not begin like a snapshot");
  }
  const version = new DataView(header.buffer, header.byteOffset).getUint32(8, true);
  if (version !== formatVersion) throw unsupportedVersion(path, `format ${version}`);
  if (expected.some((byte, i) => header[i] !== byte)) throw damaged(path, 12, "the header is not as it was written");
  const trailer = encodeTrailer(ref);
  const at = headerBytes + ref.meta.size;
  const found = await readFully(file, at, trailer.length + 1);
  if (found.length !== trailer.length || trailer.some((byte, i) => found[i] !== byte)) {
    throw damaged(path, at, "its end does not match the log");
  }
}

/** Opens the snapshot that the log names, and checks it except for its own bytes. */
export async function openSnapshotFile(
  folder: Folder,
  ref: SnapshotRef,
  path = folder.pathOf(snapshotName(ref.number)),
): Promise<SnapshotSource> {
  let file: FileHandle;
  try {
    file = await folder.fs.open(path, "read");
  } catch (error) {
    if (errorCode(error) === "ENOENT") throw damaged(path, 0, "the snapshot that the log names is missing", error);
    throw readFailure(path, error);
  }
  try {
    await checkSnapshotFile(file, path, ref);
  } catch (error) {
    await file.close();
    throw readFailure(path, error);
  }
  return {
    read: async (offset, length) => {
      const at = headerBytes + offset;
      const bytes = await readFully(file, at, length).catch((error) => {
        throw readFailure(path, error);
      });
      if (bytes.length < length) throw damaged(path, at, "the snapshot is cut off");
      return bytes;
    },
    close: () => file.close(),
    damaged: (reason) => damaged(path, headerBytes, reason),
  };
}

/** The snapshots of one folder: those being written, those staged, and the one in force. */
export class SnapshotFiles {
  readonly #folder: Folder;
  readonly #writers = new SnapshotWriters<SnapshotFile>();
  readonly #readers = new SnapshotReaders();
  #next: number;

  /** @param next a number above those of all files */
  constructor(folder: Folder, next: number) {
    this.#folder = folder;
    this.#next = next;
  }

  /** Begins a new snapshot, for {@linkcode Storage.createSnapshot}. */
  async create(): Promise<SnapshotWriter> {
    this.#folder.check();
    return await this.#writers.create(() => new SnapshotFile(this.#folder, this.#next++));
  }

  /**
   * Puts a staged snapshot in force: gives it its name, durably, lets `write` make
   * the log name it, and deletes the one before.
   */
  async putInForce(
    meta: SnapshotMeta,
    before: SnapshotRef | null,
    write: (ref: SnapshotRef) => Promise<void>,
  ): Promise<void> {
    const { fs } = this.#folder;
    await this.#writers.commit(meta, async (staged) => {
      await staged.medium.promote();
      await write({ number: staged.medium.number, meta: staged.meta });
      // A reader of the old one is not disturbed: an unlinked file lives as long as it is open.
      if (before !== null) await fs.unlink(this.#folder.pathOf(snapshotName(before.number))).catch(() => {});
    });
  }

  async open(ref: SnapshotRef): Promise<SnapshotReader> {
    return this.#readers.open(ref.meta, await openSnapshotFile(this.#folder, ref));
  }

  async close(): Promise<void> {
    await this.#readers.close();
    await this.#writers.close();
  }
}

/** `snapshot-N.tmp` while it is written and staged. */
class SnapshotFile implements SnapshotMedium {
  readonly number: number;
  readonly #folder: Folder;
  #file: FileHandle | null = null;
  #path: string;
  /** Set once it has its final name, which the log may give. */
  #promoted = false;
  #discarded = false;
  /** The number of calls that use the file. */
  #uses = 0;

  constructor(folder: Folder, number: number) {
    this.#folder = folder;
    this.number = number;
    this.#path = `${folder.pathOf(snapshotName(number))}.tmp`;
  }

  async begin(): Promise<void> {
    this.#file = await this.#folder.create(this.#path, encodeHeader());
    if (this.#discarded) await this.discard(false);
  }

  check(): void {
    this.#folder.check();
  }

  write(chunk: Uint8Array, offset: number): Promise<void> {
    return this.#use(async (file) => {
      try {
        await writeFully(file, chunk, headerBytes + offset);
      } catch (error) {
        throw this.#folder.unchanged(`writing ${this.#path}`, error);
      }
    });
  }

  stage(meta: SnapshotMeta): Promise<void> {
    return this.#use(async (file) => {
      await this.write(encodeTrailer({ number: this.number, meta }), meta.size);
      // Nothing has to be durable any longer.
      if (this.#discarded) throw this.#folder.unchanged(`staging ${this.#path}`, new Error("it was discarded"));
      await this.#folder.sync(file, this.#path);
      await file.close().catch(() => {});
    });
  }

  /** Uses the file, which a discard meanwhile does not close: a sync of a closed file would look like one that failed. */
  async #use(work: (file: FileHandle) => Promise<void>): Promise<void> {
    const file = this.#file!;
    this.#uses++;
    try {
      await work(file);
    } finally {
      this.#uses--;
      if (this.#discarded && this.#uses === 0) await file.close().catch(() => {});
    }
  }

  open(meta: SnapshotMeta): Promise<SnapshotSource> {
    return openSnapshotFile(this.#folder, { number: this.number, meta }, this.#path);
  }

  async discard(staged: boolean): Promise<void> {
    this.#discarded = true;
    // The batch that names it may be on the disk after all. Only the next start can tell, and cleans up.
    if (this.#promoted && this.#folder.inDoubt) return;
    await this.#folder.fs.unlink(this.#path).catch(() => {});
    // A write or sync may hang, and the file can't be closed before it ends.
    if (!staged && this.#uses === 0) void this.#file?.close().catch(() => {});
  }

  /** Gives the file its final name; only once, even if the batch failed and is persisted again. */
  async promote(): Promise<void> {
    if (this.#promoted) return;
    const path = this.#folder.pathOf(snapshotName(this.number));
    await this.#folder.rename(this.#path, path);
    this.#path = path;
    this.#promoted = true;
  }
}
