// Changed bytes in a data folder are an error that names the file, or (in the very
// last batch) a torn tail. They are never read as data, and the log is never silently
// shorter.

import assert from "node:assert/strict";
import { StorageError } from "../../../lib/errors.ts";
import { FakeFileSystem } from "../../../storage/file/fake_file_system.ts";
import { dumpLog, verifyLog } from "../../../storage/file/inspect.ts";
import { FileStorage } from "../../../storage/file/mod.ts";
import { generator } from "./random.ts";
import { entry, history, membership, nothing, observe, play } from "./workload.ts";
import type { Expected } from "./workload.ts";

const identity = { nodeId: "n1", incarnation: "i", clusterId: "c" };

/** Makes a folder with several batches and a snapshot, in segments of this many bytes. */
async function folder(segmentBytes: number): Promise<FakeFileSystem> {
  const fs = new FakeFileSystem();
  const storage = new FileStorage(fs, "/data", { segmentBytes });
  await storage.load();
  await storage.initialize(identity);
  let sequence = 0;
  const persist = (...entries: ReturnType<typeof entry>[]) =>
    storage.persist({ sequence: ++sequence, hardState: null, snapshot: null, entries });
  await persist(entry(1, 1, 20), entry(2, 1, 30));
  await persist(entry(3, 1, 0));
  await persist(entry(3, 2, 10), entry(4, 2, 40));
  const writer = await storage.createSnapshot();
  await writer.write(new Uint8Array(50).fill(2));
  const meta = { id: "s", index: 2, term: 1, membership, size: writer.offset, checksum: writer.checksum };
  await writer.stage(meta);
  await storage.persist({ sequence: ++sequence, hardState: { term: 2, votedFor: "n1" }, snapshot: meta, entries: [] });
  await persist(entry(5, 2, 60));
  await persist(entry(6, 2, 70), entry(7, 2, 5));
  await storage.close();
  return fs;
}

async function state(fs: FakeFileSystem): Promise<Expected> {
  const storage = new FileStorage(fs, "/data");
  try {
    return await observe(storage, await storage.load());
  } finally {
    await storage.close();
  }
}

/** Returns the place where the last batch begins: after the last commit but one. */
async function lastBatch(fs: FakeFileSystem): Promise<{ readonly file: string; readonly offset: number }> {
  const commits: { readonly file: string; readonly offset: number }[] = [];
  let file = "";
  for await (const record of dumpLog("/data", fs)) {
    if (record.file !== file) commits.push({ file: record.file, offset: record.offset });
    file = record.file;
    if (record.type === "commit") commits.push({ file, offset: record.offset + record.bytes });
  }
  commits.pop();
  return commits.at(-1)!;
}

for (const segmentBytes of [1_000_000, 300]) {
  Deno.test(`each byte of a folder changed, segments of ${segmentBytes} bytes`, async () => {
    const fs = await folder(segmentBytes);
    const whole = await state(fs);
    const shorter = { ...whole, log: whole.log.slice(0, -2) };
    const last = await lastBatch(fs);
    let damage = 0;
    let torn = 0;
    for (const path of fs.paths()) {
      const bytes = fs.bytesOf(path);
      for (let at = 0; at < bytes.length; at++) {
        for (const flip of [0x01, 0x80, 0xff]) {
          const changed = bytes.slice();
          changed[at]! ^= flip;
          fs.setBytes(path, changed);
          const where = `${path} at ${at}, flipped ${flip}`;
          const inLastBatch = path === last.file && at >= last.offset;
          const found = await state(fs).catch((error: unknown) => error);
          if (inLastBatch) {
            assert.deepStrictEqual(found, shorter, where);
            torn++;
          } else {
            assert.ok(found instanceof StorageError, `${where}: found ${JSON.stringify(found)}`);
            assert.ok(found.code === "damaged" || found.code === "unsupported_version", `${where}: ${found.message}`);
            assert.ok(found.message.includes(path), `${where}: ${found.message}`);
            assert.deepStrictEqual(fs.bytesOf(path), changed, `${where}: nothing is changed`);
            await assert.rejects(verifyLog("/data", fs), { code: found.code }, where);
            damage++;
          }
        }
      }
      fs.setBytes(path, bytes);
    }
    assert.ok(damage > 1000 && torn > 300, `${damage} damaged, ${torn} torn`);
    assert.deepStrictEqual(await state(fs), whole);
  });
}

Deno.test("runs of bytes overwritten at random are never read as data", async () => {
  const fs = new FakeFileSystem();
  const progress = { acknowledged: nothing, inFlight: nothing, finished: false };
  await play(new FileStorage(fs, "/data", { segmentBytes: 2500 }), progress);
  const random = generator(7);
  const past = history().map((each) => JSON.stringify(each));
  const paths = fs.paths().filter((path) => path.includes("log-"));
  assert.ok(paths.length > 1);
  let loaded = 0;
  for (let round = 0; round < 600; round++) {
    const path = paths[Math.floor(random() * paths.length)]!;
    const bytes = fs.bytesOf(path);
    const changed = bytes.slice();
    const from = Math.floor(random() * bytes.length);
    const fill = random() < 0.5 ? () => 0 : () => Math.floor(random() * 256);
    for (let at = from; at < Math.min(bytes.length, from + 1 + random() * 600); at++) changed[at] = fill();
    fs.setBytes(path, changed);
    const found = await state(fs).catch((error: unknown) => error);
    if (found instanceof StorageError) {
      assert.ok(["damaged", "unsupported_version"].includes(found.code), found.message);
    } else assert.ok(past.includes(JSON.stringify(found)), `round ${round}: ${JSON.stringify(found)}`);
    if (!(found instanceof StorageError)) loaded++;
    fs.setBytes(path, bytes);
  }
  assert.ok(loaded > 10 && loaded < 500, `both happen: ${loaded} loaded`);
});

