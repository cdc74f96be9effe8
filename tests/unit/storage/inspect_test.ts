import assert from "node:assert/strict";
import { StorageError } from "../../../lib/errors.ts";
import { crc32c } from "../../../lib/crc32c.ts";
import { FakeFileSystem } from "../../../storage/file/fake_file_system.ts";
import { dumpLog, FileStorage, verifyLog } from "../../../storage/file/mod.ts";
import type { DumpedRecord } from "../../../storage/file/mod.ts";
import { encodeMembership, membershipOf } from "../../../lib/raft/membership.ts";

const membership = membershipOf({ voters: [{ id: "n1", address: "a", incarnation: "i" }] });

/** Makes a folder with three batches and a snapshot; the storage is still open. */
async function running(segmentBytes = 300): Promise<{ readonly fs: FakeFileSystem; readonly storage: FileStorage }> {
  const fs = new FakeFileSystem();
  const storage = new FileStorage(fs, "/data", { segmentBytes });
  await storage.load();
  await storage.initialize({ nodeId: "n1", incarnation: "i", clusterId: "c" });
  await persist(storage, 1, 3, { term: 1, votedFor: "n1" });
  await persist(storage, 2, 3);
  const writer = await storage.createSnapshot();
  await writer.write(new Uint8Array(1000).fill(7));
  const meta = { id: "s", index: 2, term: 1, membership, size: writer.offset, checksum: writer.checksum };
  await writer.stage(meta);
  await storage.persist({ sequence: 3, hardState: null, snapshot: meta, entries: [] });
  return { fs, storage };
}

function persist(
  storage: FileStorage,
  first: number,
  count: number,
  hardState: { term: number; votedFor: string | null } | null = null,
): Promise<void> {
  const entries = Array.from({ length: count }, (_, i) => {
    const index = first + i;
    if (index === 1) return { index, term: 1, type: "membership" as const, data: encodeMembership(membership) };
    return { index, term: 1, type: "command" as const, data: new Uint8Array(100) };
  });
  return storage.persist({ sequence: first, hardState, snapshot: null, entries });
}

async function dump(fs: FakeFileSystem): Promise<DumpedRecord[]> {
  const records: DumpedRecord[] = [];
  for await (const record of dumpLog("/data", fs)) records.push(record);
  return records;
}

Deno.test("a running node's folder is verified and dumped without a lock, and not changed", async () => {
  const { fs, storage } = await running();
  const before = fs.paths().map((path) => [path, fs.bytesOf(path)]);
  const report = await verifyLog("/data", fs);
  assert.strictEqual(report.identity.nodeId, "n1");
  assert.deepStrictEqual([report.firstIndex, report.lastIndex, report.batches, report.records], [1, 4, 3, 11]);
  assert.deepStrictEqual([report.hardState, report.tornBytes, report.segments], [{ term: 1, votedFor: "n1" }, 0, 3]);
  assert.strictEqual(report.snapshot?.index, 2);
  const records = await dump(fs);
  assert.deepStrictEqual(
    records.map((record) => "index" in record ? `${record.type} ${record.index}` : record.type),
    "hardState,membership 1,command 2,command 3,commit,command 2,command 3,command 4,commit,snapshot,commit".split(","),
  );
  for (const { file, offset, bytes } of records) {
    assert.ok(offset > 0 && offset + bytes <= fs.bytesOf(file).length, file);
  }
  assert.deepStrictEqual(fs.paths().map((path) => [path, fs.bytesOf(path)]), before);
  await storage.close();
});

Deno.test("a torn tail is reported, and left in place", async () => {
  const { fs, storage } = await running(1_000_000);
  await storage.close();
  const path = "/data/log-0000000001";
  const bytes = fs.bytesOf(path);
  const torn = bytes.slice(0, bytes.length - 3);
  fs.setBytes(path, torn);
  const report = await verifyLog("/data", fs);
  assert.strictEqual(report.batches, 2);
  assert.ok(report.tornBytes > 100, `${report.tornBytes}`);
  const last = (await dump(fs)).at(-1)!;
  assert.deepStrictEqual([last.type, last.bytes, last.offset + last.bytes], [
    "tornTail",
    report.tornBytes,
    torn.length,
  ]);
  assert.deepStrictEqual(fs.bytesOf(path), torn);
});

