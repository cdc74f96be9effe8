/**
 * A small disk for each node, so that it can be full while the machine's disk is
 * not: a separate file system in a file.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
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
  /** Unmounts the file system. */
  close(): void;
}

/** Mounts a disk at `folder`. @throws the reason if this machine or user can't */
export function makeDisk(folder: string): Disk {
  const image = `${folder}.image`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(image, "");
  truncateSync(image, DISK_BYTES);
  try {
    run("mkfs.ext4", "-q", "-F", "-m", "0", image);
    run("mount", "-o", "loop", image, folder);
  } catch (error) {
    rmSync(image);
    throw error;
  }
  return {
    folder,
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

/** @throws the program's output if it fails */
function run(program: string, ...args: readonly string[]): void {
  try {
    execFileSync(program, [...args], { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    throw new Error(said === "" ? `${program} can't be run: ${error}` : said.split("\n").at(-1), { cause: error });
  }
}
