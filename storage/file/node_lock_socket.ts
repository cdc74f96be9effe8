/**
 * The socket by which a lock's owner shows that it lives: a unix domain socket in
 * the data folder. The kernel stops the listening when the process dies, and any
 * process that sees the folder can ask, whatever its process ids mean: so it
 * tells across containers, where those don't.
 *
 * That nobody listens proves a death only where all who use the folder are on one
 * kernel and see one file system. So a socket is made, and believed, on Linux and
 * on file systems of this one machine alone. Over NFS or FUSE the same folder may
 * be seen by another machine, or twice, and a socket answers only to its own side.
 *
 * @module
 */

import { chmod, lstat, statfs, unlink } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { dirname } from "node:path";
import process from "node:process";
import { errorCode } from "./file_system.ts";
import type { LockSocket } from "./lock_file.ts";

/** What Linux takes for a socket's path, in bytes; it cuts off or refuses what is longer. */
const maxPathBytes = 107;

/** By their numbers in statfs(2): what no two machines can have mounted at a time. */
const localFileSystems: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0x01021994, // tmpfs
  0x794c7630, // overlayfs, a container's own folders
]);

/** How long Bun may take to say why a connection was refused. */
const confirmMs = 5000;

/** Whether a socket at this path tells who lives. */
async function isTelling(path: string): Promise<boolean> {
  if (process.platform !== "linux" || new TextEncoder().encode(path).length > maxPathBytes) return false;
  try {
    return localFileSystems.has(Number((await statfs(dirname(path))).type) >>> 0);
  } catch (_error) {
    return false;
  }
}

/**
 * Listens on a new socket until closed or the process ends; it keeps no process
 * alive. `undefined` where a socket would not tell, or none can be made.
 */
export async function listenAt(path: string): Promise<LockSocket | undefined> {
  if (!await isTelling(path)) return undefined;
  const server = createServer((connection) => {
    connection.on("error", () => {});
    connection.destroy();
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      // Not shared with the primary process of node:cluster, which may outlive this one.
      server.listen({ path, exclusive: true }, resolve);
    });
  } catch (_error) {
    return undefined;
  }
  // A connection that can't be accepted, for want of descriptors, was still made: the asker has its answer.
  server.on("error", () => {});
  server.unref();
  const close = async () => {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await unlink(path).catch(() => {});
  };
  try {
    await chmod(path, 0o600);
  } catch (_error) {
    await close();
    return undefined;
  }
  return { close };
}

/** Whether somebody listens at this path. */
export async function askAt(path: string): Promise<"alive" | "dead" | "unknown"> {
  if (!await isTelling(path)) return "unknown";
  try {
    const code = await connectionError(path);
    // Accepted, or in a queue that is full, as that of a stopped process may be.
    if (["", "ECONNRESET", "EPIPE", "EAGAIN"].includes(code)) return "alive";
    if (code !== "ECONNREFUSED") return "unknown";
    // A plain file refuses too: a folder may have been copied by a tool that knows no sockets.
    if (!(await lstat(path)).isSocket()) return "unknown";
    return "Bun" in globalThis ? await askInBun(path) : "dead";
  } catch (_error) {
    return "unknown";
  }
}

/** The error code of connecting; empty if it succeeds. */
function connectionError(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    let code = "";
    socket.once("connect", () => socket.destroy());
    socket.once("error", (error) => code = errorCode(error) || "?");
    socket.once("close", () => resolve(code));
  });
}

/** Bun's node:net calls a full queue refused too; its fetch tells them apart. */
async function askInBun(path: string): Promise<"alive" | "dead" | "unknown"> {
  const options: RequestInit & { readonly unix: string } = { unix: path, signal: AbortSignal.timeout(confirmMs) };
  try {
    await fetch("http://localhost/", options);
    return "alive";
  } catch (error) {
    const code = errorCode(error);
    if (code === "ECONNREFUSED") return "dead";
    return code === "EAGAIN" || code === "ECONNRESET" ? "alive" : "unknown";
  }
}
