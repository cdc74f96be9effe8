/**
 * Checks of identity, closing and the log.
 */

import { crc32c } from "../lib/crc32c.ts";
import type { Entry, HardState, PersistBatch } from "../lib/raft/types.ts";
import { expect, identity, membership, membershipEntry, rejects, run, same } from "./conformance_bench.ts";
import type { Checks } from "./conformance_bench.ts";

/** Checks of the identity of a storage, and of loading and closing it. */
export const identityChecks: Checks = {
  "a new storage is empty and has no identity": async (bench) => {
    const state = await bench.load();
    same(state, {
      identity: null,
      hardState: { term: 0, votedFor: null },
      snapshot: null,
      lastIndex: 0,
      termStarts: [],
      memberships: [],
    }, "the state");
    same(await bench.storage.openSnapshot(), null, "the snapshot");
    await rejects(bench.persist({ entries: run(1, 1, 1) }), "storage", "persist without identity");
  },
  "the identity is durable, and takes a cluster id once": async (bench) => {
    await bench.load();
    await bench.storage.initialize({ ...identity, clusterId: "" });
    same((await bench.restart()).identity, { ...identity, clusterId: "" }, "before the cluster id");
    await bench.storage.initialize(identity);
    same((await bench.restart()).identity, identity, "after it");
    await bench.storage.initialize(identity);
    same((await bench.reopen()).identity, identity, "after the same again");
  },
  "any other change of the identity is refused": async (bench) => {
    await bench.load();
    await rejects(bench.storage.initialize({ ...identity, nodeId: "" }), "identity_mismatch", "no node id");
    await bench.storage.initialize(identity);
    for (const other of [{ nodeId: "n2" }, { incarnation: "i-9" }, { clusterId: "c2" }, { clusterId: "" }]) {
      await rejects(bench.storage.initialize({ ...identity, ...other }), "identity_mismatch", JSON.stringify(other));
    }
    same((await bench.reopen()).identity, identity, "the identity");
  },
  "load must come first, and only once": async (bench) => {
    const storage = bench.another();
    await rejects(storage.initialize(identity), "storage", "initialize before load");
    await rejects(storage.entries(1, 1, 1), "storage", "entries before load");
    await storage.load();
    await rejects(storage.load(), "storage", "a second load");
    await storage.close();
  },
  "close during load leaves nothing locked": async (bench) => {
    const storage = bench.another();
    const loading = storage.load().catch(() => {});
    await storage.close();
    await loading;
    await bench.load();
  },
  "two storages are never open on one place": async (bench) => {
    await bench.start();
    const second = bench.another();
    await rejects(second.load(), "locked", "a second storage");
    await bench.persist({ entries: run(1, 1, 1) });
    await second.close();
    await rejects(bench.another().load(), "locked", "a third, after the second was closed");
    same((await bench.reopen()).lastIndex, 1, "the last index");
  },
  "after close every call rejects as closed, and close may be called again": async (bench) => {
    await bench.start();
    const { storage } = bench;
    await bench.install(1, 1, "state");
    const reader = await storage.openSnapshot();
    const underWay = bench.persist({ entries: run(2, 3, 1) });
    await storage.close();
    await underWay;
    await storage.close();
    await rejects(bench.persist({ entries: run(5, 1, 1) }), "closed", "persist");
    await rejects(storage.load(), "closed", "load");
    await rejects(storage.initialize(identity), "closed", "initialize");
    await rejects(storage.entries(2, 2, 1), "closed", "entries");
    await rejects(storage.compact(1), "closed", "compact");
    await rejects(storage.createSnapshot(), "closed", "createSnapshot");
    await rejects(storage.openSnapshot(), "closed", "openSnapshot");
    await reader?.close();
    same((await bench.load()).lastIndex, 4, "what was under way is there");
  },
};

