import assert from "node:assert/strict";
import { membershipOf } from "../../../lib/raft/membership.ts";
import type { Entry, HardState } from "../../../lib/raft/types.ts";
import type { StorageError } from "../../../lib/errors.ts";
import { FakeFileSystem } from "../../../storage/file/fake_file_system.ts";
import { FileStorage } from "../../../storage/file/mod.ts";

/** The size of the pieces in which a segment is read at a start. */
const PIECE_BYTES = 1024 * 1024;
const RECORD_HEADER_BYTES = 32;

class Log {
  readonly fs = new FakeFileSystem();
  readonly segmentBytes: number;
  storage: FileStorage;
  lastIndex = 0;

  private constructor(segmentBytes: number) {
    this.segmentBytes = segmentBytes;
    this.storage = new FileStorage(this.fs, "/data", { segmentBytes });
  }

  static async start(segmentBytes = 2 ** 30): Promise<Log> {
    const log = new Log(segmentBytes);
    await log.storage.load();
    await log.storage.initialize({ nodeId: "n1", incarnation: "i", clusterId: "c" });
    return log;
  }

  get segments(): string[] {
    return this.fs.paths().filter((path) => path.includes("/log-"));
  }

  async append(term: number, ...data: Uint8Array[]): Promise<void> {
    const entries = data.map((data): Entry => ({ index: ++this.lastIndex, term, type: "command", data }));
    await this.storage.persist({ sequence: 0, hardState: null, snapshot: null, entries });
  }

  async vote(hardState: HardState): Promise<void> {
    await this.storage.persist({ sequence: 0, hardState, snapshot: null, entries: [] });
  }

  async snapshot(index: number, term: number, voters = 1): Promise<void> {
    const members = Array.from({ length: voters }, (_, i) => ({ id: `n${i}`, address: `host-${i}`, incarnation: "i" }));
    const writer = await this.storage.createSnapshot();
    await writer.write(new Uint8Array(10));
    const { offset: size, checksum } = writer;
    const meta = { id: `s${index}`, index, term, membership: membershipOf({ voters: members }), size, checksum };
    await writer.stage(meta);
    await this.storage.persist({ sequence: 0, hardState: null, snapshot: meta, entries: [] });
  }

  async restart() {
    this.fs.kill();
    this.storage = new FileStorage(this.fs, "/data", { segmentBytes: this.segmentBytes });
    return await this.storage.load();
  }
}

const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte);

for (const before of [0, 1, 31, 32, 33, 55, 56]) {
  Deno.test(`a record that begins ${before} bytes before the end of a read piece is found at the next start`, async () => {
    const sizes = [PIECE_BYTES - RECORD_HEADER_BYTES - before, 100, PIECE_BYTES * 1.5, 7];
    for (let count = 1; count <= sizes.length; count++) {
      // The record at the border is an entry, or, with a single entry, the last one of the whole log.
      const log = await Log.start();
      await log.append(1, ...sizes.slice(0, count).map(filled));
      const { lastIndex } = await log.restart();
      assert.equal(lastIndex, count);
      const entries = await log.storage.entries(1, count, Infinity);
      assert.deepEqual(
        entries.map(({ data }) => [data.length, data[0]]),
        sizes.slice(0, count).map((size, i) => [size, i]),
      );
      await log.storage.close();
    }
  });
}

Deno.test("a segment may begin with a membership of hundreds of members", async () => {
  const log = await Log.start(15_000);
  await log.append(1, filled(10, 1));
  await log.snapshot(1, 1, 300);
  await log.append(1, filled(10, 2));
  await log.append(1, filled(10, 3));
  assert.equal(log.segments.length, 3);
  const state = await log.restart();
  assert.deepEqual([state.lastIndex, state.snapshot?.membership.voters.length], [3, 300]);
  assert.equal((await log.storage.entries(2, 3, 100)).length, 2);
  await log.storage.close();
});

