/**
 * The process of a connection, according to Linux's /proc. So the proxy learns the
 * sender from the kernel, and the servers need no option for it.
 *
 * @module
 */

/** Reports whether this machine has the information. */
export function canTellProcesses(): boolean {
  try {
    Deno.statSync("/proc/net/tcp");
    return true;
  } catch {
    return false;
  }
}

/** Returns the process that has the connection from `port` to `toPort`, both of 127.0.0.1; `undefined` if none has. */
export function processOf(pids: readonly number[], port: number, toPort: number): number | undefined {
  const inode = inodeOf(port, toPort);
  return inode === undefined ? undefined : pids.find((pid) => holds(pid, `socket:[${inode}]`));
}

const LOOPBACK = "0100007F";

function inodeOf(port: number, toPort: number): string | undefined {
  const end = (of: number): string => `${LOOPBACK}:${of.toString(16).toUpperCase().padStart(4, "0")}`;
  const ends = ` ${end(port)} ${end(toPort)} `;
  const line = Deno.readTextFileSync("/proc/net/tcp").split("\n").find((line) => line.includes(ends));
  return line?.trim().split(/\s+/)[9];
}

function holds(pid: number, socket: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return [...Deno.readDirSync(folder)].some(({ name }) => linkAt(`${folder}/${name}`) === socket);
  } catch {
    // The process has ended meanwhile.
    return false;
  }
}

function linkAt(path: string): string | null {
  try {
    return Deno.readLinkSync(path);
  } catch {
    // Closed since the folder was read.
    return null;
  }
}
