// Every operation of a workload fails once. After an error with `unchanged` the same
// step succeeds when it is retried. One with `in_doubt` ends the storage, and a
// restart reads what is really on the disk.

import assert from "node:assert/strict";
import { concatBytes } from "../../../lib/bytes.ts";
import { StorageError } from "../../../lib/errors.ts";
import { membershipOf } from "../../../lib/raft/mod.ts";
import { FakeFileSystem } from "../../../storage/file/fake_file_system.ts";
import type { FakeOperation } from "../../../storage/file/fake_file_system.ts";
import { FileStorage } from "../../../storage/file/mod.ts";
import { generator } from "./random.ts";
import { entry, nothing, observe, script } from "./workload.ts";
import type { Expected } from "./workload.ts";

const options = { segmentBytes: 1500 };
const membership = membershipOf({ voters: [{ id: "n1", address: "n1", incarnation: "i" }] });

interface Played {
  readonly outcome: "done" | "unchanged" | "in_doubt" | "load";
  readonly acknowledged: Expected;
  readonly inFlight: Expected;
  readonly failed: FakeOperation | undefined;
}

async function playWithFault(fs: FakeFileSystem, at: number, code: string): Promise<Played> {
  let failed: FakeOperation | undefined;
  fs.intercept = (operation) => {
    if (operation.count !== at) return undefined;
    failed = operation;
    return { type: "error", code };
  };
  const storage = new FileStorage(fs, "/data", options);
  let acknowledged = nothing;
  let outcome: Played["outcome"] = "done";
  try {
    await storage.load();
  } catch (error) {
    assert.ok(error instanceof StorageError, String(error));
    return { outcome: "load", acknowledged, inFlight: acknowledged, failed };
  }
  for (const step of script) {
    const { next, act } = step(acknowledged);
    try {
      await act(storage);
    } catch (error) {
      assert.ok(error instanceof StorageError, String(error));
      if (error.disk === "in_doubt") {
        const again = { sequence: 1, hardState: { term: 99, votedFor: null }, snapshot: null, entries: [] };
        const { operations } = fs;
        await assert.rejects(storage.persist(again), { disk: "in_doubt" });
        await assert.rejects(storage.createSnapshot(), { disk: "in_doubt" });
        assert.strictEqual(fs.operations, operations, "the disk is no longer touched");
        await storage.close();
        return { outcome: "in_doubt", acknowledged, inFlight: next, failed };
      }
      const found = await observe(storage, { ...await stateOf(fs), identity: identityOf(acknowledged) });
      assert.deepStrictEqual(found, acknowledged, `unchanged after ${failed?.type} of ${failed?.path}`);
      await act(storage);
      outcome = "unchanged";
    }
    acknowledged = next;
  }
  await storage.close();
  return { outcome, acknowledged, inFlight: acknowledged, failed };
}

function identityOf({ identity }: Expected): { nodeId: string; incarnation: string; clusterId: string } | null {
  const [nodeId = "", incarnation = "", clusterId = ""] = identity.split("/");
  return identity === "" ? null : { nodeId, incarnation, clusterId };
}

/** Returns the state that a start would find on a copy of the disk. */
async function stateOf(fs: FakeFileSystem) {
  const copy = new FakeFileSystem();
  await copy.makeDirectory("/data");
  for (const path of fs.paths()) copy.setBytes(path, fs.bytesOf(path));
  const storage = new FileStorage(copy, "/data", options);
  const state = await storage.load();
  await storage.close();
  return state;
}

for (const code of ["ENOSPC", "EIO"]) {
  Deno.test(`each operation of a workload fails once with ${code}`, async () => {
    const outcomes = { done: 0, unchanged: 0, in_doubt: 0, load: 0 };
    for (let at = 1;; at++) {
      const fs = new FakeFileSystem();
      const { outcome, acknowledged, inFlight, failed } = await playWithFault(fs, at, code);
      if (failed === undefined) break;
      outcomes[outcome]++;
      const where = `operation ${at}, ${failed.type} of ${failed.path}: ${outcome}`;
      if (failed.type === "sync" && failed.path !== "/data") assert.strictEqual(outcome, "in_doubt", where);
      if (failed.type === "write") assert.strictEqual(outcome, "unchanged", where);
      fs.restart("random", generator(at));
      fs.intercept = () => undefined;
      const storage = new FileStorage(fs, "/data", options);
      const found = JSON.stringify(await observe(storage, await storage.load()));
      assert.ok([acknowledged, inFlight].some((each) => JSON.stringify(each) === found), `${where}: found ${found}`);
      await storage.close();
    }
    assert.ok(outcomes.unchanged > 30 && outcomes.in_doubt > 30 && outcomes.load > 0, JSON.stringify(outcomes));
  });
}

