/**
 * A lock on a folder by files alone, as `node:fs` has no `flock`: the same in
 * Deno, Node and Bun, and between them.
 *
 * The file `lock-N` with the highest N names the process that holds the folder:
 * process id, start time of that process, machine and boot. The lock is free if no
 * such process runs, or if its id now belongs to one with another start time.
 *
 * To take it, a process writes a file of its own and links it as `lock-(N+1)`.
 * The link fails if that name exists, so one of two takers wins; and the file is
 * complete when it appears. A taker that was slow may have read N long ago, and
 * link a number that was used and deleted since. So it checks again afterwards:
 * its own must be the highest, and `lock-N` must still exist, because a winner deletes
 * older files oldest first, and only after it has won. The newest is never
 * deleted, but emptied when it is released, which needs no space on the disk.
 *
 * Process ids of another container mean nothing here. So before it links, a taker
 * also listens on a socket of its own, `lock.*.sock`, which the file names. The
 * kernel closes the socket with the process, however that ends; and a taker that
 * can't judge the holder by its id connects. If the connection is refused, the
 * holder is gone. The name is new each time, and a winner deletes the sockets of
 * others only after the older files that name them. So a missing socket proves
 * nothing, but then the file may have changed, and is read again.
 *
 * A holder whose state can't be determined counts as alive: where there is no
 * usable socket (node_lock_socket.ts), as on a disk shared by several machines, or
 * in a folder whose path is too long for one.
 */

import { StorageError } from "../../lib/errors.ts";
import { errorCode } from "./file_system.ts";
import type { FolderLock } from "./file_system.ts";

/** The process that holds a lock. */
export interface LockOwner {
  readonly pid: number;
  /** Its start time, in the unit of the system; empty if unknown. */
  readonly startedAt: string;
  readonly machine: string;
  /** An id that changes with each start of the machine; empty if unknown. */
  readonly boot: string;
  /** The namespace of process ids; empty if unknown. */
  readonly namespace: string;
  /** The name of its socket in the folder; empty if it has none. */
  readonly socket: string;
}

/** The interface of the lock to the system. */
export interface LockHost {
  /** Describes this process, without a socket. */
  self(): Promise<LockOwner>;
  /** Reports whether a process still runs, judging by its id. */
  stateOf(owner: LockOwner): Promise<"alive" | "dead" | "unknown">;
  /**
   * Listens on a new socket file until this process ends. Returns a function that
   * ends it before and deletes the file; `undefined` where a socket would prove nothing.
   */
  listen(path: string): Promise<(() => Promise<void>) | undefined>;
  /** Reports whether a process listens on a socket file; `dead` only if it is certain that none does. */
  ask(path: string): Promise<"alive" | "dead" | "unknown">;
  randomName(): string;
  readDirectory(path: string): Promise<string[]>;
  readText(path: string): Promise<string>;
  writeNew(path: string, text: string): Promise<void>;
  /** Gives a file a second name; `EEXIST` if it is taken. */
  link(from: string, to: string): Promise<void>;
  truncate(path: string): Promise<void>;
  unlink(path: string): Promise<void>;
}

const attempts = 100;

/** @throws {StorageError} `locked` */
export async function lockFolder(host: LockHost, dir: string): Promise<FolderLock> {
  const self = await host.self();
  for (let attempt = 0; attempt < attempts; attempt++) {
    const lock = await tryLock(host, dir, self);
    if (lock !== undefined) return lock;
  }
  throw lockedError(dir, "other processes are taking it at the same time", "Try again.");
}

