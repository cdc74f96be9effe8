/**
 * The disks of chaos are as bad as they claim: without that, their faults prove
 * nothing.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Disk } from "../../chaos/disks.ts";
import { makeDisk } from "../../chaos/disks.ts";

/** Works with a disk; reports if this machine permits none. */
async function withDisk(work: (disk: Disk) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "raft-disk-" });
  let disk: Disk;
  try {
    disk = makeDisk(join(folder, "disk"));
  } catch (error) {
    console.log(
      `no disk can be mounted here, and chaos leaves them out: ${error instanceof Error ? error.message : error}`,
    );
    return;
  }
  try {
    await work(disk);
  } finally {
    disk.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const bytes = new TextEncoder().encode("bytes");

async function write(path: string, sync: boolean): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  await file.write(bytes);
  if (sync) await file.sync();
}

Deno.test("a power failure loses what was not synced, and nothing else", async () => {
  await withDisk(async (disk) => {
    await write(join(disk.folder, "synced"), true);
    await write(join(disk.folder, "not synced"), false);
    disk.cutPower();
    await assert.rejects(write(join(disk.folder, "too late"), true));
    disk.restorePower();
    const found = [...Deno.readDirSync(disk.folder)].map(({ name }) => name).filter((name) => name !== "lost+found");
    assert.deepEqual(found, ["synced"]);
    assert.deepEqual(await Deno.readFile(join(disk.folder, "synced")), bytes);
  });
});

Deno.test("a hanging disk completes writes only once it goes on", async () => {
  await withDisk(async (disk) => {
    await disk.hang();
    let done = false;
    const written = write(join(disk.folder, "late"), true).then(() => void (done = true));
    await Deno.readDir(disk.folder)[Symbol.asyncIterator]().next();
    assert.equal(done, false);
    await disk.resume();
    await written;
    assert.deepEqual(await Deno.readFile(join(disk.folder, "late")), bytes);
  });
});

Deno.test("a full disk takes nothing until it is freed", async () => {
  await withDisk(async (disk) => {
    disk.fill();
    await assert.rejects(write(join(disk.folder, "more"), true), /space/);
    disk.free();
    await write(join(disk.folder, "more"), true);
  });
});