/** Checks of the log, on a storage that has its identity. */
export const logChecks: Checks = {
  "term, vote and entries survive": async (bench) => {
    const hardState: HardState = { term: 3, votedFor: "n2" };
    await bench.persist({ hardState, entries: [...run(1, 2, 1), ...run(3, 2, 3)] });
    await bench.persist({ entries: run(5, 1, 3) });
    const state = await bench.restart();
    same(state.hardState, hardState, "term and vote");
    same(state.lastIndex, 5, "the last index");
    same(state.termStarts, [{ index: 1, term: 1 }, { index: 3, term: 3 }], "the terms");
    same(await bench.log(1, 5), "1:1:1 2:1:2 3:3:3 4:3:4 5:3:5", "the log");
    await bench.persist({ hardState: { term: 4, votedFor: null } });
    same((await bench.restart()).hardState, { term: 4, votedFor: null }, "a term without a vote");
  },
  "types and data of entries are read as they were written, for all bytes": async (bench) => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    const large = new Uint8Array(300_000).map((_, i) => i * 7);
    const entries: Entry[] = [
      membershipEntry(1, 1),
      { index: 2, term: 1, type: "noop", data: new Uint8Array() },
      { index: 3, term: 1, type: "command", data: all },
      { index: 4, term: 1, type: "command", data: large },
      { index: 5, term: 2 ** 53 - 1, type: "command", data: new Uint8Array() },
    ];
    await bench.persist({ entries });
    const state = await bench.restart();
    same(state.memberships.map(({ index, type }) => [index, type]), [[1, "membership"]], "the memberships");
    const found = await bench.storage.entries(1, 5, 1_000_000);
    same(
      found.map(({ index, term, type }) => [index, term, type]),
      entries.map((e) => [e.index, e.term, e.type]),
      "e",
    );
    found.forEach((entry, i) => same(crc32c(entry.data), crc32c(entries[i]!.data), `the data of entry ${i + 1}`));
  },
  "an entry replaces the one of its index and all that follow": async (bench) => {
    await bench.persist({ entries: run(1, 6, 1) });
    await bench.persist({ hardState: { term: 2, votedFor: null }, entries: run(4, 1, 2, "new") });
    same(await bench.log(1, 4), "1:1:1 2:1:2 3:1:3 4:2:new4", "at once");
    await rejects(bench.storage.entries(5, 5, 10), "storage", "an entry that is gone");
    const state = await bench.restart();
    same([state.lastIndex, state.termStarts.length], [4, 2], "last index and terms");
    same(await bench.log(1, 4), "1:1:1 2:1:2 3:1:3 4:2:new4", "after a restart");
    await bench.persist({ entries: run(5, 2, 2) });
    await bench.persist({ entries: run(1, 1, 3, "all") });
    same(await bench.log(1, 1), "1:3:all1", "from the first on");
    same((await bench.restart()).lastIndex, 1, "the last index");
  },
  "a membership entry that is overwritten is gone": async (bench) => {
    await bench.persist({ entries: [membershipEntry(1, 1), ...run(2, 1, 1)] });
    await bench.persist({ entries: [membershipEntry(3, 1)] });
    same((await bench.restart()).memberships.map((entry) => entry.index), [1, 3], "before");
    await bench.persist({ entries: run(3, 1, 2) });
    same((await bench.restart()).memberships.map((entry) => entry.index), [1], "after");
  },
  "entries are limited by bytes, but never to none, and never past the end": async (bench) => {
    await bench.persist({
      entries: run(1, 20, 1).map((entry) => ({ ...entry, data: new Uint8Array(10).fill(entry.index) })),
    });
    const count = async (from: number, to: number, maxBytes: number) =>
      (await bench.storage.entries(from, to, maxBytes)).length;
    same(await count(1, 20, 0), 1, "no bytes");
    same(await count(1, 20, 10), 1, "bytes for one");
    same(await count(1, 20, 29), 2, "bytes for nearly three");
    same(await count(1, 20, 30), 3, "bytes for three");
    same(await count(18, 20, 1000), 3, "up to the end");
    same(await count(5, 7, 1000), 3, "up to the last one requested");
    for (const [from, to] of [[0, 1], [20, 21], [21, 21], [5, 4]] as const) {
      await rejects(bench.storage.entries(from, to, 10), "storage", `entries ${from} to ${to}`);
    }
  },
  "a batch that breaks a rule is refused, and changes nothing": async (bench) => {
    await bench.persist({ hardState: { term: 3, votedFor: "n1" }, entries: run(1, 3, 2) });
    const refused: [string, Partial<PersistBatch>][] = [
      ["a gap", { entries: run(5, 1, 3) }],
      ["index 0", { entries: run(0, 1, 3) }],
      ["an order", { entries: [...run(4, 1, 3), ...run(6, 1, 3)] }],
      ["a lower term in the log", { entries: run(4, 1, 1) }],
      ["a lower term", { hardState: { term: 2, votedFor: null } }],
      ["another vote", { hardState: { term: 3, votedFor: "n2" } }],
      ["a fraction", { hardState: { term: 3.5, votedFor: null } }],
      ["an entry of no whole term", { entries: run(4, 1, 2.5) }],
      ["a term beyond the safe integers", { hardState: { term: 2 ** 53, votedFor: null } }],
      ["an entry with such a term", { entries: run(4, 1, 2 ** 53) }],
      ["a membership that is not one", { entries: [{ ...run(4, 1, 3)[0]!, type: "membership" }] }],
      ["a snapshot that is not staged", {
        snapshot: { id: "x", index: 2, term: 2, membership, size: 0, checksum: 0 },
      }],
    ];
    for (const [what, batch] of refused) {
      const error = await rejects(bench.persist(batch), "storage", what);
      same(error.disk, "unchanged", what);
    }
    await bench.persist({ entries: run(4, 1, 3) });
    same((await bench.restart()).hardState, { term: 3, votedFor: "n1" }, "term and vote");
    same(await bench.log(1, 4), "1:2:1 2:2:2 3:2:3 4:3:4", "the log");
  },
  "only one persist may be in progress; reads work meanwhile": async (bench) => {
    await bench.persist({ entries: run(1, 5, 1) });
    const first = bench.persist({ entries: run(6, 1, 1) });
    await rejects(bench.persist({ entries: run(7, 1, 1) }), "storage", "a second one");
    same(await bench.log(1, 5), "1:1:1 2:1:2 3:1:3 4:1:4 5:1:5", "a read meanwhile");
    await first;
    await bench.persist({ entries: run(7, 1, 1) });
    same((await bench.restart()).lastIndex, 7, "the last index");
  },
  "a read while entries are overwritten returns the old or the new ones, never a mixture": async (bench) => {
    await bench.persist({ entries: run(1, 500, 1, "old") });
    for (let term = 2; term < 8; term++) {
      const overwrite = bench.persist({ entries: run(term, 500 - term, term, "new") });
      const entries = await bench.storage.entries(1, 490, 1_000_000);
      await overwrite;
      const terms = entries.map((entry) => entry.term);
      const before = Array.from({ length: entries.length }, (_, i) => Math.min(i + 1, term - 1));
      const after = before.map((_, i) => Math.min(i + 1, term));
      expect([before, after].some((each) => each.join() === terms.join()), `one of both logs: ${terms.join()}`);
    }
  },
  "a read while only the last entry is overwritten returns the old or the new one": async (bench) => {
    await bench.persist({ entries: run(1, 3, 1) });
    for (let term = 2; term < 6; term++) {
      const overwrite = bench.persist({ entries: run(3, 1, term, "x".repeat(term * 10)) });
      const [whole, last] = await Promise.all([bench.storage.entries(1, 3, 1000), bench.storage.entries(3, 3, 1000)]);
      await overwrite;
      same(whole.map(({ index }) => index), whole.map((_, i) => i + 1), "the indexes");
      for (const entry of [...whole.slice(2), ...last]) {
        const before = term === 2 ? 1 : term - 1;
        expect(entry.term === before || entry.term === term, `the term is ${entry.term}`);
      }
    }
  },
};
