/// <reference lib="dom" />
/** Checks specific to a storage in IndexedDB: the stored form, and damage. */

import { crc32c } from "../../lib/crc32c.ts";
import { encodeMembership } from "../../lib/raft/membership.ts";
import type { Entry, SnapshotMeta } from "../../lib/raft/types.ts";
import { expect, identity, membership, rejects, run, same } from "../../storage/conformance_bench.ts";
import type { Storage } from "../../lib/storage.ts";
import { createIndexedDbStorage, requestPersistence } from "../../storage/indexeddb/mod.ts";
import { done, openNew, persist, reopen, tamper } from "./indexeddb_support.ts";
import { offer } from "./suite_page.ts";
import type { PageCheck } from "./suite_page.ts";

const KiB = 1024;

async function install(storage: Storage, index: number, bytes: Uint8Array, id = `s${index}`): Promise<SnapshotMeta> {
  const writer = await storage.createSnapshot();
  await writer.write(bytes);
  const meta = { id, index, term: 1, membership, size: writer.offset, checksum: writer.checksum };
  await writer.stage(meta);
  await persist(storage, { snapshot: meta });
  return meta;
}

function pattern(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8) + seed) & 0xff);
}

function chunksOf(name: string): Promise<IDBValidKey[]> {
  return tamper(
    name,
    async (store) => (await done(store.getAllKeys())).filter((key) => Array.isArray(key) && key[0] === "chunk"),
  );
}

/** A log of four entries, a snapshot of three chunks, and a membership. */
async function prepare(clusterId: string): Promise<string> {
  const storage = await openNew(clusterId);
  const data = encodeMembership(membership);
  const entries: Entry[] = [...run(1, 2, 1), { index: 3, term: 1, type: "membership", data }, ...run(4, 1, 2)];
  await persist(storage, { hardState: { term: 2, votedFor: "n1" }, entries });
  await install(storage, 2, pattern(600 * KiB, 1));
  await storage.close();
  return storage.name;
}

/** Damage to the database, and the place that the error names. */
const damages: Record<string, readonly [place: string, (store: IDBObjectStore) => unknown]> = {
  "the identity": ["identity", (store) => store.delete("identity")],
  "a part of the identity": ["identity", (store) => store.put({ nodeId: "n1" }, "identity")],
  "term and vote": ["hardState", (store) => store.delete("hardState")],
  "the vote": ["hardState", (store) => store.put({ term: 2 }, "hardState")],
  "the range of the log": ["log", (store) => store.delete("log")],
  "the last entry": ["log", (store) => store.delete(["entry", 4])],
  "the first entry": ["log", (store) => store.delete(["entry", 1])],
  "an entry in the middle": ["log", (store) => store.delete(["entry", 2])],
  "an entry too many": ["log", (store) => store.put({}, ["entry", 5])],
  "the snapshot's meta": ["snapshot", (store) => store.put({ number: 1, meta: {} }, "snapshot")],
  "a snapshot after the log": ["log", (store) => store.put({ firstIndex: 4, lastIndex: 4 }, "log")],
  "the snapshot, and the entries that it covers": ["log", (store) => {
    store.delete("snapshot");
    store.delete(["entry", 1]);
    store.put({ firstIndex: 2, lastIndex: 4 }, "log");
  }],
  "a chunk": ["snapshot s2", (store) => store.delete(["chunk", 1, 1])],
  "a term": ["term", (store) => store.delete(["term", 1])],
  "the order of terms": ["term", (store) => store.put(1, ["term", 4])],
  "a membership's data": ["entry 3", async (store) => {
    const record = await done(store.get(["entry", 3])) as Entry;
    record.data[0]! ^= 1;
    store.put(record, ["entry", 3]);
  }],
  "what is a membership": ["membership 2", (store) => store.put(true, ["membership", 2])],
  "which entry is a membership": ["membership 9", (store) => store.put(true, ["membership", 9])],
};