Deno.test("a log that is cut off anywhere has the whole batches before the cut", async () => {
  const fs = await folder(1_000_000);
  const path = "/data/log-0000000001";
  const bytes = fs.bytesOf(path);
  const snapshot = fs.bytesOf("/data/snapshot-0000000001");
  const ends = new Map<number, number>();
  for await (const record of dumpLog("/data", fs)) {
    if (record.type === "commit") ends.set(record.offset + record.bytes, record.lastIndex);
  }
  const [first] = ends.keys();
  let expected = 0;
  for (let length = first! - 100; length <= bytes.length; length++) {
    fs.setBytes(path, bytes.slice(0, length));
    // A start deletes a snapshot that the log doesn't name yet.
    fs.setBytes("/data/snapshot-0000000001", snapshot);
    expected = ends.get(length) ?? expected;
    const storage = new FileStorage(fs, "/data");
    assert.strictEqual((await storage.load()).lastIndex, expected, `cut to ${length}`);
    await storage.close();
  }
});

Deno.test("the remains of an earlier, longer tail are not taken for a continuation", async () => {
  const write = async (fs: FakeFileSystem, sizes: readonly number[], from: number) => {
    const storage = new FileStorage(fs, "/data");
    const { identity: known, lastIndex } = await storage.load();
    if (known === null) await storage.initialize(identity);
    for (const [i, size] of sizes.entries()) {
      const entries = [entry(Math.min(from, lastIndex + 1) + i, 1, size)];
      await storage.persist({ sequence: i + 1, hardState: null, snapshot: null, entries });
    }
    await storage.close();
  };
  const path = "/data/log-0000000001";
  // Both logs have the same beginning and records of the same length; the longer one's tail is put after the shorter.
  const older = new FakeFileSystem();
  await write(older, [10, 10, 10, 10], 1);
  const newer = new FakeFileSystem();
  await write(newer, [10], 1);
  const storage = new FileStorage(newer, "/data");
  await storage.load();
  const other = { ...entry(2, 1, 10), data: new Uint8Array(10).fill(99) };
  await storage.persist({ sequence: 1, hardState: null, snapshot: null, entries: [other] });
  await storage.close();
  const short = newer.bytesOf(path);
  const mixed = older.bytesOf(path);
  mixed.set(short);
  newer.setBytes(path, mixed);
  // Whole batches follow the break of the chain: that is refused rather than guessed.
  await assert.rejects(new FileStorage(newer, "/data").load(), { code: "damaged" });
  // An incomplete batch is not read either.
  newer.setBytes(path, mixed.slice(0, short.length + 60));
  const again = new FileStorage(newer, "/data");
  assert.strictEqual((await again.load()).lastIndex, 2);
  assert.deepStrictEqual((await again.entries(2, 2, 10))[0]!.data, other.data);
  assert.strictEqual(newer.bytesOf(path).length, short.length);
  await again.close();
});

Deno.test("files of the folder that are missing or exchanged are noticed", async () => {
  const fs = await folder(300);
  const whole = new Map(fs.paths().map((path) => [path, fs.bytesOf(path)]));
  const logs = fs.paths().filter((path) => path.includes("log-"));
  assert.ok(logs.length >= 3);
  for (const path of [...logs.slice(0, -1), "/data/manifest", "/data/snapshot-0000000001"]) {
    fs.remove(path);
    await assert.rejects(state(fs), { code: "damaged" }, `${path} is missing`);
    fs.setBytes(path, whole.get(path)!);
  }
  fs.setBytes(logs[0]!, whole.get(logs[1]!)!);
  await assert.rejects(state(fs), { code: "damaged" }, "one under the name of another");
  fs.setBytes(logs[0]!, whole.get(logs[0]!)!);
  const stranger = new FakeFileSystem();
  const storage = new FileStorage(stranger, "/data");
  await storage.load();
  await storage.initialize({ ...identity, incarnation: "another" });
  await storage.close();
  fs.setBytes(logs[0]!, stranger.bytesOf("/data/log-0000000001"));
  const error = await state(fs).catch((error: unknown) => error);
  assert.ok(error instanceof StorageError);
  assert.match(error.message, /belongs to another data folder/);
});

Deno.test("versions and record types of the future are refused, and nothing is changed", async () => {
  const { crc32c } = await import("../../../lib/crc32c.ts");
  for (const kind of ["segment", "record", "snapshot", "manifest"] as const) {
    const fs = await folder(1_000_000);
    const path = {
      segment: "log-0000000001",
      record: "log-0000000001",
      snapshot: "snapshot-0000000001",
      manifest: "manifest",
    };
    const file = `/data/${path[kind]}`;
    const bytes = fs.bytesOf(file);
    const view = new DataView(bytes.buffer);
    if (kind === "segment" || kind === "snapshot") view.setUint32(8, 2, true);
    if (kind === "record") {
      const start = view.getUint32(12, true);
      bytes[start + 12] = 77;
      view.setUint32(start, crc32c(bytes.subarray(start + 4, start + 32 + view.getUint32(start + 8, true))), true);
    }
    const changed = kind === "manifest"
      ? new TextEncoder().encode(new TextDecoder().decode(bytes).replace('"format":1', '"format":2'))
      : bytes;
    fs.setBytes(file, changed);
    await assert.rejects(state(fs), { code: "unsupported_version", disk: "unchanged" }, kind);
    assert.deepStrictEqual(fs.bytesOf(file), changed);
  }
});