Deno.test("term and vote outlive segments whose entries have older terms", async () => {
  const log = await Log.start(400);
  for (let i = 0; i < 20; i++) await log.append(3, filled(50, i));
  await log.vote({ term: 7, votedFor: "n2" });
  // Entries of an earlier term follow while a follower catches up.
  for (let i = 20; i < 40; i++) await log.append(4, filled(50, i));
  await log.snapshot(40, 4);
  await log.storage.compact(40);
  assert.equal(log.segments.length, 1);
  const state = await log.restart();
  assert.deepEqual([state.hardState, state.lastIndex], [{ term: 7, votedFor: "n2" }, 40]);
  await assert.rejects(log.vote({ term: 7, votedFor: "n3" }), { disk: "unchanged" });
  await log.storage.close();
});

Deno.test("a start between two deletions of a compaction finds what is left of the log", async () => {
  for (let deletions = 0; deletions < 6; deletions++) {
    const log = await Log.start(300);
    for (let i = 0; i < 6; i++) await log.append(2, filled(60, i));
    // Segments without entries: their headers alone tell where the log ends, and in which term.
    for (let term = 5; term < 15; term++) await log.vote({ term, votedFor: "a rather long name of a node" });
    await log.snapshot(6, 2);
    assert.ok(log.segments.length > 6, `${log.segments.length} segments`);
    let left = deletions;
    log.fs.intercept = ({ type }) => type === "unlink" && left-- === 0 ? { type: "error", code: "EIO" } : undefined;
    await assert.rejects(log.storage.compact(6), { disk: "in_doubt" });
    log.fs.intercept = () => undefined;
    const state = await log.restart();
    assert.deepEqual([state.lastIndex, state.snapshot?.index, state.hardState.term], [6, 6, 14]);
    log.lastIndex = 6;
    await log.append(14, filled(60, 9));
    await log.storage.close();
  }
});

Deno.test("the files of a log of many segments are kept open in part, the one that is written always", async () => {
  const log = await Log.start(500);
  // Two entries a segment, and one in the newest.
  for (let i = 0; i < 41; i++) await log.append(1, filled(120, i));
  await log.restart();
  const { promise: release, resolve } = Promise.withResolvers<void>();
  let open = 0;
  log.fs.intercept = async ({ type, path }) => {
    if (type === "open") open++;
    if (type === "close") open--;
    if (type === "read" && path !== log.segments[0]) await release;
    return undefined;
  };
  const reads = Array.from({ length: 30 }, (_, i) => log.storage.entries(i + 1, i + 1, 1000));
  // The first read ends while the others are under way.
  await reads[0];
  resolve();
  const found = (await Promise.all(reads)).map(([entry]) => [entry?.index, entry?.data[0]]);
  assert.deepEqual(found, Array.from({ length: 30 }, (_, i) => [i + 1, i]));
  assert.ok(open <= 9, `${open} files are open`);
  await log.append(1, filled(120, 41));
  assert.equal((await log.storage.entries(42, 42, 1000))[0]?.data[0], 41);
  await log.storage.close();
});

Deno.test("no file stays open behind a compaction, a snapshot, or a start that fails", async () => {
  const log = await Log.start(300);
  let open = 1;
  log.fs.intercept = ({ type }) => {
    if (type === "open") open++;
    if (type === "close") open--;
    return undefined;
  };
  for (let i = 0; i < 10; i++) await log.append(1, filled(100, i));
  for (let i = 1; i <= 10; i++) await log.storage.entries(i, i, 1000);
  for (const index of [3, 6, 9]) {
    await log.snapshot(index, 1);
    await log.storage.compact(index);
  }
  await (await log.storage.openSnapshot())!.close();
  await log.storage.close();
  assert.equal(open, 0);
  const snapshot = log.fs.paths().find((path) => path.includes("snapshot-"))!;
  log.fs.setBytes(snapshot, new Uint8Array([...log.fs.bytesOf(snapshot), 0]));
  await assert.rejects(log.restart(), { code: "damaged" });
  assert.equal(open, 0);
});