/** Starts a storage with one entry. */
async function started(): Promise<{ readonly fs: FakeFileSystem; readonly storage: FileStorage }> {
  const fs = new FakeFileSystem();
  const storage = new FileStorage(fs, "/data", options);
  await storage.load();
  await storage.initialize({ nodeId: "n1", incarnation: "i", clusterId: "c" });
  await persist(storage, 1);
  return { fs, storage };
}

function persist(storage: FileStorage, index: number, size = 300): Promise<void> {
  return storage.persist({ sequence: index, hardState: null, snapshot: null, entries: [entry(index, 1, size)] });
}

Deno.test("a write that takes a few bytes at a time is completed", async () => {
  const { fs, storage } = await started();
  fs.intercept = ({ type }) => type === "write" ? { type: "short", bytes: 7 } : undefined;
  await persist(storage, 2);
  await storage.close();
  fs.intercept = () => undefined;
  fs.restart("none", () => 0);
  const again = new FileStorage(fs, "/data", options);
  assert.strictEqual((await again.load()).lastIndex, 2);
  await again.close();
});

Deno.test("a disk that fills up during a write is unchanged, and the next batch takes its place", async () => {
  const { fs, storage } = await started();
  let writes = 0;
  fs.intercept = ({ type }) => {
    if (type !== "write") return undefined;
    return ++writes === 1 ? { type: "short", bytes: 50 } : { type: "error", code: "ENOSPC" };
  };
  await assert.rejects(persist(storage, 2), {
    code: "storage",
    disk: "unchanged",
    outcome: "rejected",
    message: /no space left/,
  });
  fs.intercept = () => undefined;
  await persist(storage, 2, 4);
  await storage.close();
  fs.restart("none", () => 0);
  const again = new FileStorage(fs, "/data", options);
  assert.strictEqual((await again.load()).lastIndex, 2);
  assert.strictEqual((await again.entries(2, 2, 10))[0]!.data.length, 4);
  await again.close();
});

Deno.test("a failed write that can't be undone leaves the disk in doubt", async () => {
  const { fs, storage } = await started();
  fs.intercept = ({ type }) => type === "write" || type === "truncate" ? { type: "error", code: "EIO" } : undefined;
  await assert.rejects(persist(storage, 2), { disk: "in_doubt", outcome: "unknown" });
  fs.intercept = () => undefined;
  await assert.rejects(persist(storage, 2), { disk: "in_doubt" });
  await storage.close();
});

Deno.test("after a failed fsync the file is never synced again, and reads continue to work", async () => {
  const { fs, storage } = await started();
  let syncs = 0;
  fs.intercept = ({ type }) => {
    if (type !== "sync") return undefined;
    syncs++;
    return { type: "error", code: "EIO" };
  };
  await assert.rejects(persist(storage, 2), { disk: "in_doubt", outcome: "unknown" });
  await assert.rejects(persist(storage, 2), { disk: "in_doubt" });
  assert.strictEqual(syncs, 1);
  assert.strictEqual((await storage.entries(1, 1, 10)).length, 1);
  await assert.rejects(storage.entries(2, 2, 10), { code: "storage" });
  await storage.close();
  // The bytes that could not be written are lost, although the kernel reported it only once.
  fs.intercept = () => undefined;
  fs.restart("all", () => 0);
  const again = new FileStorage(fs, "/data", options);
  assert.strictEqual((await again.load()).lastIndex, 1);
  await again.close();
});