const checks: PageCheck[] = [
  ...Object.entries(damages).map(([what, [place, damage]]): PageCheck => ({
    name: `damage is an error of load, and never a shorter log: ${what}`,
    run: async () => {
      const name = await prepare(`damage: ${what}`);
      await tamper(name, damage);
      for (const _twice of [1, 2]) {
        const error = await rejects(reopen(`damage: ${what}`).load(), "damaged", what);
        expect(error.message.includes(`${name} is damaged at ${place}:`), `it names the place: ${error.message}`);
      }
    },
  })),
  {
    name: "a damaged entry is an error of the read",
    run: async () => {
      const name = await prepare("rot");
      const change = (field: string, value: unknown) =>
        tamper(name, async (store) => {
          const record = await done(store.get(["entry", 2]));
          store.put({ ...record, [field]: value }, ["entry", 2]);
        });
      for (const [field, value] of [["data", new Uint8Array([9])], ["term", 2], ["index", 7], ["type", "x"]] as const) {
        const before = await tamper(name, (store) => done(store.get(["entry", 2])));
        await change(field, value);
        await using storage = reopen("rot");
        await storage.load();
        const error = await rejects(storage.entries(1, 4, 1000), "damaged", field);
        expect(error.message.includes("entry 2"), error.message);
        await storage.close();
        await change(field, before[field]);
      }
      await using storage = reopen("rot");
      await storage.load();
      same((await storage.entries(1, 4, 1000)).length, 4, "entries");
    },
  },
  {
    name: "damaged bytes of a snapshot are an error of the read",
    run: async () => {
      const name = await prepare("snapshot rot");
      await tamper(name, async (store) => {
        const chunk = await done(store.get(["chunk", 1, 1])) as Uint8Array;
        chunk[1000]! ^= 1;
        store.put(chunk, ["chunk", 1, 1]);
      });
      await using storage = reopen("snapshot rot");
      await storage.load();
      const reader = (await storage.openSnapshot())!;
      await reader.read(0, 256 * KiB);
      await rejects(reader.read(256 * KiB, 600 * KiB), "damaged", "the rest");
      await storage.close();
      await tamper(name, (store) => store.put(new Uint8Array(5), ["chunk", 1, 1]));
      await using again = reopen("snapshot rot");
      await again.load();
      await rejects((await again.openSnapshot())!.read(300 * KiB, 10), "damaged", "a short chunk");
    },
  },
  {
    name: "a database of a newer version is not touched",
    run: async () => {
      const storage = reopen("newer");
      const request = indexedDB.open(storage.name, 2);
      request.onupgradeneeded = () => request.result.createObjectStore("other");
      (await done(request)).close();
      await rejects(storage.load(), "unsupported_version", "load");
      same([...(await done(indexedDB.open(storage.name))).objectStoreNames], ["other"], "what is in it");
    },
  },
  {
    name: "a database accepts only the identity of its own node",
    run: async () => {
      await using storage = reopen("another node");
      await storage.load();
      await rejects(storage.initialize({ ...identity, nodeId: "n2" }), "identity_mismatch", "initialize");
      await storage.initialize(identity);
      await storage.close();
      await tamper(storage.name, (store) => store.put({ ...identity, nodeId: "n2" }, "identity"));
      await rejects(reopen("another node").load(), "identity_mismatch", "load");
      const names = [["a:b", "c"], ["a", "b:c"], ["a%3Ab", "c"]].map(([clusterId, nodeId]) =>
        createIndexedDbStorage({ clusterId: clusterId!, nodeId: nodeId! }).name
      );
      same(new Set(names).size, 3, `different names: ${names.join(" ")}`);
    },
  },
  {
    name: "a snapshot of many chunks is read at any offset, as it was written",
    run: async () => {
      await using storage = await openNew("chunks");
      const bytes = pattern(1024 * KiB + 5, 3);
      const writer = await storage.createSnapshot();
      for (let at = 0; at < bytes.length; at += 100_003) await writer.write(bytes.subarray(at, at + 100_003));
      same([writer.offset, writer.checksum], [bytes.length, crc32c(bytes)], "offset and checksum");
      const meta = { id: "big", index: 1, term: 1, membership, size: writer.offset, checksum: writer.checksum };
      await writer.stage(meta);
      await persist(storage, { snapshot: meta });
      same((await chunksOf(storage.name)).length, 5, "chunks");
      const reader = (await storage.openSnapshot())!;
      for (
        const [offset, length] of [[0, 1], [256 * KiB - 1, 2], [100, 900 * KiB], [0, 1 << 22], [1 << 20, 100]] as const
      ) {
        same(crc32c(await reader.read(offset, length)), crc32c(bytes.slice(offset, offset + length)), `${offset}`);
      }
      same((await reader.read(bytes.length, 5)).length, 0, "at the end");
    },
  },
  {
    name: "the chunks of a replaced snapshot are deleted after its last reader",
    run: async () => {
      await using storage = await openNew("replaced");
      await install(storage, 1, pattern(300 * KiB, 1));
      const [one, two] = [(await storage.openSnapshot())!, (await storage.openSnapshot())!];
      await install(storage, 2, pattern(10, 2));
      await install(storage, 3, pattern(10, 3));
      await one.close();
      same((await two.read(0, 300 * KiB)).length, 300 * KiB, "what the second reader reads");
      same((await chunksOf(storage.name)).map(String), ["chunk,1,0", "chunk,1,1", "chunk,3,0"], "while it is read");
      await two.close();
      await storage.close();
      same((await chunksOf(storage.name)).map(String), ["chunk,3,0"], "after that");
    },
  },
  {
    name: "an abort while the batch is written keeps the snapshot that the batch installs",
    run: async () => {
      await using storage = await openNew("abort");
      const writer = await storage.createSnapshot();
      await writer.write(pattern(10, 1));
      const meta = { id: "a", index: 1, term: 1, membership, size: writer.offset, checksum: writer.checksum };
      await writer.stage(meta);
      await Promise.all([persist(storage, { snapshot: meta }), writer.abort()]);
      same(await (await storage.openSnapshot())!.read(0, 10), pattern(10, 1), "its bytes");
    },
  },
  {
    name: "the chunks of a superseded snapshot are deleted at once: while it is written, staged, or in a write",
    run: async () => {
      await using storage = await openNew("superseded");
      await install(storage, 1, pattern(10, 1));
      const chunks = async () => (await chunksOf(storage.name)).map(String);
      const written = await storage.createSnapshot();
      await written.write(pattern(600 * KiB, 2));
      same(await chunks(), ["chunk,1,0", "chunk,2,0", "chunk,2,1"], "one that is written");
      const staged = await storage.createSnapshot();
      same(await chunks(), ["chunk,1,0"], "after it was superseded");
      await staged.write(pattern(10, 3));
      await staged.stage({ id: "b", index: 2, term: 1, membership, size: 10, checksum: staged.checksum });
      same(await chunks(), ["chunk,1,0", "chunk,3,0"], "one that is staged");
      const writing = await storage.createSnapshot();
      same(await chunks(), ["chunk,1,0"], "after it was superseded");
      const write = rejects(writing.write(pattern(2000 * KiB, 4)), "storage", "a write that is superseded");
      const last = await storage.createSnapshot();
      await write;
      await last.write(pattern(300 * KiB, 5));
      same(await chunks(), ["chunk,1,0", "chunk,5,0"], "the last one");
    },
  },
  {
    name: "chunks that no snapshot names are deleted at start",
    run: async () => {
      const name = await prepare("leftovers");
      await tamper(name, (store) => {
        store.put(new Uint8Array(9), ["chunk", 0, 0]);
        store.put(new Uint8Array(9), ["chunk", 2, 0]);
        store.put(new Uint8Array(9), ["chunk", 2, 1]);
      });
      await using storage = reopen("leftovers");
      await storage.load();
      same((await chunksOf(name)).map(String), ["chunk,1,0", "chunk,1,1", "chunk,1,2"], "chunks");
    },
  },
  {
    name: "every write asks for strict durability",
    run: async () => {
      const { transaction } = IDBDatabase.prototype;
      const asked: string[] = [];
      IDBDatabase.prototype.transaction = function (...options): IDBTransaction {
        const begun = transaction.apply(this, options);
        if (begun.mode === "readwrite") asked.push(begun.durability);
        return begun;
      };
      try {
        await using storage = await openNew("strict");
        await persist(storage, { entries: run(1, 3, 1) });
        await install(storage, 2, pattern(300 * KiB, 1));
        await storage.compact(2);
      } finally {
        IDBDatabase.prototype.transaction = transaction;
      }
      same(asked, Array(6).fill("strict"), "identity, batch, two chunks, snapshot, compaction");
    },
  },
  {
    name: "a view of a large buffer is stored without the rest of the buffer",
    run: async () => {
      await using storage = await openNew("views");
      const data = new Uint8Array(100 * KiB).subarray(50, 60);
      await persist(storage, { entries: [{ index: 1, term: 1, type: "command", data }] });
      const { data: stored } = await tamper(storage.name, (store) => done(store.get(["entry", 1]))) as Entry;
      same([stored.length, stored.buffer.byteLength], [10, 10], "bytes");
    },
  },
  {
    name: "many entries are read by bytes, across requests, and compacted in parts",
    run: async () => {
      await using storage = await openNew("many");
      const large = { index: 3, term: 1, type: "command", data: pattern(200 * KiB, 1) } as const;
      await persist(storage, { entries: [...run(1, 2, 1), large, ...run(4, 9997, 1)] });
      const total = async (from: number, to: number, maxBytes: number): Promise<string> => {
        const found = await storage.entries(from, to, maxBytes);
        found.forEach((entry, i) => same(entry.index, from + i, "the order"));
        return `${found.length}: ${found.reduce((sum, entry) => sum + entry.data.length, 0)}`;
      };
      same(await total(4, 10_000, 1 << 20), "9997: 38891", "all the small ones");
      same(await total(1, 10_000, 1000), "2: 2", "before the large one");
      same(await total(3, 10_000, 1000), "1: 204800", "the large one");
      same(await total(4, 10_000, 5000), "1524: 4998", "by bytes");
      await install(storage, 9_990, pattern(10, 1));
      const reading = storage.entries(9_980, 10_000, 1000);
      const compaction = storage.compact(9_990);
      const meanwhile = persist(storage, { entries: run(10_001, 1, 2) });
      same((await reading).length, 21, "a read that began before");
      await Promise.all([compaction, meanwhile]);
      same(await total(9_991, 10_001, 1000), "11: 46", "what is left");
      await rejects(storage.entries(9_990, 10_001, 1000), "storage", "what is gone");
      await storage.close();
      same(
        await tamper(storage.name, (store) => done(store.count(IDBKeyRange.bound(["entry", 0], ["entry", 1e9])))),
        11,
        "n",
      );
      await using again = reopen("many");
      same((await again.load()).termStarts, [{ index: 9_991, term: 1 }, { index: 10_001, term: 2 }], "terms");
    },
  },
  {
    name: "the browser's answer about persistence is passed on",
    run: async () => {
      same(typeof await requestPersistence(), "boolean", "the answer");
      Object.defineProperty(navigator, "storage", { value: undefined, configurable: true });
      same(await requestPersistence(), false, "without a storage manager");
      Reflect.deleteProperty(navigator, "storage");
    },
  },
];

offer(checks);
