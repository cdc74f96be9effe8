/**
 * A file system in memory that treats its callers as badly as POSIX allows: a
 * crash may lose unsynced bytes, all or some of them; a creation, rename or removal
 * is lost unless the folder was synced; any operation may fail, write too little,
 * or never return. It is deterministic: random numbers are passed in.
 */

import { StorageError } from "../../lib/errors.ts";
import type { FileHandle, FileSystem, FolderLock, OpenMode } from "./file_system.ts";

/** The kinds of operations; the simulator's trace holds their positions here. */
export const FAKE_OPERATIONS = [
  "open",
  "read",
  "write",
  "sync",
  "truncate",
  "size",
  "close",
  "rename",
  "unlink",
  "readDirectory",
  "makeDirectory",
  "syncDirectory",
  "lock",
] as const;

export type FakeOperationType = typeof FAKE_OPERATIONS[number];

/** One call, counted from 1. */
export interface FakeOperation {
  readonly type: FakeOperationType;
  readonly path: string;
  readonly count: number;
  /** Bytes to be read or written. */
  readonly length: number;
  /** Bytes by which a write makes its file longer. */
  readonly growth: number;
}

/**
 * A fault of one operation.
 *
 * - `error`: it rejects with this POSIX code. A failed `sync` loses the bytes it should have written. A write
 *   may have taken some bytes before it failed, even all of them.
 * - `short`: a write that takes only this many bytes.
 * - `hang`: it never returns, and has no effect.
 * - `crash`: the machine stops, before the operation or after it; nothing returns from then on.
 */
export type FakeFault =
  | { readonly type: "error"; readonly code: string; readonly bytes?: number }
  | { readonly type: "short"; readonly bytes: number }
  | { readonly type: "hang" }
  | { readonly type: "crash"; readonly when: "before" | "after" };

/**
 * The unsynced data that survives a crash: `all`, `none`, or a random part.
 * `garbled`: each sector is kept, dropped, zeroed or full of garbage.
 */
export type Survival = "none" | "all" | "random" | "garbled";

type Fate = "kept" | "dropped" | "zeroed" | "garbage";
const fates: readonly Fate[] = ["kept", "dropped", "zeroed", "garbage"];

const sectorBytes = 512;

type Change = { readonly at: number; readonly data: Uint8Array } | { readonly size: number };

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
  /** The bytes that a running program sees. */
  readonly seen: Image = new Image();
  /** The bytes that the disk holds for certain. */
  readonly durable: Image = new Image();
  changes: Change[] = [];
  /** The offset of the bytes that the last sync made durable: rot from there on looks like a torn write. */
  lastSyncedAt = 0;

  apply(change: Change): void {
    this.seen.apply(change);
    this.changes.push(change);
  }

  sync(): void {
    const from = Math.min(...this.changes.map((change) => "size" in change ? change.size : change.at));
    for (const change of this.changes) this.durable.apply(change);
    this.changes = [];
    // Once a write is undone, the ones before it are the newest.
    if (from < this.durable.size) this.lastSyncedAt = from;
  }

  /** Acts like a failed sync: the kernel drops the bytes it could not write, and reports that once. */
  forget(): void {
    this.changes = [];
  }

  /**
   * Applies a crash. Each sector of each unsynced write has a fate of its own, and so
   * has each truncation. Zeros and garbage come from blocks that were allocated to
   * the file but never written: where durable bytes are overwritten, a sector is old
   * or new.
   */
  crash(fate: () => Fate, random: () => number): void {
    const durableSize = this.durable.size;
    for (const change of this.changes) {
      if ("size" in change) {
        if (fate() === "kept") this.durable.apply(change);
        continue;
      }
      for (const { at, data } of sectorsOf(change.at, change.data, durableSize)) {
        const became = fate();
        if (became === "kept") this.durable.apply({ at, data });
        else if (at < durableSize || became === "dropped") continue;
        else if (became === "zeroed") this.durable.apply({ at, data: new Uint8Array(data.length) });
        else this.durable.apply({ at, data: data.map(() => Math.floor(random() * 256)) });
      }
    }
    this.changes = [];
    this.seen.set(this.durable.bytes);
  }
}

