/**
 * The interface of the file storage to a file system. One implementation
 * binds it to `node:fs`, which Deno, Node and Bun have (node_file_system.ts);
 * another keeps files in memory and fails on demand (fake_file_system.ts).
 *
 * Paths use `/`. Every rejection is an `Error` whose `code` is a POSIX name:
 * `ENOENT`, `EEXIST`, `ENOSPC`, `EIO`, …
 *
 * @module
 */

/**
 * How a file is opened: `read` an existing one, `write` an existing one (and
 * read it), or `create` one that must not exist, to write and read it.
 */
export type OpenMode = "read" | "write" | "create";

/** An open file. It stays readable after it is renamed or unlinked. */
export interface FileHandle {
  /** Reads into `buffer` from `position`; resolves with the number of bytes, 0 only at the end of the file. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** Writes at `position`; resolves with the number of bytes, which may be fewer than given. */
  write(data: Uint8Array, position: number): Promise<number>;
  /** Makes all writes and the file's length durable (`fdatasync`). */
  sync(): Promise<void>;
  /** Cuts the file to `size` bytes. */
  truncate(size: number): Promise<void>;
  /** Returns the file's length in bytes. */
  size(): Promise<number>;
  /** Closes the file. This does not make anything durable. */
  close(): Promise<void>;
}

/** A lock that keeps other processes, and other storages of this process, out of a folder. */
export interface FolderLock {
  /** Releases the lock. */
  release(): Promise<void>;
}

/** Files and folders. New files have mode 0600, new folders 0700. */
export interface FileSystem {
  /** Opens or creates a file. A new name is durable after {@linkcode FileSystem.syncDirectory}. */
  open(path: string, mode: OpenMode): Promise<FileHandle>;
  /** Renames a file; replaces `to` atomically. Durable after {@linkcode FileSystem.syncDirectory}. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file. Durable after {@linkcode FileSystem.syncDirectory}. */
  unlink(path: string): Promise<void>;
  /** Lists the names in a folder, in no particular order. */
  readDirectory(path: string): Promise<string[]>;
  /** Creates a folder and its parents if they are missing; durable when this resolves. */
  makeDirectory(path: string): Promise<void>;
  /** Makes creations, renames and removals in a folder durable. */
  syncDirectory(path: string): Promise<void>;
  /**
   * Locks a folder. The lock of a process that no longer runs is taken over.
   *
   * @throws {StorageError} `locked`, naming the process that holds it
   */
  lock(path: string): Promise<FolderLock>;
}

/** Returns the POSIX name in a file system's error; empty if there is none. */
export function errorCode(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

/** Reads exactly `length` bytes from `position`; fewer only at the end of the file. */
export async function readFully(file: FileHandle, position: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const read = await file.read(buffer.subarray(filled), position + filled);
    if (read === 0) break;
    filled += read;
  }
  return buffer.subarray(0, filled);
}

/** Writes all of `data`, however many calls that takes. */
export async function writeFully(file: FileHandle, data: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < data.length) {
    const more = await file.write(data.subarray(written), position + written);
    if (more === 0) throw Object.assign(new Error("the file system wrote nothing"), { code: "EIO" });
    written += more;
  }
}
