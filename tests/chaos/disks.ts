/**
 * A small disk for each node: a separate file system in a file, which can be full,
 * hang or lose its power while the machine's disk does not.
 *
 * @module
 */

import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";

/** The size of a disk: enough for files of the log of 64 MiB, and a snapshot. */
const DISK_BYTES = 384 * 1024 * 1024;

/** The beginning of the names of files that fill a disk. */
const FILLER = "filler-";

/** One node's disk. */
export interface Disk {
  /** The folder it is mounted at. */
  readonly folder: string;
  /** Fills the disk completely. */
  fill(): void;
  /** Frees the space that {@linkcode Disk.fill} took. */
  free(): void;
  /** Makes every write and sync hang; a process that waits for one can't even be killed. */
  hang(): Promise<void>;
  /** Lets the writes go on. */
  resume(): Promise<void>;
  /** Loses everything that was not synced, and fails from now on. */
  cutPower(): void;
  /** Makes the disk work again, with what it had kept. No process may use it. */
  restorePower(): void;
  /** Unmounts the file system. */
  close(): void;
}

/** Mounts a disk at `folder`. @throws the reason if this machine or user can't */
export function makeDisk(folder: string): Disk {
  const image = `${folder}.image`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(image, "");
  truncateSync(image, DISK_BYTES);
  const mount = (): void => run("mount", "-o", "loop", image, folder);
  try {
    run("mkfs.ext4", "-q", "-F", "-m", "0", image);
    mount();
  } catch (error) {
    rmSync(image);
    throw error;
  }
  return {
    folder,
    hang: () => freezing("--freeze", folder),
    resume: () => freezing("--unfreeze", folder),
    cutPower: () => shutDown(folder),
    restorePower() {
      run("umount", folder);
      mount();
    },
    fill() {
      let bytes = freeBytes(folder);
      for (let n = 0; bytes > 0; n++) {
        try {
          run("fallocate", "--length", String(bytes), `${folder}/${FILLER}${n}`);
        } catch {
          // Some of the free space goes into metadata of the file.
          bytes = Math.floor(bytes / 2);
        }
        bytes = Math.min(bytes, freeBytes(folder));
      }
    },
    free() {
      for (const name of readdirSync(folder)) if (name.startsWith(FILLER)) rmSync(`${folder}/${name}`);
    },
    close() {
      // Lazily: a process that was just killed may still hold it for a moment.
      run("umount", "--lazy", folder);
      rmSync(image);
    },
  };
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Freezes or unfreezes a file system; if it is so already, does nothing. */
function freezing(flag: "--freeze" | "--unfreeze", folder: string): Promise<void> {
  return new Promise((resolve) => execFile("fsfreeze", [flag, folder], () => resolve()));
}

/** ext4's ioctl that ends a file system, and its flag for losing the journal's last transactions, too. */
const SHUTDOWN = 0x8004_587dn;
const WITHOUT_FLUSH = 2;

/** Ends a file system as a power failure would: nothing that is only in memory reaches the image any more. */
function shutDown(folder: string): void {
  const libc = Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  try {
    const fd = libc.symbols.open(new TextEncoder().encode(`${folder}\0`), 0);
    const failed = libc.symbols.ioctl(fd, SHUTDOWN, Uint32Array.of(WITHOUT_FLUSH)) !== 0;
    libc.symbols.close(fd);
    if (failed) throw new Error(`the kernel refused to shut down the file system at ${folder}`);
  } finally {
    libc.close();
  }
}

/** @throws the program's output if it fails */
function run(program: string, ...args: readonly string[]): void {
  try {
    execFileSync(program, [...args], { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    throw new Error(said === "" ? `${program} can't be run: ${error}` : said.split("\n").at(-1), { cause: error });
  }
}
