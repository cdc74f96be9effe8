/**
 * A small disk for each node, so that it can be full without the machine's being
 * so: a file system of its own, in a file.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";

/** Room for the log's files of 64 MiB with what a snapshot leaves of them. */
const DISK_BYTES = 384 * 1024 * 1024;

/** How the files are named that fill a disk. */
const FILLER = "filler-";

/** One node's disk. */
export interface Disk {
  /** Where it is mounted. */
  readonly folder: string;
  /** Leaves no byte free. */
  fill(): void;
  /** Frees what {@linkcode Disk.fill} took. */
  free(): void;
  /** Takes the file system away. */
  close(): void;
}

/** A disk mounted at `folder`. @throws with the reason if this machine or this user can't have one */
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
          // Some of what is free goes into keeping track of the file.
          bytes = Math.floor(bytes / 2);
        }
        bytes = Math.min(bytes, freeBytes(folder));
      }
    },
    free() {
      for (const name of readdirSync(folder)) if (name.startsWith(FILLER)) rmSync(`${folder}/${name}`);
    },
    close() {
      // Lazily: a process that was just killed may hold it for a moment more.
      run("umount", "--lazy", folder);
      rmSync(image);
    },
  };
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** @throws with what the program said */
function run(program: string, ...args: readonly string[]): void {
  try {
    execFileSync(program, [...args], { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    throw new Error(said === "" ? `${program} can't be run: ${error}` : said.split("\n").at(-1), { cause: error });
  }
}
