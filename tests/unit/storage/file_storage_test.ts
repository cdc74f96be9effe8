import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Entry } from "../../../lib/raft/types.ts";
import { membershipOf } from "../../../lib/raft/membership.ts";
import { FakeFileSystem } from "../../../storage/file/fake_file_system.ts";
import { createFileStorage, FileStorage } from "../../../storage/file/mod.ts";

const membership = membershipOf({ voters: [{ id: "n1", address: "a", incarnation: "i" }] });

async function started(fs: FakeFileSystem, segmentBytes: number): Promise<FileStorage> {
  const storage = new FileStorage(fs, "/data", { segmentBytes });
  await storage.load();
  await storage.initialize({ nodeId: "n1", incarnation: "i", clusterId: "c" });
  return storage;
}

function commands(first: number, count: number): Entry[] {
  return Array.from({ length: count }, (_, i) => {
    return { index: first + i, term: 1, type: "command", data: new Uint8Array(100).fill(first + i) };
  });
}

async function snapshotAt(storage: FileStorage, index: number): Promise<void> {
  const writer = await storage.createSnapshot();
  await writer.write(new Uint8Array(10));
  const meta = { id: `s${index}`, index, term: 1, membership, size: writer.offset, checksum: writer.checksum };
  await writer.stage(meta);
  await storage.persist({ sequence: 0, hardState: null, snapshot: meta, entries: [] });
}

const logs = (fs: FakeFileSystem) => fs.paths().filter((path) => path.includes("/log-"));

Deno.test("a batch costs one write and one sync, however many entries it has", async () => {
  const fs = new FakeFileSystem();
  const storage = await started(fs, 1_000_000);
  const seen: string[] = [];
  fs.intercept = ({ type }) => void seen.push(type);
  await storage.persist({
    sequence: 1,
    hardState: { term: 1, votedFor: "n1" },
    snapshot: null,
    entries: commands(1, 50),
  });
  assert.deepStrictEqual(seen, ["write", "sync"]);
  await storage.close();
});

Deno.test("compaction deletes the files that hold nothing else, and term and vote outlive them", async () => {
  const fs = new FakeFileSystem();
  const storage = await started(fs, 500);
  await storage.persist({ sequence: 1, hardState: { term: 1, votedFor: "n1" }, snapshot: null, entries: [] });
  for (let index = 1; index <= 40; index++) {
    await storage.persist({ sequence: index, hardState: null, snapshot: null, entries: commands(index, 1) });
  }
  const before = logs(fs).length;
  assert.ok(before > 8, `${before}`);
  await storage.compact(30);
  assert.strictEqual(logs(fs).length, before, "not before there is a snapshot");
  await snapshotAt(storage, 30);
  await storage.compact(25);
  const after = logs(fs).length;
  assert.ok(after < before / 2, `${before} files became ${after}`);
  assert.strictEqual((await storage.entries(26, 40, 10_000)).length, 15);
  await assert.rejects(storage.entries(25, 26, 10), { code: "storage" });
  await storage.close();
  const again = new FileStorage(fs, "/data", { segmentBytes: 500 });
  const state = await again.load();
  assert.deepStrictEqual([state.hardState, state.lastIndex], [{ term: 1, votedFor: "n1" }, 40]);
  assert.ok(state.termStarts[0]!.index <= 26);
  assert.strictEqual((await again.entries(26, 40, 10_000)).length, 15);
  await again.close();
});

Deno.test("reads under way while the log is compacted return their entries, or fail because these are gone", async () => {
  const fs = new FakeFileSystem();
  const storage = await started(fs, 700);
  for (let index = 1; index <= 300; index += 3) {
    await storage.persist({ sequence: index, hardState: null, snapshot: null, entries: commands(index, 3) });
  }
  await snapshotAt(storage, 290);
  let read = 0;
  let gone = 0;
  for (let upTo = 20; upTo <= 280; upTo += 20) {
    const reads = [upTo - 19, upTo - 5, upTo, upTo + 1, upTo + 15].map(async (from) => {
      const found = await storage.entries(from, 300, 5_000);
      found.forEach((entry, i) => {
        assert.strictEqual(entry.index, from + i);
        assert.strictEqual(entry.data[7], entry.index & 0xff);
      });
      assert.ok(found.length > 0);
    });
    const [settled] = await Promise.all([Promise.allSettled(reads), storage.compact(upTo)]);
    for (const result of settled) {
      if (result.status === "fulfilled") read++;
      else {
        gone++;
        assert.ok(String(result.reason).includes("not in the log"), String(result.reason));
      }
    }
    assert.deepStrictEqual(settled.slice(3).map((result) => result.status), ["fulfilled", "fulfilled"]);
  }
  assert.ok(read >= 28 && gone > 0, `${read} read, ${gone} gone`);
  await storage.close();
});

