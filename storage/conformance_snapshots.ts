/**
 * Checks of snapshots and compaction.
 */

import { crc32c } from "../lib/crc32c.ts";
import type { SnapshotMeta } from "../lib/raft/types.ts";
import { membership, membershipEntry, metaOf, readAll, rejects, run, same, text } from "./conformance_bench.ts";
import type { Checks } from "./conformance_bench.ts";

/**
 * Checks of snapshots that are staged, aborted, in force and replaced, and of their
 * effect on the log, on a storage that has its identity.
 */
export const snapshotChecks: Checks = {
  "a staged snapshot is visible only once it is persisted": async (bench) => {
    await bench.persist({ entries: run(1, 5, 1) });
    const { meta } = await bench.stage(3, 1, "state at 3");
    same(await bench.storage.openSnapshot(), null, "before");
    await bench.persist({ snapshot: meta });
    const reader = await bench.storage.openSnapshot();
    same(reader?.meta, meta, "its meta");
    same(await readAll(reader), "state at 3", "its bytes");
    await reader?.close();
    const state = await bench.restart();
    same(state.snapshot, meta, "its meta after a restart");
    same(await readAll(await bench.storage.openSnapshot(), 1000), "state at 3", "its bytes after a restart");
  },
  "a staged snapshot can be read before it is persisted, and replaces nothing until then": async (bench) => {
    await bench.persist({ entries: run(1, 5, 1) });
    await bench.install(2, 1, "two");
    const early = await bench.storage.createSnapshot();
    await rejects(early.open(), "storage", "one that is not staged");
    await early.abort();
    const { meta, writer } = await bench.stage(9, 2, "nine");
    const first = await writer.open();
    same(first.meta, meta, "its meta");
    same(await readAll(first, 3), "nine", "its bytes");
    await first.close();
    same(await readAll(await bench.storage.openSnapshot()), "two", "the newest one meanwhile");
    same(await bench.log(3, 5), "3:1:3 4:1:4 5:1:5", "the log meanwhile");
    await bench.persist({ snapshot: meta });
    same(await readAll(await bench.storage.openSnapshot()), "nine", "the newest one afterwards");
  },
  "a snapshot that was staged but not persisted is gone after a restart": async (bench) => {
    const { meta } = await bench.stage(3, 1, "never");
    const state = await bench.restart();
    same([state.snapshot, state.lastIndex], [null, 0], "the state");
    await rejects(bench.persist({ snapshot: meta }), "storage", "the staged one");
  },
  "a snapshot that matches the log keeps it (§7)": async (bench) => {
    await bench.persist({ entries: [membershipEntry(1, 1), ...run(2, 3, 1), membershipEntry(5, 2)] });
    await bench.install(3, 1, "three");
    same(await bench.log(4, 4), "4:1:4", "an entry after it");
    const state = await bench.restart();
    same(state.lastIndex, 5, "the last index");
    same(state.memberships.map((entry) => entry.index), [5], "only memberships after it");
    const before = state.termStarts.filter((start) => start.index <= 4).at(-1);
    same(before?.term, 1, "the term after it");
    await bench.persist({ entries: run(6, 1, 2) });
  },
  "a snapshot that does not match the log empties it (§7)": async (bench) => {
    for (const [index, term] of [[3, 2], [9, 2]] as const) {
      const own = `${index}`;
      await bench.persist({ entries: run(index === 3 ? 1 : 4, 5, index === 3 ? 1 : 2) });
      const meta = await bench.install(index, term, own);
      await rejects(bench.storage.entries(index + 1, index + 1, 10), "storage", "an entry after it");
      const state = await bench.restart();
      same([state.lastIndex, state.snapshot, state.memberships], [index, meta, []], "the state");
    }
    await rejects(bench.persist({ entries: run(9, 1, 2) }), "storage", "an entry that it covers");
    await bench.persist({ entries: run(10, 2, 2) });
    const state = await bench.restart();
    same([state.lastIndex, state.termStarts], [11, [{ index: 10, term: 2 }]], "the log after it");
  },
  "a snapshot that does not match the log empties it of its memberships, too": async (bench) => {
    await bench.persist({ entries: [membershipEntry(1, 1), ...run(2, 3, 1), membershipEntry(5, 1)] });
    await bench.install(3, 2, "three");
    same((await bench.restart()).memberships, [], "the memberships");
    await bench.persist({ entries: [membershipEntry(4, 2)] });
    same((await bench.restart()).memberships.map(({ index, term }) => [index, term]), [[4, 2]], "a new one");
  },
  "reads while a snapshot empties the log return entries of before, or none": async (bench) => {
    await bench.persist({ entries: run(1, 300, 1) });
    const { meta } = await bench.stage(5, 2, "five");
    const installed = bench.persist({ snapshot: meta });
    const reads = [1, 4, 7, 250].map(async (from) => {
      for (let next = from; next <= 300;) {
        const entries = await bench.storage.entries(next, 300, 200);
        entries.forEach((entry, i) => same([entry.index, entry.term], [next + i, 1], "an entry"));
        next += entries.length;
      }
    });
    for (const read of await Promise.allSettled(reads)) {
      if (read.status === "rejected") await rejects(Promise.reject(read.reason), "storage", "a read");
    }
    await installed;
    same((await bench.restart()).lastIndex, 5, "the last index");
  },
  "a snapshot of many blocks is read as it was written, in pieces of any size": async (bench) => {
    const bytes = new Uint8Array(700_001).map((_, i) => i * 31 + (i >> 8));
    const writer = await bench.storage.createSnapshot();
    for (let at = 0; at < bytes.length; at += 99_999) await writer.write(bytes.subarray(at, at + 99_999));
    const meta = metaOf(writer, "large", 1);
    await writer.stage(meta);
    await bench.persist({ snapshot: meta });
    await bench.restart();
    const reader = (await bench.storage.openSnapshot())!;
    for (const piece of [1_000_000, 262_144, 262_143, 100_003]) {
      const found = new Uint8Array(bytes.length);
      for (let at = 0; at < bytes.length;) {
        const part = await reader.read(at, piece);
        same(part.length, Math.min(piece, bytes.length - at), "the length of a piece");
        found.set(part, at);
        at += part.length;
      }
      same(crc32c(found), crc32c(bytes), `pieces of ${piece} bytes`);
    }
    const end = await reader.read(524_280, 20);
    same([...end], [...bytes.subarray(524_280, 524_300)], "a piece over the border of two blocks");
    await reader.close();
  },
  "snapshot, term and entries of one batch are stored together": async (bench) => {
    await bench.persist({ entries: run(1, 3, 1) });
    const { meta } = await bench.stage(10, 2, "ten");
    await bench.persist({ hardState: { term: 2, votedFor: null }, snapshot: meta, entries: run(11, 2, 2) });
    const state = await bench.restart();
    same([state.snapshot, state.lastIndex, state.hardState.term], [meta, 12, 2], "the state");
    same(await bench.log(11, 12), "11:2:11 12:2:12", "the log");
  },
  "a newer snapshot replaces the old one, which its reader keeps": async (bench) => {
    await bench.persist({ entries: run(1, 9, 1) });
    await bench.install(3, 1, "the first one");
    const old = await bench.storage.openSnapshot();
    await old?.read(0, 2);
    const second = await bench.install(6, 1, "the second one");
    await bench.storage.compact(6);
    same(await readAll(old), "the first one", "the old one, still open");
    await old?.close();
    await rejects(old!.read(0, 1), "closed", "a read after close");
    same(await readAll(await bench.storage.openSnapshot()), "the second one", "the new one");
    same((await bench.restart()).snapshot, second, "after a restart");
    const third = await bench.stage(3, 1, "an older one");
    await rejects(bench.persist({ snapshot: third.meta }), "storage", "an older snapshot");
    const again = await bench.install(6, 1, "other bytes for the same index");
    same((await bench.restart()).snapshot, again, "equal index, other bytes");
  },
  "an aborted snapshot leaves nothing behind, staged or not": async (bench) => {
    const unstaged = await bench.storage.createSnapshot();
    await unstaged.write(text.encode("half"));
    await unstaged.abort();
    await rejects(unstaged.write(text.encode("more")), "storage", "a write after abort");
    const { meta, writer } = await bench.stage(2, 1, "staged");
    await writer.abort();
    await rejects(bench.persist({ snapshot: meta }), "storage", "an aborted one");
    same(await bench.storage.openSnapshot(), null, "the snapshot");
    const { meta: kept, writer: persisted } = await bench.stage(2, 1, "kept");
    await bench.persist({ snapshot: kept });
    await persisted.abort();
    same(await readAll(await bench.storage.openSnapshot()), "kept", "abort after persist does nothing");
  },
  "a new snapshot supersedes the one that is being written or staged": async (bench) => {
    const unstaged = await bench.storage.createSnapshot();
    await unstaged.write(text.encode("one"));
    const { meta: staged } = await bench.stage(4, 1, "two");
    await rejects(unstaged.write(text.encode("more")), "storage", "a write of the first one");
    const { meta: kept } = await bench.stage(5, 1, "three");
    await rejects(bench.persist({ snapshot: staged }), "storage", "the second one");
    await bench.persist({ snapshot: kept });
    await unstaged.abort();
    same(await readAll(await bench.storage.openSnapshot()), "three", "the one persisted");
    const two = await Promise.allSettled([bench.storage.createSnapshot(), bench.storage.createSnapshot()]);
    same(two.map(({ status }) => status), ["rejected", "fulfilled"], "two at once");
  },
  "a new snapshot waits for a batch that puts another one in force": async (bench) => {
    const { meta } = await bench.stage(5, 1, "five");
    const persisted = bench.persist({ snapshot: meta });
    const { writer } = await bench.stage(6, 1, "six");
    await persisted;
    await writer.abort();
    same(await readAll(await bench.storage.openSnapshot()), "five", "the one persisted");
  },
  "an empty snapshot can be put in force": async (bench) => {
    await bench.install(6, 1, "");
    await bench.restart();
    same(await readAll(await bench.storage.openSnapshot()), "", "its bytes");
  },
  "bytes that don't match the meta are not staged": async (bench) => {
    for (const wrong of [{ size: 3 }, { checksum: 1 }]) {
      const writer = await bench.storage.createSnapshot();
      await writer.write(text.encode("data"));
      await rejects(writer.stage({ ...metaOf(writer, "x", 1), ...wrong }), "damaged", JSON.stringify(wrong));
      await writer.abort();
    }
  },
  "a snapshot that no node could start with is refused, and replaces nothing": async (bench) => {
    await bench.persist({ hardState: { term: 2, votedFor: null }, entries: run(1, 4, 2) });
    const kept = await bench.install(3, 2, "kept");
    const before = await bench.restart();
    const wrong: [string, Partial<SnapshotMeta>][] = [
      ["no voters", { membership: { ...membership, voters: [] } }],
      ["a voter without a member", { membership: { ...membership, voters: ["n1", "n2", "n3"] } }],
      ["a fraction", { index: 4.5 }],
      ["an index after which no log can grow", { index: Number.MAX_SAFE_INTEGER }],
      ["a negative term", { term: -1 }],
      ["a term below the last snapshot's", { index: 9, term: 1 }],
      ["another term for the same entry", { term: 3 }],
      ["no id", { id: "" }],
    ];
    for (const [what, change] of wrong) {
      const writer = await bench.storage.createSnapshot();
      await writer.write(text.encode("wrong"));
      const meta = { ...metaOf(writer, "wrong", 3, 2), ...change };
      // It may be refused at once, or with the batch.
      const staged = await writer.stage(meta).then(() => true, () => false);
      const error = await rejects(bench.persist({ snapshot: meta }), "storage", what);
      if (staged) same(error.disk, "unchanged", what);
      await writer.abort();
    }
    same(await readAll(await bench.storage.openSnapshot()), "kept", "the snapshot");
    same([await bench.restart(), before.snapshot], [before, kept], "the state");
  },
  "compaction removes entries that the snapshot covers, and none beyond it": async (bench) => {
    await bench.persist({ hardState: { term: 1, votedFor: "n1" }, entries: run(1, 10, 1) });
    await bench.storage.compact(8);
    same(await bench.log(1, 2), "1:1:1 2:1:2", "nothing without a snapshot");
    const meta = await bench.install(7, 1, "seven");
    await bench.storage.compact(5);
    same(await bench.log(6, 10), "6:1:6 7:1:7 8:1:8 9:1:9 10:1:10", "entries after the given index");
    await bench.storage.compact(9);
    same(await bench.log(8, 10), "8:1:8 9:1:9 10:1:10", "entries that the snapshot does not cover");
    await bench.storage.compact(2);
    const state = await bench.restart();
    same([state.lastIndex, state.snapshot, state.hardState], [10, meta, { term: 1, votedFor: "n1" }], "the state");
    same(await bench.log(8, 10), "8:1:8 9:1:9 10:1:10", "after a restart");
    await bench.install(10, 1, "ten");
    await bench.storage.compact(10);
    await bench.persist({ entries: run(11, 1, 2) });
    same((await bench.restart()).lastIndex, 11, "the last index");
    same(await bench.log(11, 11), "11:2:11", "the log continues");
  },
};
