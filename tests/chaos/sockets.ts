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

/** Reports whether this machine has an IPv6 loopback address. */
export function hasIPv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

/** Returns the process that has the connection from `port` to `toPort`, both of one loopback address; `undefined` if none has. */
export function processOf(pids: readonly number[], port: number, toPort: number): number | undefined {
  const inode = inodeOf(port, toPort);
  return inode === undefined ? undefined : pids.find((pid) => holds(pid, `socket:[${inode}]`));
}

/** The tables of connections, with the loopback address as each shows it. */
const TABLES: readonly (readonly [file: string, loopback: string])[] = [
  ["/proc/net/tcp", "0100007F"],
  ["/proc/net/tcp6", "00000000000000000000000001000000"],
];

function inodeOf(port: number, toPort: number): string | undefined {
  for (const [file, loopback] of TABLES) {
    const end = (of: number): string => `${loopback}:${of.toString(16).toUpperCase().padStart(4, "0")}`;
    const ends = ` ${end(port)} ${end(toPort)} `;
    const line = tableAt(file).find((line) => line.includes(ends));
    if (line !== undefined) return line.trim().split(/\s+/)[9];
  }
  return undefined;
}

function tableAt(file: string): string[] {
  try {
    return Deno.readTextFileSync(file).split("\n");
  } catch {
    // A machine without IPv6 has no table of it.
    return [];
  }
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
