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
import { StorageError } from "../../lib/errors.ts";
import type { SnapshotMeta } from "../../lib/raft/types.ts";
import type { SnapshotReader, SnapshotWriter } from "../../lib/storage.ts";
import { failure, storageClosed } from "../log_rules.ts";
import { type SnapshotMedium, SnapshotWriters } from "../snapshot_writer.ts";
import type { DiskHealth } from "./disk_health.ts";
import { damaged, unsupportedVersion } from "./file_errors.ts";
import type { FileHandle, FileSystem } from "./file_system.ts";
import { errorCode, readFully, writeFully } from "./file_system.ts";
import { encodeSnapshotRef, formatVersion } from "./segment.ts";
import type { SnapshotRef } from "./segment.ts";
import { renameDurably } from "./write_ahead_log.ts";

const magic = new TextEncoder().encode("RAFTSNAP");
const headerBytes = 16;

export function snapshotName(file: number): string {
  return `snapshot-${String(file).padStart(10, "0")}`;
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
export async function checkSnapshotFile(file: FileHandle, path: string, ref: SnapshotRef): Promise<void> {
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

/** Opens the snapshot that the log names, and checks it. */
export async function openSnapshotFile(fs: FileSystem, dir: string, ref: SnapshotRef): Promise<FileHandle> {
  const path = `${dir}/${snapshotName(ref.file)}`;
  let file: FileHandle;
  try {
    file = await fs.open(path, "read");
  } catch (error) {
    if (errorCode(error) === "ENOENT") throw damaged(path, 0, "the snapshot that the log names is missing", error);
    throw failure(`opening ${path} failed (${errorCode(error)})`, "unchanged", error);
  }
  try {
    await checkSnapshotFile(file, path, ref);
  } catch (error) {
    await file.close();
    if (error instanceof StorageError) throw error;
    throw failure(`reading ${path} failed (${errorCode(error)})`, "unchanged", error);
  }
  return file;
}

/** The snapshots of one folder: those being written, those staged, and the one in force. */
export class SnapshotFiles {
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #health: DiskHealth;
  readonly #writers = new SnapshotWriters<SnapshotFile>();
  readonly #readers = new Set<FileSnapshotReader>();
  #next: number;

  /** @param next a number above those of all files */
  constructor(fs: FileSystem, dir: string, health: DiskHealth, next: number) {
    this.#fs = fs;
    this.#dir = dir;
    this.#health = health;
    this.#next = next;
  }

  /** Begins a new snapshot, for {@linkcode Storage.createSnapshot}. */
  async create(): Promise<SnapshotWriter> {
    this.#health.check();
    return this.#writers.create(await SnapshotFile.create(this.#fs, this.#dir, this.#health, this.#next++));
  }

  /** Gives a staged snapshot its name, durably; the log may name it from then on. */
  async promote(meta: SnapshotMeta): Promise<SnapshotRef> {
    const staged = this.#writers.staged(meta);
    await staged.medium.promote();
    return { file: staged.medium.number, meta: staged.meta };
  }

  /** Notes that the log names a snapshot now, and deletes the one before. */
  async inForce(ref: SnapshotRef, before: SnapshotRef | null): Promise<void> {
    this.#writers.inForce(ref.meta);
    // A reader of the old one is not disturbed: an unlinked file lives as long as it is open.
    if (before !== null) await this.#fs.unlink(`${this.#dir}/${snapshotName(before.file)}`).catch(() => {});
  }

  async open(ref: SnapshotRef): Promise<SnapshotReader> {
    const file = await openSnapshotFile(this.#fs, this.#dir, ref);
    const path = `${this.#dir}/${snapshotName(ref.file)}`;
    const reader = new FileSnapshotReader(file, path, ref.meta, () => this.#readers.delete(reader));
    this.#readers.add(reader);
    return reader;
  }

  async close(): Promise<void> {
    for (const reader of [...this.#readers]) await reader.close().catch(() => {});
    await this.#writers.close();
  }
}

/** `snapshot-N.tmp` while it is written and staged. */
class SnapshotFile implements SnapshotMedium {
  readonly number: number;
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #health: DiskHealth;
  readonly #file: FileHandle;
  #path: string;
  /** Set once it has its final name, which the log may give. */
  #promoted = false;

  constructor(fs: FileSystem, dir: string, health: DiskHealth, file: FileHandle, path: string, number: number) {
    this.#fs = fs;
    this.#dir = dir;
    this.#health = health;
    this.#file = file;
    this.#path = path;
    this.number = number;
  }

  static async create(fs: FileSystem, dir: string, health: DiskHealth, number: number): Promise<SnapshotFile> {
    const path = `${dir}/${snapshotName(number)}.tmp`;
    let file: FileHandle | undefined;
    try {
      file = await fs.open(path, "create");
      await writeFully(file, encodeHeader(), 0);
      return new SnapshotFile(fs, dir, health, file, path, number);
    } catch (error) {
      await file?.close().catch(() => {});
      if (file !== undefined) await fs.unlink(path).catch(() => {});
      throw health.unchanged(`writing ${path}`, error);
    }
  }

  check(): void {
    this.#health.check();
  }

  async write(chunk: Uint8Array, offset: number): Promise<void> {
    try {
      await writeFully(this.#file, chunk, headerBytes + offset);
    } catch (error) {
      throw this.#health.unchanged(`writing ${this.#path}`, error);
    }
  }

  async stage(meta: SnapshotMeta): Promise<void> {
    await this.write(encodeTrailer({ file: this.number, meta }), meta.size);
    try {
      await this.#file.sync();
    } catch (error) {
      throw this.#health.doubt(`syncing ${this.#path}`, error);
    }
    await this.#file.close().catch(() => {});
  }

  async discard(staged: boolean): Promise<void> {
    if (!staged) await this.#file.close().catch(() => {});
    // The batch that names it may be on the disk after all. Only the next start can tell, and cleans up.
    if (this.#promoted && this.#health.inDoubt) return;
    await this.#fs.unlink(this.#path).catch(() => {});
  }

  /** Gives the file its final name; only once, even if the batch failed and is persisted again. */
  async promote(): Promise<void> {
    if (this.#promoted) return;
    const path = `${this.#dir}/${snapshotName(this.number)}`;
    await renameDurably(this.#fs, this.#health, this.#dir, this.#path, path);
    this.#path = path;
    this.#promoted = true;
  }
}

/** A reader that checks the checksum of a snapshot when it is read from beginning to end. */
export class FileSnapshotReader implements SnapshotReader {
  readonly meta: SnapshotMeta;
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #onClose: () => void;
  #closed = false;
  /** The bytes read in sequence so far, and their checksum. */
  #checked = 0;
  #checksum = 0;

  constructor(file: FileHandle, path: string, meta: SnapshotMeta, onClose: () => void) {
    this.#file = file;
    this.#path = path;
    this.meta = meta;
    this.#onClose = onClose;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (this.#closed) throw storageClosed();
    const wanted = Math.max(0, Math.min(length, this.meta.size - offset));
    let bytes: Uint8Array;
    try {
      bytes = await readFully(this.#file, headerBytes + offset, wanted);
    } catch (error) {
      throw failure(`reading ${this.#path} failed (${errorCode(error)})`, "unchanged", error);
    }
    if (bytes.length < wanted) throw damaged(this.#path, headerBytes + offset, "the snapshot is cut off");
    this.#check(offset, bytes);
    return bytes;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
    await this.#file.close();
  }

  #check(offset: number, bytes: Uint8Array): void {
    if (offset !== this.#checked || bytes.length === 0) return;
    this.#checksum = crc32c(bytes, this.#checksum);
    this.#checked += bytes.length;
    if (this.#checked === this.meta.size && this.#checksum !== this.meta.checksum) {
      throw damaged(this.#path, headerBytes, "the snapshot's bytes have a wrong checksum");
    }
  }
}