Deno.test("a failed batch with a staged snapshot may be persisted again", async () => {
  const fs = new FakeFileSystem();
  const storage = await started(fs, 1_000_000);
  await storage.persist({ sequence: 1, hardState: null, snapshot: null, entries: commands(1, 3) });
  await snapshotAt(storage, 1);
  const writer = await storage.createSnapshot();
  await writer.write(new Uint8Array(10));
  const meta = { id: "s", index: 2, term: 1, membership, size: writer.offset, checksum: writer.checksum };
  await writer.stage(meta);
  fs.intercept = ({ type }) => type === "write" ? { type: "error", code: "ENOSPC" } : undefined;
  const batch = { sequence: 2, hardState: null, snapshot: meta, entries: [] };
  await assert.rejects(storage.persist(batch), { disk: "unchanged" });
  fs.intercept = () => undefined;
  const before = await storage.openSnapshot();
  assert.strictEqual(before?.meta.id, "s1");
  await before.close();
  await storage.persist(batch);
  await storage.close();
  const again = new FileStorage(fs, "/data");
  assert.strictEqual((await again.load()).snapshot?.id, "s");
  await again.close();
});

const snapshots = (fs: FakeFileSystem) => fs.paths().filter((path) => path.includes("/snapshot-"));

for (const hanging of ["open", "write", "sync"] as const) {
  Deno.test(`a superseded snapshot ends and its file goes at once, although its ${hanging} hangs`, async () => {
    const fs = new FakeFileSystem();
    const storage = await started(fs, 1_000_000);
    await storage.persist({ sequence: 1, hardState: null, snapshot: null, entries: commands(1, 9) });
    await snapshotAt(storage, 1);
    const current = snapshots(fs);
    const hang = (): void => {
      fs.intercept = ({ type, path }) => type === hanging && path.endsWith(".tmp") ? { type: "hang" } : undefined;
    };
    if (hanging === "open") hang();
    const stuck = storage.createSnapshot().then(async (writer) => {
      hang();
      await writer.write(new Uint8Array(1000));
      const meta = { id: "a", index: 2, term: 1, membership, size: writer.offset, checksum: writer.checksum };
      await writer.stage(meta);
    });
    stuck.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve));
    fs.intercept = () => undefined;
    const writer = await storage.createSnapshot();
    await writer.write(new Uint8Array(10));
    const beside = snapshots(fs).filter((path) => !current.includes(path));
    assert.strictEqual(beside.length, 1, `beside ${current}: ${beside}`);
    await writer.abort();
    assert.deepStrictEqual(snapshots(fs), current);
    await storage.close();
    await new FileStorage(fs, "/data").load();
    assert.deepStrictEqual(snapshots(fs), current, "after a restart");
  });
}

for (const slow of ["write", "sync"] as const) {
  Deno.test(`a snapshot that is superseded while it is staged leaves the disk in no doubt: a slow ${slow}`, async () => {
    const fs = new FakeFileSystem();
    const storage = await started(fs, 1_000_000);
    const writer = await storage.createSnapshot();
    await writer.write(new Uint8Array(10));
    const meta = { id: "a", index: 1, term: 1, membership, size: writer.offset, checksum: writer.checksum };
    const held = Promise.withResolvers<undefined>();
    fs.intercept = ({ type, path }) => type === slow && path.endsWith("1.tmp") ? held.promise : undefined;
    const staged = writer.stage(meta).then(() => assert.fail("superseded"), (error) => error.disk);
    await new Promise((resolve) => setTimeout(resolve));
    const next = await storage.createSnapshot();
    held.resolve(undefined);
    assert.strictEqual(await staged, "unchanged");
    await storage.persist({ sequence: 1, hardState: null, snapshot: null, entries: commands(1, 1) });
    await next.abort();
    assert.deepStrictEqual(snapshots(fs), []);
    await storage.close();
  });
}

Deno.test("no further snapshot is begun while a batch puts one in force, and none stands beside two", async () => {
  const fs = new FakeFileSystem();
  const storage = await started(fs, 1_000_000);
  await storage.persist({ sequence: 1, hardState: null, snapshot: null, entries: commands(1, 9) });
  await snapshotAt(storage, 1);
  const writer = await storage.createSnapshot();
  const meta = { id: "s2", index: 2, term: 1, membership, size: 0, checksum: 0 };
  await writer.stage(meta);
  const slow = Promise.withResolvers<undefined>();
  fs.intercept = ({ type, path }) => type === "sync" && path.includes("/log-") ? slow.promise : undefined;
  const persisted = storage.persist({ sequence: 2, hardState: null, snapshot: meta, entries: [] });
  let begun = false;
  const next = storage.createSnapshot().finally(() => begun = true);
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepStrictEqual([begun, snapshots(fs).length], [false, 2]);
  await writer.abort();
  slow.resolve(undefined);
  await persisted;
  await next;
  assert.deepStrictEqual(snapshots(fs), ["/data/snapshot-0000000002", "/data/snapshot-0000000003.tmp"]);
  await storage.close();
});

Deno.test("an option out of range is refused", () => {
  const fs = new FakeFileSystem();
  for (const segmentBytes of [0, -1, NaN, 2 ** 31]) {
    assert.throws(() => new FileStorage(fs, "/data", { segmentBytes }), RangeError);
  }
});

Deno.test("a file in place of the folder is reported", async () => {
  const file = fileURLToPath(import.meta.url);
  for (const dir of [file, `${file}/data`]) {
    await assert.rejects(createFileStorage(dir).load(), {
      code: "storage",
      message: /it is not a folder/,
    });
  }
});
