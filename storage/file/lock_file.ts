/**
 * A lock on a folder by files alone, as `node:fs` has no `flock`: the same in
 * Deno, Node and Bun, and between them.
 *
 * Who holds the folder stands in `lock-N`, the one with the highest N: process
 * id, start time of that process, machine and boot. A process that is gone, or
 * whose id now belongs to a process that started at another time, holds nothing.
 *
 * To take it, a process writes a file of its own and links it as `lock-(N+1)`.
 * The link fails if that name exists, so of two takers one wins; and the file is
 * complete when it appears. A taker that was slow may have read N long ago, and
 * link a number that was used and deleted since. So it looks again afterwards:
 * its own must be the highest, and `lock-N` still there, because a winner deletes
 * older files oldest first, and only after it has won. The newest is never
 * deleted, but emptied when it is released, which needs no space on the disk.
 *
 * Where nothing can be known about the holder (another machine on a shared disk,
 * another container), it counts as alive.
 *
 * @module
 */

import { StorageError } from "../../lib/errors.ts";
import { errorCode } from "./file_system.ts";
import type { FolderLock } from "./file_system.ts";

/** The process that holds a lock. */
export interface LockOwner {
  readonly pid: number;
  /** When it started, in whatever unit the system has; empty if it can't be known. */
  readonly startedAt: string;
  /** The machine's name. */
  readonly machine: string;
  /** Changes with each start of the machine; empty if it can't be known. */
  readonly boot: string;
  /** In which process ids mean the same; empty if it can't be known. */
  readonly namespace: string;
}

/** What the lock needs of the system. */
export interface LockHost {
  /** This process. */
  self(): Promise<LockOwner>;
  /** Whether a process still runs, as far as it can be known. */
  stateOf(owner: LockOwner): Promise<"alive" | "dead" | "unknown">;
  /** A short random name. */
  randomName(): string;
  readDirectory(path: string): Promise<string[]>;
  readText(path: string): Promise<string>;
  /** Writes a new file. */
  writeNew(path: string, text: string): Promise<void>;
  /** Gives a file a second name; `EEXIST` if it is taken. */
  link(from: string, to: string): Promise<void>;
  /** Empties a file. */
  truncate(path: string): Promise<void>;
  unlink(path: string): Promise<void>;
}

const attempts = 100;

/** @throws {StorageError} `locked` */
export async function lockFolder(host: LockHost, dir: string): Promise<FolderLock> {
  const self = await host.self();
  for (let attempt = 0; attempt < attempts; attempt++) {
    const number = await tryLock(host, dir, self);
    if (number !== undefined) return { release: () => host.truncate(lockPath(dir, number)) };
  }
  throw lockedError(dir, "other processes are taking it at the same time", "Try again.");
}

/** The number of the lock taken; `undefined` if somebody else was faster. */
async function tryLock(host: LockHost, dir: string, self: LockOwner): Promise<number | undefined> {
  const before = lockNumbers(await host.readDirectory(dir)).at(-1) ?? 0;
  if (before > 0 && !await isFree(host, dir, before)) return undefined;
  const own = before + 1;
  const candidate = `${dir}/lock.${host.randomName()}.tmp`;
  try {
    await host.writeNew(candidate, `${JSON.stringify(self)}\n`);
    await host.link(candidate, lockPath(dir, own));
  } catch (error) {
    // Taken, or the candidate was cleaned up by who took it.
    if (["EEXIST", "ENOENT"].includes(errorCode(error))) return undefined;
    throw error;
  } finally {
    await host.unlink(candidate).catch(() => {});
  }
  const names = await host.readDirectory(dir);
  const numbers = lockNumbers(names);
  if (numbers.at(-1) !== own || (before > 0 && !numbers.includes(before))) {
    await host.unlink(lockPath(dir, own)).catch(() => {});
    return undefined;
  }
  const stale = names.filter((name) => /^lock\..*\.tmp$/.test(name));
  for (const number of numbers) if (number < own) await host.unlink(lockPath(dir, number)).catch(() => {});
  for (const name of stale) await host.unlink(`${dir}/${name}`).catch(() => {});
  return own;
}

/** Whether the holder of a lock released it or is gone; `false` also if the file has just been replaced. */
async function isFree(host: LockHost, dir: string, number: number): Promise<boolean> {
  const path = lockPath(dir, number);
  let text: string;
  try {
    text = await host.readText(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
  // A lock is complete before it gets its name: one that doesn't read was released, or met a power failure.
  const owner = parseOwner(text);
  if (owner === undefined) return true;
  const state = await host.stateOf(owner);
  if (state === "dead") return true;
  if (state === "alive") {
    throw lockedError(dir, `process ${owner.pid} has it open`, "Stop that process, or use another data folder.");
  }
  throw lockedError(
    dir,
    `process ${owner.pid} of ${owner.machine} may have it open, which can't be checked from here`,
    `If that process is gone for certain, delete ${path}.`,
  );
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
    const { pid, startedAt, machine, boot, namespace } = JSON.parse(text) as Record<keyof LockOwner, unknown>;
    if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
    const texts = [startedAt, machine, boot, namespace].map((each) => typeof each === "string" ? each : "");
    return { pid, startedAt: texts[0]!, machine: texts[1]!, boot: texts[2]!, namespace: texts[3]! };
  } catch (_error) {
    return undefined;
  }
}

function lockedError(dir: string, reason: string, hint: string): StorageError {
  return new StorageError(`The folder ${dir} is locked: ${reason}.`, { disk: "unchanged", code: "locked", hint });
}