Deno.test("a close waits for the compaction that is under way", async () => {
  const log = await Log.start(300);
  for (let i = 0; i < 10; i++) await log.append(1, filled(100, i));
  await log.snapshot(9, 1);
  const { promise: release, resolve } = Promise.withResolvers<void>();
  log.fs.intercept = async ({ type }) => {
    if (type === "unlink") await release;
    return undefined;
  };
  const compacted = log.storage.compact(9);
  let closed = false;
  const closing = log.storage.close().then(() => closed = true);
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(closed, false);
  await assert.rejects(new FileStorage(log.fs, "/data").load(), { code: "locked" });
  resolve();
  await compacted;
  await closing;
});

Deno.test("a snapshot that is replaced while it is being opened is not missed: the newer one is opened", async () => {
  const log = await Log.start();
  for (let i = 0; i < 9; i++) await log.append(1, filled(100, i));
  await log.snapshot(3, 1);
  const { promise: release, resolve } = Promise.withResolvers<void>();
  log.fs.intercept = async ({ type, path }) => {
    if (type === "open" && path.endsWith("snapshot-0000000001")) await release;
    return undefined;
  };
  const opening = log.storage.openSnapshot();
  await log.snapshot(6, 1);
  resolve();
  const reader = await opening;
  assert.equal(reader?.meta.index, 6);
  await reader?.close();
  await log.storage.close();
});

Deno.test("the file of a snapshot whose batch is in doubt stays: the log may name it", async () => {
  const log = await Log.start();
  for (let i = 0; i < 9; i++) await log.append(1, filled(100, i));
  const writer = await log.storage.createSnapshot();
  await writer.write(new Uint8Array(10));
  const membership = membershipOf({ voters: [{ id: "n1", address: "a", incarnation: "i" }] });
  const meta = { id: "s", index: 5, term: 1, membership, size: writer.offset, checksum: writer.checksum };
  await writer.stage(meta);
  log.fs.intercept = ({ type, path }) =>
    type === "sync" && path.includes("/log-") ? { type: "error", code: "EIO" } : undefined;
  const batch = { sequence: 0, hardState: null, snapshot: meta, entries: [] };
  await assert.rejects(log.storage.persist(batch), { disk: "in_doubt" });
  log.fs.intercept = () => undefined;
  await writer.abort();
  assert.equal((await log.restart()).snapshot?.index, 5);
  await log.storage.close();
});

Deno.test("a segment that could not be opened once is opened again by the next read", async () => {
  const log = await Log.start(200);
  for (let i = 0; i < 20; i++) await log.append(1, filled(120, i));
  await log.restart();
  log.fs.intercept = ({ type }) => type === "open" ? { type: "error", code: "EMFILE" } : undefined;
  await assert.rejects(log.storage.entries(3, 3, 100), (error: StorageError) => error.code === "storage");
  log.fs.intercept = () => undefined;
  assert.equal((await log.storage.entries(3, 3, 100))[0]?.data[0], 2);
  await log.storage.close();
});

Deno.test("a segment that was cut at a batch's border before an empty one is damage", async () => {
  const log = await Log.start(300);
  await log.append(1, filled(60, 1));
  const border = log.fs.bytesOf(log.segments[0]!).length;
  await log.append(1, filled(60, 2));
  // The segment is full: the first write is the header of the next one.
  let left = 2;
  log.fs.intercept = ({ type }) => type === "write" && --left === 0 ? { type: "crash", when: "before" } : undefined;
  void log.append(1, filled(60, 3)).catch(() => {});
  while (left > 0) await new Promise((resolve) => setTimeout(resolve));
  log.fs.intercept = () => undefined;
  assert.equal((await log.restart()).lastIndex, 2);
  assert.equal(log.segments.length, 2);
  const [first] = log.segments;
  await log.storage.close();
  log.fs.setBytes(first!, log.fs.bytesOf(first!).slice(0, border));
  await assert.rejects(log.restart(), { code: "damaged" });
});