/** Tries to take the lock; `undefined` if another process was faster. */
async function tryLock(host: LockHost, dir: string, self: LockOwner): Promise<FolderLock | undefined> {
  const before = lockNumbers(await host.readDirectory(dir)).at(-1) ?? 0;
  if (before > 0 && !await isFree(host, dir, before)) return undefined;
  const name = `lock.${host.randomName()}`;
  const socketName = `${name}.sock`;
  const closeSocket = await host.listen(`${dir}/${socketName}`);
  let won = false;
  try {
    const owner = { ...self, socket: closeSocket === undefined ? "" : socketName };
    won = await linkLock(host, dir, before, `${dir}/${name}.tmp`, owner);
  } finally {
    if (!won) await closeSocket?.();
  }
  if (!won) return undefined;
  return {
    release: async () => {
      try {
        await host.truncate(lockPath(dir, before + 1));
      } finally {
        await closeSocket?.();
      }
    },
  };
}

/** Links a lock that follows `before`; reports whether it is in force. */
async function linkLock(
  host: LockHost,
  dir: string,
  before: number,
  candidate: string,
  owner: LockOwner,
): Promise<boolean> {
  const own = before + 1;
  try {
    await host.writeNew(candidate, `${JSON.stringify(owner)}\n`);
    await host.link(candidate, lockPath(dir, own));
  } catch (error) {
    // The lock is taken, or its new holder has removed the candidate.
    if (["EEXIST", "ENOENT"].includes(errorCode(error))) return false;
    throw error;
  } finally {
    await host.unlink(candidate).catch(() => {});
  }
  const names = await host.readDirectory(dir);
  const numbers = lockNumbers(names);
  if (numbers.at(-1) !== own || (before > 0 && !numbers.includes(before))) {
    await host.unlink(lockPath(dir, own)).catch(() => {});
    return false;
  }
  const stale = names.filter((name) => /^lock\..*\.(tmp|sock)$/.test(name) && name !== owner.socket);
  for (const number of numbers) if (number < own) await host.unlink(lockPath(dir, number)).catch(() => {});
  for (const name of stale) await host.unlink(`${dir}/${name}`).catch(() => {});
  return true;
}

/** Reports whether a lock was released or its holder is gone; false also if the file has just been replaced. */
async function isFree(host: LockHost, dir: string, number: number): Promise<boolean> {
  const path = lockPath(dir, number);
  const text = await readLock(host, path);
  if (text === undefined) return false;
  // A lock is complete before it gets its name: an unreadable one was released, or met a power failure.
  const owner = parseOwner(text);
  if (owner === undefined) return true;
  let state = await host.stateOf(owner);
  if (state === "unknown" && owner.socket !== "") state = await host.ask(`${dir}/${owner.socket}`);
  if (state === "dead") return true;
  if (state === "alive") {
    throw lockedError(dir, `process ${owner.pid} has it open`, "Stop that process, or use another data folder.");
  }
  // The socket may be missing because the lock was released or taken over since.
  if (await readLock(host, path) !== text) return false;
  const machine = owner.machine || "an unknown machine";
  throw lockedError(
    dir,
    `process ${owner.pid} of ${machine} may have it open, which can't be checked from here`,
    `If that process is gone for certain, delete ${path}.`,
  );
}

/** Reads a lock; `undefined` if it does not exist. */
function readLock(host: LockHost, path: string): Promise<string | undefined> {
  return host.readText(path).catch((error) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
}

function lockPath(dir: string, number: number): string {
  return `${dir}/lock-${number}`;
}

function lockNumbers(names: readonly string[]): number[] {
  return names.filter((name) => /^lock-\d{1,15}$/.test(name)).map((name) => Number(name.slice(5))).sort((a, b) =>
    a - b
  );
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const { pid, startedAt, machine, boot, namespace, socket } = JSON.parse(text) as Record<keyof LockOwner, unknown>;
    if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
    return {
      pid,
      startedAt: textOf(startedAt),
      machine: textOf(machine),
      boot: textOf(boot),
      namespace: textOf(namespace),
      socket: /^lock\.[\w-]+\.sock$/.test(textOf(socket)) ? textOf(socket) : "",
    };
  } catch (_error) {
    return undefined;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function lockedError(dir: string, reason: string, hint: string): StorageError {
  return new StorageError(`the folder ${dir} is locked: ${reason}`, { disk: "unchanged", code: "locked", hint });
}
