/** Each damage of a single file is reported by the file storage, and no harmless change is. */

import assert from "node:assert/strict";
import { Decisions } from "../../../simulation/decisions.ts";
import { FOLDER } from "../../../simulation/machine/disk.ts";
import { damageFile, DAMAGES } from "../../../simulation/machine/file_damage.ts";
import type { DoneDamage } from "../../../simulation/machine/file_damage.ts";
import type { LoadedState } from "../../../lib/storage.ts";
import { FakeFileSystem } from "../../../storage/file/fake_file_system.ts";
import { FileStorage } from "../../../storage/file/mod.ts";
import { entry, membership, observe } from "../../adversarial/storage/workload.ts";

const SEGMENT_BYTES = 300;

/** Makes a folder with several segments and a snapshot that covers the beginning of the log. */
async function folder(nodeId: string): Promise<FakeFileSystem> {
  const fs = new FakeFileSystem();
  const storage = new FileStorage(fs, FOLDER, { segmentBytes: SEGMENT_BYTES });
  await storage.load();
  await storage.initialize({ nodeId, incarnation: `${nodeId}.0`, clusterId: "c" });
  for (let index = 1; index <= 12; index++) {
    await storage.persist({ sequence: index, hardState: null, snapshot: null, entries: [entry(index, 1, 90)] });
  }
  const writer = await storage.createSnapshot();
  await writer.write(new Uint8Array(nodeId === "n1" ? 40 : 50).fill(3));
  const meta = { id: nodeId, index: 3, term: 1, membership, size: writer.offset, checksum: writer.checksum };
  await writer.stage(meta);
  await storage.persist({ sequence: 13, hardState: { term: 2, votedFor: nodeId }, snapshot: meta, entries: [] });
  await storage.close();
  return fs;
}

/** Loads a folder; returns its state, or the code of the error. Once it is loaded, all of it is readable. */
async function loaded(fs: FakeFileSystem): Promise<unknown> {
  const storage = new FileStorage(fs, FOLDER, { segmentBytes: SEGMENT_BYTES });
  try {
    const state = await storage.load().catch((error: { code?: unknown }) => error.code ?? error);
    return state instanceof Object && "lastIndex" in state ? await observe(storage, state as LoadedState) : state;
  } finally {
    await storage.close();
  }
}

/** Damages fresh folders, one for each seed, and passes each with its damage to `check`. */
async function damageMany(
  reported: boolean,
  check: (done: DoneDamage, fs: FakeFileSystem) => Promise<void>,
): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 150; seed++) {
    const [fs, other] = [await folder("n1"), await folder("n2")];
    const done = damageFile(fs, other, true, new Decisions(seed).stream("damage"), reported);
    if (done === null) continue;
    seen.add(done.kind);
    await check(done, fs);
  }
  return seen;
}

Deno.test("damage of a file is reported at the next start, whatever it is", async () => {
  const whole = await loaded(await folder("n1"));
  const seen = await damageMany(true, async ({ kind, where, certain }, fs) => {
    const found = await loaded(fs);
    if (certain || found === "damaged") assert.equal(found, "damaged", `${kind}: ${where}`);
    else assert.deepEqual(found, whole, `${kind}: ${where}`);
  });
  const harmless = await damageMany(false, async ({ kind, where }, fs) => {
    assert.deepEqual(await loaded(fs), whole, `${kind}: ${where}`);
  });
  assert.deepEqual([...seen, ...harmless].sort(), [...DAMAGES].sort());
});

Deno.test("a folder without a batch, or without a file of the drawn kind, is left alone", async () => {
  const fs = new FakeFileSystem();
  const storage = new FileStorage(fs, FOLDER, { segmentBytes: SEGMENT_BYTES });
  await storage.load();
  const before = fs.paths();
  for (let seed = 1; seed <= 50; seed++) {
    const chance = new Decisions(seed).stream("damage");
    assert.equal(damageFile(fs, fs, true, chance, seed % 2 === 0), null);
  }
  assert.deepEqual(fs.paths(), before);
  await storage.close();
});