/** Cuts a write at the borders of sectors and at the old end of the file. */
function* sectorsOf(start: number, data: Uint8Array, fileEnd: number): Iterable<{ at: number; data: Uint8Array }> {
  const end = start + data.length;
  for (let at = start; at < end;) {
    let next = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes);
    if (at < fileEnd && fileEnd < next) next = fileEnd;
    yield { at, data: data.subarray(at - start, next - start) };
    at = next;
  }
}

type Names = Map<string, Inode>;
type NameChange = { readonly remove: string | null; readonly add: string | null; readonly inode: Inode };

/** The parts of an operation that its caller names. */
type Operation = Pick<FakeOperation, "type"> & Partial<Pick<FakeOperation, "length" | "growth">>;

/** Files in memory, with every way to lose them. */
export class FakeFileSystem implements FileSystem {
  /** Called before each operation; may return a fault, at once or in virtual time. It may be replaced at any time. */
  intercept: (operation: FakeOperation) => Promise<FakeFault | undefined> | FakeFault | undefined = () => undefined;
  /** The number of operations so far. */
  operations = 0;
  /** True once a `crash` fault has stopped the machine. */
  crashed = false;
  #names: Names = new Map();
  #durableNames: Names = new Map();
  #nameChanges: NameChange[] = [];
  readonly #directories = new Set<string>();
  #locks = new Set<string>();
  /** Counts restarts: handles from before the last one fail. */
  #life = 0;

