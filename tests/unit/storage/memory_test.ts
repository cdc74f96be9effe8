import assert from "node:assert/strict";
import type { PersistBatch } from "../../../lib/raft/types.ts";
import { MemoryDisk, MemoryStorage } from "../../../storage/memory.ts";

function batch(index: number): PersistBatch {
  const data = new Uint8Array([index]);
  return { sequence: index, hardState: null, snapshot: null, entries: [{ index, term: 1, type: "command", data }] };
}

async function started(): Promise<{ readonly disk: MemoryDisk; readonly storage: MemoryStorage }> {
  const disk = new MemoryDisk();
  const storage = new MemoryStorage(disk);
  await storage.load();
  await storage.initialize({ nodeId: "n1", incarnation: "i", clusterId: "c" });
  await storage.persist(batch(1));
  return { disk, storage };
}

Deno.test("a crash loses the persist under way, and the disk may be opened again", async () => {
  const { disk, storage } = await started();
  const underWay = storage.persist(batch(2));
  storage.crash();
  await assert.rejects(underWay, { code: "closed" });
  await assert.rejects(storage.entries(1, 1, 10), { code: "closed" });
  const again = new MemoryStorage(disk);
  assert.strictEqual((await again.load()).lastIndex, 1);
  await again.persist(batch(2));
  await storage.close();
  await assert.rejects(new MemoryStorage(disk).load(), { code: "locked" });
  await again.close();
});

Deno.test("after a failure that leaves the disk unchanged, the next persist succeeds", async () => {
  const { storage } = await started();
  storage.failNextPersist("unchanged");
  await assert.rejects(storage.persist(batch(2)), { code: "storage", disk: "unchanged" });
  assert.strictEqual(storage.disk.lastIndex, 1);
  await storage.persist(batch(2));
  assert.strictEqual(storage.disk.lastIndex, 2);
});

Deno.test("after a failure in doubt every persist rejects, whether or not the batch was applied", async () => {
  for (const applied of [false, true]) {
    const { disk, storage } = await started();
    storage.failNextPersist("in_doubt", applied);
    await assert.rejects(storage.persist(batch(2)), { disk: "in_doubt" });
    await assert.rejects(storage.persist(batch(2)), { disk: "in_doubt" });
    await storage.close();
    const again = new MemoryStorage(disk);
    assert.strictEqual((await again.load()).lastIndex, applied ? 2 : 1);
    await again.persist(batch(applied ? 3 : 2));
    await again.close();
  }
});

Deno.test("a persist that hangs returns after resume", async () => {
  const { disk, storage } = await started();
  storage.hang();
  let done = false;
  const hung = storage.persist(batch(2)).then(() => done = true);
  assert.strictEqual((await storage.entries(1, 1, 10)).length, 1);
  assert.deepStrictEqual([done, disk.lastIndex], [false, 1]);
  storage.resume();
  await hung;
  assert.strictEqual(disk.lastIndex, 2);
});

Deno.test("the delay option is called before each operation", async () => {
  const asked: string[] = [];
  const storage = new MemoryStorage(undefined, { delay: (operation) => void asked.push(operation) });
  await storage.load();
  await storage.initialize({ nodeId: "n1", incarnation: "i", clusterId: "c" });
  await storage.persist(batch(1));
  await storage.entries(1, 1, 10);
  await storage.compact(0);
  await storage.openSnapshot();
  assert.deepStrictEqual(asked, ["load", "initialize", "persist", "entries", "compact", "snapshot"]);
});