Deno.test("bytes that a failed fsync dropped, and the kernel still shows, are written again before they are used", async () => {
  const { fs, storage } = await started();
  fs.intercept = ({ type }) => type === "sync" ? { type: "error", code: "EIO" } : undefined;
  await assert.rejects(persist(storage, 2), { disk: "in_doubt" });
  fs.intercept = () => undefined;
  // The process ends, but not the machine: the bytes are read, though no disk has them.
  fs.kill();
  const again = new FileStorage(fs, "/data", options);
  assert.strictEqual((await again.load()).lastIndex, 2);
  await persist(again, 3);
  fs.restart("none", () => 0);
  const last = new FileStorage(fs, "/data", options);
  assert.strictEqual((await last.load()).lastIndex, 3);
  assert.strictEqual((await last.entries(1, 3, 1_000_000)).length, 3);
  await last.close();
});

Deno.test("a torn tail stays cut off, although the sync after the cut has failed", async () => {
  const fs = new FakeFileSystem();
  const segmentBytes = 300;
  const open = () => new FileStorage(fs, "/data", { segmentBytes });
  const storage = open();
  await storage.load();
  await storage.initialize({ nodeId: "n1", incarnation: "i", clusterId: "c" });
  await storage.persist({ sequence: 1, hardState: null, snapshot: null, entries: [entry(1, 1, 20)] });
  await storage.close();
  const path = fs.paths().find((path) => path.includes("/log-"))!;
  fs.setBytes(path, concatBytes([fs.bytesOf(path), new Uint8Array(500).fill(7)]));
  fs.intercept = ({ type }) => type === "sync" ? { type: "error", code: "EIO" } : undefined;
  await assert.rejects(open().load(), { disk: "unchanged" });
  fs.intercept = () => undefined;
  const again = open();
  assert.equal((await again.load()).lastIndex, 1);
  // The second of them is in another segment: the first one is never looked at again.
  for (const index of [2, 3]) {
    await again.persist({ sequence: index, hardState: null, snapshot: null, entries: [entry(index, 1, 90)] });
  }
  fs.restart("none", () => 0);
  const after = open();
  assert.equal((await after.load()).lastIndex, 3);
  await after.close();
});

Deno.test("a snapshot that a log in doubt may name is left for the next start", async () => {
  const { fs, storage } = await started();
  const writer = await storage.createSnapshot();
  await writer.write(new Uint8Array(10));
  const meta = { id: "s", index: 1, term: 1, membership, size: writer.offset, checksum: writer.checksum };
  await writer.stage(meta);
  fs.intercept = ({ type }) => type === "sync" ? { type: "error", code: "EIO" } : undefined;
  await assert.rejects(storage.persist({ sequence: 2, hardState: null, snapshot: meta, entries: [] }), {
    disk: "in_doubt",
  });
  fs.intercept = () => undefined;
  await writer.abort();
  await storage.close();
  // The process ends, but not the machine: the batch is read, and names the snapshot.
  fs.kill();
  const again = new FileStorage(fs, "/data", options);
  assert.strictEqual((await again.load()).snapshot?.id, "s");
  await again.close();
});

Deno.test("a write that never returns does not block reads", async () => {
  const { fs, storage } = await started();
  fs.intercept = ({ type }) => type === "write" ? { type: "hang" } : undefined;
  let settled = false;
  persist(storage, 2).then(() => settled = true, () => settled = true);
  assert.strictEqual((await storage.entries(1, 1, 10)).length, 1);
  await assert.rejects(persist(storage, 3), { disk: "unchanged", message: /another batch/ });
  assert.strictEqual(settled, false);
});

Deno.test("a read that fails is an error and does no harm", async () => {
  const { fs, storage } = await started();
  fs.intercept = ({ type }) => type === "read" ? { type: "error", code: "EIO" } : undefined;
  await assert.rejects(storage.entries(1, 1, 10), { code: "storage", disk: "unchanged" });
  fs.intercept = () => undefined;
  assert.strictEqual((await storage.entries(1, 1, 10)).length, 1);
  const writer = await storage.createSnapshot();
  const meta = { id: "s1", index: 1, term: 1, membership, size: 0, checksum: 0 };
  await writer.stage(meta);
  await storage.persist({ sequence: 0, hardState: null, snapshot: meta, entries: [] });
  fs.intercept = ({ type }) => type === "read" ? { type: "error", code: "EIO" } : undefined;
  await assert.rejects(storage.openSnapshot(), { name: "StorageError", disk: "unchanged" });
  fs.intercept = () => undefined;
  await persist(storage, 2);
  await storage.close();
});
