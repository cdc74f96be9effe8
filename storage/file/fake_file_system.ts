/**
 * A file system in memory that treats its callers as badly as POSIX allows:
 * what was not synced may be lost at a crash, or half of it; a creation, rename
 * or removal is lost unless the folder was synced; any operation may fail, write
 * too little, or never return. Deterministic: chance is handed in.
 *
 * @module
 */

import { StorageError } from "../../lib/errors.ts";
import type { FileHandle, FileSystem, FolderLock, OpenMode } from "./file_system.ts";

/** What a {@linkcode FakeFileSystem} is asked to do. */
export type FakeOperationType =
  | "open"
  | "read"
  | "write"
  | "sync"
  | "truncate"
  | "size"
  | "close"
  | "rename"
  | "unlink"
  | "readDirectory"
  | "makeDirectory"
  | "syncDirectory"
  | "lock";

/** One call, counted from 1. */
export interface FakeOperation {
  readonly type: FakeOperationType;
  readonly path: string;
  readonly count: number;
  /** Bytes to be read or written. */
  readonly length: number;
}

/**
 * What is to go wrong with an operation.
 *
 * - `error`: it rejects with this POSIX code. A failed `sync` loses what it should have written.
 * - `short`: a write that takes only so many bytes.
 * - `hang`: it never returns, and has no effect.
 * - `crash`: the machine stops, before the operation or after it; nothing returns any more.
 */
export type FakeFault =
  | { readonly type: "error"; readonly code: string }
  | { readonly type: "short"; readonly bytes: number }
  | { readonly type: "hang" }
  | { readonly type: "crash"; readonly when: "before" | "after" };

/** Options of {@linkcode FakeFileSystem}. */
export interface FakeFileSystemOptions {
  /** Asked before each operation; may return a fault, at once or in virtual time. @default none */
  readonly intercept?: (operation: FakeOperation) => Promise<FakeFault | undefined> | FakeFault | undefined;
}

/** How much of what was not synced survives a crash: `all`, `none`, or whatever chance says. */
export type Survival = "none" | "all" | "random";

const sectorBytes = 512;

type Change = { readonly at: number; readonly data: Uint8Array } | { readonly size: number };

/** Bytes that grow in place. */
class Image {
  #data: Uint8Array = new Uint8Array();
  size = 0;

  get bytes(): Uint8Array {
    return this.#data.subarray(0, this.size);
  }

  set(bytes: Uint8Array): void {
    this.#data = bytes.slice();
    this.size = bytes.length;
  }

  apply(change: Change): void {
    if ("size" in change) return this.#resize(change.size);
    this.#resize(Math.max(this.size, change.at + change.data.length));
    this.#data.set(change.data, change.at);
  }

  #resize(size: number): void {
    if (size > this.#data.length) {
      const grown = new Uint8Array(Math.max(size, this.#data.length * 2));
      grown.set(this.bytes);
      this.#data = grown;
    }
    if (size < this.size) this.#data.fill(0, size, this.size);
    this.size = size;
  }
}

class Inode {
  /** What a running program sees. */
  readonly seen: Image = new Image();
  /** What the disk holds for certain. */
  readonly durable: Image = new Image();
  /** What was done to it since. */
  changes: Change[] = [];

  apply(change: Change): void {
    this.seen.apply(change);
    this.changes.push(change);
  }

  sync(): void {
    for (const change of this.changes) this.durable.apply(change);
    this.changes = [];
  }

  /** As after a sync that failed: the kernel forgets what it could not write, and says so once. */
  forget(): void {
    this.changes = [];
  }

  /** Each sector of each write that was not synced survives or not; so does each truncation. */
  crash(survives: () => boolean): void {
    for (const change of this.changes) {
      if ("size" in change) {
        if (survives()) this.durable.apply(change);
        continue;
      }
      const end = change.at + change.data.length;
      for (let at = change.at; at < end;) {
        const next = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes);
        const data = change.data.subarray(at - change.at, next - change.at);
        if (survives()) this.durable.apply({ at, data });
        at = next;
      }
    }
    this.changes = [];
    this.seen.set(this.durable.bytes);
  }
}

type Names = Map<string, Inode>;
type NameChange = { readonly remove: string | null; readonly add: string | null; readonly inode: Inode };

/** Files in memory, and every way to lose them. */
export class FakeFileSystem implements FileSystem {
  /** Asked before each operation; may be replaced at any time. */
  intercept: (operation: FakeOperation) => Promise<FakeFault | undefined> | FakeFault | undefined;
  #names: Names = new Map();
  #durableNames: Names = new Map();
  #nameChanges: NameChange[] = [];
  readonly #directories = new Set<string>();
  #locks = new Set<string>();
  #operations = 0;
  /** Handles of an earlier life fail. */
  #life = 0;
  #crashed = false;

  constructor(options: FakeFileSystemOptions = {}) {
    this.intercept = options.intercept ?? (() => undefined);
  }

  /** Operations so far. */
  get operations(): number {
    return this.#operations;
  }

  /** Whether a `crash` fault has stopped it. */
  get crashed(): boolean {
    return this.#crashed;
  }