/** Bytes of a batch that are written at a time. */
const WRITE_BYTES = 4 * 1024 * 1024;

/** Entries whose batch takes five writes: two pieces that end at a border, one long entry, and what is left. */
const LONG = [
  ...[1, 2, 3, 4].map((byte) => filled(WRITE_BYTES / 4 - RECORD_HEADER_BYTES, byte)),
  ...[5, 6].map((byte) => filled(WRITE_BYTES / 2, byte)),
  filled(WRITE_BYTES + 1, 7),
  filled(10, 8),
];

/** Returns the lengths of the writes that `append` makes. */
async function writesOf(log: Log, append: () => Promise<void>): Promise<number[]> {
  const lengths: number[] = [];
  log.fs.intercept = ({ type, length }) => {
    if (type === "write") lengths.push(length);
    return undefined;
  };
  await append();
  log.fs.intercept = () => undefined;
  return lengths;
}

Deno.test("a batch of megabytes is written in pieces, and reads as it was written", async () => {
  const log = await Log.start();
  await log.append(1, filled(10, 0));
  const lengths = await writesOf(log, () => log.append(1, ...LONG));
  assert.equal(lengths.length, 5);
  assert.equal(lengths[0], WRITE_BYTES);
  assert.ok(Math.max(...lengths) <= WRITE_BYTES + 1 + RECORD_HEADER_BYTES, `${lengths}`);
  await log.append(1, filled(10, 9));
  for (const lastIndex of [10, (await log.restart()).lastIndex]) {
    const entries = await log.storage.entries(1, lastIndex, Infinity);
    const sizes = [10, ...LONG.map(({ length }) => length), 10];
    assert.deepEqual(entries.map(({ data }) => [data.length, data[0]]), sizes.map((size, i) => [size, i]));
  }
  await log.storage.close();
});

for (const when of ["before", "after"] as const) {
  Deno.test(`of a batch in pieces nothing is left by a crash ${when} any but the last write`, async () => {
    for (let piece = 1; piece <= 4; piece++) {
      const log = await Log.start();
      await log.append(1, filled(10, 0));
      let left = piece;
      log.fs.intercept = ({ type }) => type === "write" && --left === 0 ? { type: "crash", when } : undefined;
      void log.append(1, ...LONG).catch(() => {});
      while (left > 0) await new Promise((resolve) => setTimeout(resolve));
      log.fs.intercept = () => undefined;
      assert.equal((await log.restart()).lastIndex, 1);
      log.lastIndex = 1;
      await log.append(1, filled(20, 1));
      assert.equal((await log.restart()).lastIndex, 2);
      await log.storage.close();
    }
  });
}

Deno.test("a batch of which a later piece can't be written leaves the log as it was", async () => {
  for (let piece = 1; piece <= 5; piece++) {
    const log = await Log.start();
    await log.append(1, filled(10, 0));
    const { length } = log.fs.bytesOf(log.segments[0]!);
    let left = piece;
    log.fs.intercept = ({ type }) => type === "write" && --left === 0 ? { type: "error", code: "ENOSPC" } : undefined;
    await assert.rejects(log.append(1, ...LONG), { disk: "unchanged" });
    log.fs.intercept = () => undefined;
    assert.equal(log.fs.bytesOf(log.segments[0]!).length, length);
    log.lastIndex = 1;
    await log.append(1, filled(20, 1));
    const entries = await log.storage.entries(1, 2, Infinity);
    assert.deepEqual(entries.map(({ data }) => data.length), [10, 20]);
    assert.equal((await log.restart()).lastIndex, 2);
    await log.storage.close();
  }
});
