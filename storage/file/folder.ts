/**
 * A data folder, and what is known about its disk after a failed fsync: the kernel
 * may have dropped the bytes that it could not write, and reports that only once; a
 * second fsync that succeeds would prove nothing. So from then on nothing is written
 * or synced, until a restart reads what is really on the disk.
 */

import type { StorageError } from "../../lib/errors.ts";
import { failure } from "../log_rules.ts";
import type { FileHandle, FileSystem } from "./file_system.ts";
import { errorCode, writeFully } from "./file_system.ts";

/** A folder of a {@linkcode FileSystem}, shared by all parts of a storage. */
export class Folder {
  readonly fs: FileSystem;
  readonly dir: string;
  #doubt: string | null = null;

  constructor(fs: FileSystem, dir: string) {
    this.fs = fs;
    this.dir = dir;
  }

  /** True once the content of the disk is unknown. */
  get inDoubt(): boolean {
    return this.#doubt !== null;
  }

  /** @throws {StorageError} `in_doubt` after a failure that left the disk in doubt */
  check(): void {
    if (this.#doubt !== null) {
      throw failure(`the disk is in doubt since an earlier failure: ${this.#doubt}`, "in_doubt");
    }
  }

  /** Notes a failure that leaves the content of the disk unknown, and throws its error. */
  doubt(what: string, cause: unknown): never {
    const error = failure(`${what} failed${reason(cause)}; the disk is in doubt`, "in_doubt", cause);
    this.#doubt ??= error.message;
    throw error;
  }

  /** Creates the error of a failure that changed nothing on the disk. */
  unchanged(what: string, cause: unknown): StorageError {
    return failure(`${what} failed${reason(cause)}; the disk is unchanged`, "unchanged", cause);
  }

  pathOf(name: string): string {
    return `${this.dir}/${name}`;
  }

  /** Opens a file, and closes it after `use`. */
  async read<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
    const file = await this.fs.open(path, "read");
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  }

  /** Creates a file that begins with `bytes`. It is removed if that fails. */
  async create(path: string, bytes: Uint8Array): Promise<FileHandle> {
    this.check();
    let file: FileHandle | undefined;
    try {
      file = await this.fs.open(path, "create");
      await writeFully(file, bytes, 0);
      return file;
    } catch (error) {
      await file?.close().catch(() => {});
      if (file !== undefined) await this.fs.unlink(path).catch(() => {});
      throw this.unchanged(`writing ${path}`, error);
    }
  }

  async sync(file: FileHandle, path: string): Promise<void> {
    try {
      await file.sync();
    } catch (error) {
      this.doubt(`syncing ${path}`, error);
    }
  }

  /** Creates and syncs a file, which the caller renames. */
  async createSynced(path: string, bytes: Uint8Array): Promise<FileHandle> {
    const file = await this.create(path, bytes);
    try {
      await this.sync(file, path);
      return file;
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
  }

  /** Renames a file durably. */
  async rename(from: string, to: string): Promise<void> {
    this.check();
    try {
      await this.fs.rename(from, to);
      await this.fs.syncDirectory(this.dir);
    } catch (error) {
      this.doubt(`renaming ${from}`, error);
    }
  }

  /** Deletes a file durably, if it exists. */
  async remove(path: string): Promise<void> {
    try {
      await this.fs.unlink(path).catch((error) => {
        if (errorCode(error) !== "ENOENT") throw error;
      });
      await this.fs.syncDirectory(this.dir);
    } catch (error) {
      this.doubt(`deleting ${path}`, error);
    }
  }
}

function reason(cause: unknown): string {
  const code = errorCode(cause);
  if (code === "ENOSPC") return ": no space left (ENOSPC)";
  if (code !== "") return ` (${code})`;
  return cause instanceof Error ? `: ${cause.message}` : "";
}