  /**
   * The machine loses power and starts again: locks are gone, open files are
   * dead, and of what was not synced as much survives as `survival` says.
   *
   * @param random a number in [0, 1)
   */
  restart(survival: Survival, random: () => number): void {
    const survives = survival === "random" ? () => random() < 0.5 : () => survival === "all";
    const names = new Map(this.#durableNames);
    for (const change of this.#nameChanges) if (survives()) applyNameChange(names, change);
    for (const inode of new Set([...names.values(), ...this.#names.values()])) inode.crash(survives);
    this.#names = names;
    this.#durableNames = new Map(names);
    this.#nameChanges = [];
    this.#locks = new Set();
    this.#life++;
    this.#crashed = false;
  }

  /** The process ends and the machine goes on: locks are gone, open files are dead, nothing written is lost. */
  kill(): void {
    this.#locks = new Set();
    this.#life++;
    this.#crashed = false;
  }

  /** The bytes of a file, as a running program sees them. */
  bytesOf(path: string): Uint8Array {
    return this.#inode(path).seen.bytes.slice();
  }

  /** Replaces a file's bytes, durably. */
  setBytes(path: string, bytes: Uint8Array): void {
    const inode = this.#names.get(path) ?? new Inode();
    inode.seen.set(bytes);
    inode.durable.set(bytes);
    inode.changes = [];
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  /** Removes a file, durably. */
  remove(path: string): void {
    this.#names.delete(path);
    this.#durableNames.delete(path);
  }

  /** All files, sorted. */
  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    return await this.#run("open", path, 0, () => {
      if (mode === "create") {
        if (this.#names.has(path)) throw posixError("EEXIST", path);
        if (!this.#directories.has(parentOf(path))) throw posixError("ENOENT", path);
        const inode = new Inode();
        this.#names.set(path, inode);
        this.#nameChanges.push({ remove: null, add: path, inode });
      }
      return this.#handle(path, this.#inode(path), mode);
    });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#run("rename", from, 0, () => {
      const change = { remove: from, add: to, inode: this.#inode(from) };
      applyNameChange(this.#names, change);
      this.#nameChanges.push(change);
    });
  }

  async unlink(path: string): Promise<void> {
    await this.#run("unlink", path, 0, () => {
      const change = { remove: path, add: null, inode: this.#inode(path) };
      applyNameChange(this.#names, change);
      this.#nameChanges.push(change);
    });
  }

  async readDirectory(path: string): Promise<string[]> {
    return await this.#run("readDirectory", path, 0, () => {
      if (!this.#directories.has(path)) throw posixError("ENOENT", path);
      const prefix = `${path}/`;
      return [...this.#names.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
    });
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#run("makeDirectory", path, 0, () => void this.#directories.add(path));
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#run("syncDirectory", path, 0, () => {
      const here = (name: string | null) => name !== null && parentOf(name) === path;
      for (const change of this.#nameChanges) {
        if (here(change.remove) || here(change.add)) applyNameChange(this.#durableNames, change);
      }
      this.#nameChanges = this.#nameChanges.filter((change) => !here(change.remove) && !here(change.add));
    });
  }

  async lock(path: string): Promise<FolderLock> {
    return await this.#run("lock", path, 0, () => {
      const locks = this.#locks;
      if (locks.has(path)) {
        throw new StorageError(`The folder ${path} is locked.`, { disk: "unchanged", code: "locked" });
      }
      locks.add(path);
      return {
        release: () => {
          locks.delete(path);
          return Promise.resolve();
        },
      };
    });
  }

  #handle(path: string, inode: Inode, mode: OpenMode): FileHandle {
    const life = this.#life;
    let closed = false;
    const run = <T>(type: FakeOperationType, length: number, act: () => T, short?: (bytes: number) => T): Promise<T> =>
      this.#run(type, path, length, () => {
        if (closed || life !== this.#life) throw posixError("EBADF", path);
        if (mode === "read" && (type === "write" || type === "truncate")) throw posixError("EBADF", path);
        return act();
      }, short);
    const write = (data: Uint8Array, at: number): number => {
      inode.apply({ at, data: data.slice() });
      return data.length;
    };
    return {
      read: (buffer, position) =>
        run("read", buffer.length, () => {
          const bytes = inode.seen.bytes.subarray(position, position + buffer.length);
          buffer.set(bytes);
          return bytes.length;
        }),
      write: (data, position) =>
        run("write", data.length, () => write(data, position), (bytes) => write(data.subarray(0, bytes), position)),
      sync: () => run("sync", 0, () => inode.sync(), () => inode.forget()),
      truncate: (size) => run("truncate", 0, () => inode.apply({ size })),
      size: () => run("size", 0, () => inode.seen.size),
      close: () => run("close", 0, () => void (closed = true)),
    };
  }

  /** `partly` is what is done in place of `act` by a short write or a failed sync. */
  async #run<T>(
    type: FakeOperationType,
    path: string,
    length: number,
    act: () => T,
    partly?: (bytes: number) => T,
  ): Promise<T> {
    if (this.#crashed) await never();
    const life = this.#life;
    const fault = await this.intercept({ type, path, length, count: ++this.#operations });
    if (this.#crashed || life !== this.#life) await never();
    if (fault === undefined) return act();
    if (fault.type === "hang") return await never();
    if (fault.type === "short") return partly === undefined || type === "sync" ? act() : partly(fault.bytes);
    if (fault.type === "error") {
      if (type === "sync") partly?.(0);
      throw posixError(fault.code, path);
    }
    try {
      if (fault.when === "after") act();
    } finally {
      this.#crashed = true;
      await never();
    }
    return await never();
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw posixError("ENOENT", path);
    return inode;
  }
}

function applyNameChange(names: Names, { remove, add, inode }: NameChange): void {
  if (remove !== null && names.get(remove) === inode) names.delete(remove);
  if (add !== null) names.set(add, inode);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function posixError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

function never(): Promise<never> {
  return new Promise(() => {});
}
