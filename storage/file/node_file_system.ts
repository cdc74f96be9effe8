/**
 * The binding of the file storage to `node:fs`, which Deno, Node and Bun have; under
 * Deno its own files write (deno_writer.ts).
 * Only this file and node_lock_socket.ts import from `node:`.
 *
 * Under Deno it needs permission to read and write the folder. To determine whether a
 * lock's holder is alive it reads `/proc`, which Deno allows with `--allow-all`
 * alone, or asks the holder's socket, which needs `--allow-net` and
 * `--allow-sys`. Without them, a lock that was not released stays.
 */

import { execFile } from "node:child_process";
import type { FileHandle as NodeFileHandle } from "node:fs/promises";
import {
  link,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  stat,
  truncate,
  unlink,
  writeFile,
} from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { openDenoWriter } from "./deno_writer.ts";
import type { PositionalWriter } from "./deno_writer.ts";
import type { FileHandle, FileSystem, OpenMode } from "./file_system.ts";
import { errorCode } from "./file_system.ts";
import type { LockHost, LockOwner } from "./lock_file.ts";
import { lockFolder } from "./lock_file.ts";
import { askAt, listenAt } from "./node_lock_socket.ts";

const flags = { read: "r", write: "r+", create: "wx+" } as const;

/** Returns the file system of the machine. */
export function nodeFileSystem(): FileSystem {
  return {
    open: openFile,
    rename,
    unlink,
    readDirectory: (path) => readdir(path),
    makeDirectory,
    syncDirectory,
    lock: (path) => lockFolder(nodeLockHost(), path),
  };
}

async function openFile(path: string, mode: OpenMode): Promise<FileHandle> {
  const handle = await open(path, flags[mode], 0o600);
  let writer: PositionalWriter | null;
  try {
    writer = mode === "read" ? null : await openDenoWriter(path);
  } catch (error) {
    await handle.close();
    // Its caller knows of no file that could not be opened, and would find it in its way.
    if (mode === "create") await unlink(path).catch(() => {});
    throw error;
  }
  return nodeFile(handle, writer);
}

function nodeFile(handle: NodeFileHandle, writer: PositionalWriter | null): FileHandle {
  return {
    read: async (buffer, position) => (await handle.read(buffer, 0, buffer.length, position)).bytesRead,
    write: writer === null
      ? async (data, position) => (await handle.write(data, 0, data.length, position)).bytesWritten
      : (data, position) => writer.write(data, position),
    sync: () => handle.datasync(),
    truncate: (size) => handle.truncate(size),
    size: async () => (await handle.stat()).size,
    close: async () => {
      writer?.close();
      await handle.close();
    },
  };
}

/**
 * Makes a folder, and those above it that are missing. One at a time: Node's own recursion never ends where the folder
 * above exists and takes no other, as in /proc, or when it was deleted.
 */
async function makeDirectory(path: string): Promise<void> {
  const missing: string[] = [];
  for (let at = resolve(path); !await made(at, at !== dirname(at)); at = dirname(at)) missing.push(at);
  for (const at of missing.reverse()) await made(at, false);
}

/** Makes one folder, durably, unless it is there. Returns false if the one above it is missing and may be made first. */
async function made(path: string, above: boolean): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (above && errorCode(error) === "ENOENT") return false;
    if (await stat(path).then((found) => found.isDirectory(), () => false)) return true;
    throw error;
  }
  await syncDirectory(dirname(path));
  return true;
}

async function syncDirectory(path: string): Promise<void> {
  // Windows can't sync folders: there a rename is durable with the journal.
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Returns the processes of this machine, for the lock. Exported for its tests. */
export function nodeLockHost(): LockHost {
  return {
    self: async () => ({
      pid: process.pid,
      startedAt: (await startOf(process.pid))?.startedAt ?? "",
      machine: machineName(),
      boot: await bootId(),
      namespace: await pidNamespace(),
      socket: "",
    }),
    stateOf,
    listen: listenAt,
    ask: askAt,
    randomName: () => crypto.randomUUID(),
    readDirectory: (path) => readdir(path),
    readText: (path) => readFile(path, "utf8"),
    writeNew: (path, text) => writeFile(path, text, { flag: "wx", mode: 0o600 }),
    link,
    truncate: (path) => truncate(path),
    unlink,
  };
}

/** Returns the name of the machine; empty without permission. */
function machineName(): string {
  try {
    return hostname();
  } catch (_error) {
    return "";
  }
}

function bootId(): Promise<string> {
  return readFile("/proc/sys/kernel/random/boot_id", "utf8").then((text) => text.trim(), () => "");
}

/** Returns the namespace of process ids; empty also if `/proc` belongs to another one, and shows other processes. */
async function pidNamespace(): Promise<string> {
  try {
    return await readlink("/proc/self") === String(process.pid) ? await readlink("/proc/self/ns/pid") : "";
  } catch (_error) {
    return "";
  }
}

async function stateOf(owner: LockOwner): Promise<"alive" | "dead" | "unknown"> {
  const boot = await bootId();
  const sameBoot = boot === owner.boot;
  if (owner.machine !== machineName() && !(sameBoot && boot !== "")) return "unknown";
  // The machine has restarted since.
  if (!sameBoot && boot !== "" && owner.boot !== "") return "dead";
  const namespace = await pidNamespace();
  // Except on Linux, a machine has one namespace for all.
  if (namespace !== owner.namespace || (namespace === "" && process.platform === "linux")) return "unknown";
  const found = await startOf(owner.pid);
  if (found === undefined) return signalState(owner.pid);
  if (found.defunct) return "dead";
  if (owner.startedAt === "") return "alive";
  return found.startedAt === owner.startedAt ? "alive" : "dead";
}

/** Judges a process by signal 0, which is all there is if its start time can't be read. */
function signalState(pid: number): "alive" | "dead" | "unknown" {
  try {
    process.kill(pid, 0);
    return "alive";
  } catch (error) {
    return errorCode(error) === "ESRCH" ? "dead" : "unknown";
  }
}

/** Returns the start time of a process; `undefined` if there is none, or it can't be read. */
async function startOf(pid: number): Promise<{ readonly startedAt: string; readonly defunct: boolean } | undefined> {
  if (process.platform === "linux") {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    // The name in parentheses may hold anything; after it come state (3) to start time (22).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const startedAt = fields[19];
    if (startedAt === undefined) return undefined;
    return { startedAt, defunct: fields[0] === "Z" || fields[0] === "X" };
  }
  if (process.platform === "win32") return undefined;
  const shown = await promisify(execFile)("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { env: { LC_ALL: "C" } })
    .then(({ stdout }) => stdout.trim(), () => "");
  const space = shown.indexOf(" ");
  if (space < 0) return undefined;
  return { startedAt: shown.slice(space).trim(), defunct: shown.startsWith("Z") };
}