  /**
   * Simulates a power failure and a restart: locks are gone, open files are dead,
   * and `survival` determines how much of the unsynced data survives.
   *
   * @param random returns a number in [0, 1)
   */
  restart(survival: Survival, random: () => number): void {
    const fate = fateOf(survival, random);
    const names = new Map(this.#durableNames);
    for (const change of this.#nameChanges) if (fate() === "kept") applyNameChange(names, change);
    for (const inode of new Set([...names.values(), ...this.#names.values()])) inode.crash(fate, random);
    this.#names = names;
    this.#durableNames = new Map(names);
    this.#nameChanges = [];
    this.#locks = new Set();
    this.#life++;
    this.crashed = false;
  }

  /** Simulates the end of the process alone: locks are gone, open files are dead, nothing written is lost. */
  kill(): void {
    this.#locks = new Set();
    this.#life++;
    this.crashed = false;
  }

  /** Returns the bytes of a file, as a running program sees them. */
  bytesOf(path: string): Uint8Array {
    return this.#inode(path).seen.bytes.slice();
  }

  setBytes(path: string, bytes: Uint8Array): void {
    const inode = this.#names.get(path) ?? new Inode();
    inode.seen.set(bytes);
    inode.durable.set(bytes);
    inode.changes = [];
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  /**
   * Returns the number of bytes of a file that are durable and older than its last
   * sync: rot in any of them must be noticed. 0 if the file does not exist.
   */
  settledBytes(path: string): number {
    const inode = this.#durableNames.get(path);
    return inode === undefined ? 0 : Math.min(inode.durable.size, inode.lastSyncedAt);
  }

  /** Returns the number of bytes of a file that survive a crash for certain. */
  durableBytes(path: string): number {
    return this.#durableNames.get(path)?.durable.size ?? 0;
  }

  /** Flips bits of one durable byte. */
  rot(path: string, offset: number, bits: number): void {
    const inode = this.#inode(path);
    for (const image of [inode.seen, inode.durable]) if (offset < image.size) image.bytes[offset]! ^= bits;
  }

  remove(path: string): void {
    this.#names.delete(path);
    this.#durableNames.delete(path);
  }

  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    return await this.#run({ type: "open" }, path, () => {
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
    await this.#run({ type: "rename" }, from, () => this.#move(from, to));
  }

  async unlink(path: string): Promise<void> {
    await this.#run({ type: "unlink" }, path, () => this.#move(path, null));
  }

  #move(remove: string, add: string | null): void {
    const change = { remove, add, inode: this.#inode(remove) };
    applyNameChange(this.#names, change);
    this.#nameChanges.push(change);
  }

  async readDirectory(path: string): Promise<string[]> {
    return await this.#run({ type: "readDirectory" }, path, () => {
      if (!this.#directories.has(path)) throw posixError("ENOENT", path);
      const prefix = `${path}/`;
      return [...this.#names.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
    });
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#run({ type: "makeDirectory" }, path, () => void this.#directories.add(path));
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#run({ type: "syncDirectory" }, path, () => {
      const here = (name: string | null) => name !== null && parentOf(name) === path;
      for (const change of this.#nameChanges) {
        if (here(change.remove) || here(change.add)) applyNameChange(this.#durableNames, change);
      }
      this.#nameChanges = this.#nameChanges.filter((change) => !here(change.remove) && !here(change.add));
    });
  }

  async lock(path: string): Promise<FolderLock> {
    return await this.#run({ type: "lock" }, path, () => {
      const locks = this.#locks;
      if (locks.has(path)) {
        throw new StorageError(`the folder ${path} is locked`, { disk: "unchanged", code: "locked" });
      }
      locks.add(path);
      return { release: () => Promise.resolve(void locks.delete(path)) };
    });
  }

  #handle(path: string, inode: Inode, mode: OpenMode): FileHandle {
    const life = this.#life;
    let closed = false;
    const run = <T>(operation: Operation, act: () => T, partly?: (bytes: number) => T): Promise<T> => {
      const changes = operation.type === "write" || operation.type === "truncate";
      return this.#run(operation, path, () => {
        if (closed || life !== this.#life || (changes && mode === "read")) throw posixError("EBADF", path);
        return act();
      }, partly);
    };
    const write = (data: Uint8Array, at: number): number => {
      inode.apply({ at, data: data.slice() });
      return data.length;
    };
    return {
      read: (buffer, position) =>
        run({ type: "read", length: buffer.length }, () => {
          const bytes = inode.seen.bytes.subarray(position, position + buffer.length);
          buffer.set(bytes);
          return bytes.length;
        }),
      write: (data, position) =>
        run(
          { type: "write", length: data.length, growth: Math.max(0, position + data.length - inode.seen.size) },
          () => write(data, position),
          (bytes) => write(data.subarray(0, bytes), position),
        ),
      sync: () => run({ type: "sync" }, () => inode.sync(), () => inode.forget()),
      truncate: (size) => run({ type: "truncate" }, () => inode.apply({ size })),
      size: () => run({ type: "size" }, () => inode.seen.size),
      close: () => run({ type: "close" }, () => void (closed = true)),
    };
  }

  /** Runs an operation with its faults; a short write or a failed sync calls `partly` in place of `act`. */
  async #run<T>(operation: Operation, path: string, act: () => T, partly?: (bytes: number) => T): Promise<T> {
    if (this.crashed) await never();
    const life = this.#life;
    const { type } = operation;
    const fault = await this.intercept({ length: 0, growth: 0, ...operation, path, count: ++this.operations });
    if (this.crashed || life !== this.#life) await never();
    if (fault === undefined) return act();
    if (fault.type === "hang") return await never();
    if (fault.type === "short") return partly === undefined || type === "sync" ? act() : partly(fault.bytes);
    if (fault.type === "error") {
      if (type === "sync") partly?.(0);
      else if (fault.bytes !== undefined) partly?.(fault.bytes);
      throw posixError(fault.code, path);
    }
    try {
      if (fault.when === "after") act();
    } finally {
      this.crashed = true;
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

function fateOf(survival: Survival, random: () => number): () => Fate {
  const made: Record<Survival, () => Fate> = {
    all: () => "kept",
    none: () => "dropped",
    random: () => random() < 0.5 ? "kept" : "dropped",
    garbled: () => fates[Math.floor(random() * fates.length)]!,
  };
  return made[survival];
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