Deno.test("damage ends a dump after the records before it, and names file and offset", async () => {
  const { fs, storage } = await running(1_000_000);
  await storage.close();
  const path = "/data/log-0000000001";
  const third = (await dump(fs))[3]!;
  const bytes = fs.bytesOf(path);
  bytes[third.offset + 40]! ^= 1;
  fs.setBytes(path, bytes);
  const seen: string[] = [];
  await assert.rejects(
    async () => {
      for await (const record of dumpLog("/data", fs)) seen.push(record.type);
    },
    (error: unknown) =>
      error instanceof StorageError && error.message.includes(`${path} is damaged at offset ${third.offset}`),
  );
  assert.deepStrictEqual(seen, ["hardState", "membership", "command"]);
  await assert.rejects(verifyLog("/data", fs), { code: "damaged" });
});

Deno.test("a record of a newer version ends a dump after the records before it", async () => {
  const { fs, storage } = await running(1_000_000);
  await storage.close();
  const path = "/data/log-0000000001";
  const records = await dump(fs);
  const { offset } = records.at(-1)!;
  const bytes = fs.bytesOf(path);
  bytes[offset + 12] = 99;
  new DataView(bytes.buffer).setUint32(offset, crc32c(bytes.subarray(offset + 4)), true);
  fs.setBytes(path, bytes);
  const seen: DumpedRecord[] = [];
  await assert.rejects(
    async () => {
      for await (const record of dumpLog("/data", fs)) seen.push(record);
    },
    { code: "unsupported_version", message: /type 99/ },
  );
  assert.deepStrictEqual(seen, records.slice(0, -1));
});

Deno.test("rot in a snapshot's bytes is found by verify, and by a reader that reads it to the end", async () => {
  const { fs, storage } = await running();
  const path = "/data/snapshot-0000000001";
  const bytes = fs.bytesOf(path);
  bytes[500]! ^= 4;
  fs.setBytes(path, bytes);
  await assert.rejects(verifyLog("/data", fs), { code: "damaged" });
  const reader = await storage.openSnapshot();
  assert.strictEqual((await reader!.read(0, 600)).length, 600);
  await assert.rejects(reader!.read(600, 600), { code: "damaged" });
  await reader!.close();
  await storage.close();
});

Deno.test("a folder that is not a data folder is a clear error", async () => {
  const fs = new FakeFileSystem();
  await assert.rejects(verifyLog("/nowhere", fs), { code: "storage", message: /can't be read \(ENOENT\)/ });
  await fs.makeDirectory("/data");
  await assert.rejects(verifyLog("/data", fs), { code: "storage", message: /not a data folder/ });
  await assert.rejects(dump(fs), { code: "storage", message: /not a data folder/ });
});

Deno.test("verify while a node appends, rolls, takes snapshots and compacts", async () => {
  const { fs, storage } = await running(600);
  let done = false;
  const work = (async () => {
    for (let index = 5; index < 200; index += 2) {
      await persist(storage, index, 2);
      if (index % 10 !== 5) continue;
      const writer = await storage.createSnapshot();
      await writer.write(new Uint8Array(10));
      const meta = { id: `s${index}`, index, term: 1, membership, size: writer.offset, checksum: writer.checksum };
      await writer.stage(meta);
      await storage.persist({ sequence: index, hardState: null, snapshot: meta, entries: [] });
      await storage.compact(index - 3);
    }
    done = true;
  })();
  let verified = 0;
  let dumped = 0;
  while (!done) {
    const { lastIndex, firstIndex } = await verifyLog("/data", fs);
    assert.ok(firstIndex <= lastIndex);
    verified++;
    for await (const record of dumpLog("/data", fs)) if (record.type === "command") dumped++;
  }
  await work;
  assert.ok(verified >= 3 && dumped > 10, `${verified} verified, ${dumped} dumped`);
  await storage.close();
});
