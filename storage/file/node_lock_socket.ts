/**
 * The socket that shows that a lock's owner is alive: a unix domain socket in the
 * data folder. The kernel closes it when the process dies, and any process that
 * sees the folder can connect. So it works across containers, where process ids
 * don't.
 *
 * A refused connection proves a death only if all users of the folder are on one
 * kernel and see one file system. So sockets are created and trusted only on Linux,
 * and only on local file systems. Over NFS or FUSE another machine may see the same
 * folder, or one machine may see it twice, and a socket answers only on its own side.
 */

import { chmod, lstat, statfs, unlink } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { dirname } from "node:path";
import process from "node:process";
import { errorCode } from "./file_system.ts";
import type { LockHost } from "./lock_file.ts";

/** The longest path of a socket on Linux, in bytes; longer ones are cut off or refused. */
const maxPathBytes = 107;

/** File systems that no two machines can mount at a time, by their numbers in statfs(2). */
const localFileSystems: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0x01021994, // tmpfs
  0x794c7630, // overlayfs, a container's own folders
]);

/** The time limit for Bun's reason why a connection was refused. */
const confirmMs = 5000;

/** Reports whether a socket at this path proves that its process is alive or dead. */
async function isTelling(path: string): Promise<boolean> {
  if (process.platform !== "linux" || new TextEncoder().encode(path).length > maxPathBytes) return false;
  try {
    return localFileSystems.has(Number((await statfs(dirname(path))).type) >>> 0);
  } catch (_error) {
    return false;
  }
}

/**
 * Implements {@linkcode LockHost.listen}; the socket does not keep the process alive.
 * Returns `undefined` also if it can't be created.
 */
export async function listenAt(path: string): ReturnType<LockHost["listen"]> {
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
  // A connection that can't be accepted, for lack of descriptors, was still made: that is answer enough.
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
  return close;
}

/** Reports whether a process listens at this path. */
export async function askAt(path: string): Promise<"alive" | "dead" | "unknown"> {
  if (!await isTelling(path)) return "unknown";
  try {
    const code = await connectionError(path);
    // Accepted, or in a queue that is full, as that of a stopped process may be.
    if (["", "ECONNRESET", "EPIPE", "EAGAIN"].includes(code)) return "alive";
    if (code !== "ECONNREFUSED") return "unknown";
    // A plain file refuses, too: the tool that copied a folder may not support sockets.
    if (!(await lstat(path)).isSocket()) return "unknown";
    return "Bun" in globalThis ? await askInBun(path) : "dead";
  } catch (_error) {
    return "unknown";
  }
}

/** Connects, and returns the error code; empty on success. */
function connectionError(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    let code = "";
    socket.once("connect", () => socket.destroy());
    socket.once("error", (error) => code = errorCode(error) || "?");
    socket.once("close", () => resolve(code));
  });
}

/** Asks by fetch: Bun's node:net reports a full queue as refused, too; its fetch does not. */
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
