/// <reference lib="dom" />
/** Checks of deleted databases, of locks, and of failing transactions. */

import { expect, identity, rejects, run, same } from "../../storage/conformance_bench.ts";
import type { Entry, EntryType } from "../../lib/raft/types.ts";
import { createIndexedDbStorage, deleteIndexedDb } from "../../storage/indexeddb/mod.ts";
import { done, intercept, lost, openNew, persist, reopen } from "./indexeddb_support.ts";
import { offer } from "./suite_page.ts";
import type { PageCheck } from "./suite_page.ts";

const checks: PageCheck[] = [
  {
    name: "a database that is deleted under a storage is lost at once, and every later call fails",
    run: async () => {
      const { errors, onLost } = lost();
      const storage = await openNew("deleted", { onLost });
      await persist(storage, { hardState: { term: 5, votedFor: "n1" }, entries: run(1, 3, 1) });
      const writer = await storage.createSnapshot();
      await writer.write(new Uint8Array(10));
      await done(indexedDB.deleteDatabase(storage.name));
      same([errors.length, errors[0]?.disk, errors[0]?.code], [1, "in_doubt", "storage"], "the arguments of onLost");
      const calls: Record<string, () => Promise<unknown>> = {
        persist: () => persist(storage, { entries: run(4, 1, 1) }),
        initialize: () => storage.initialize(identity),
        entries: () => storage.entries(1, 3, 10),
        createSnapshot: () => storage.createSnapshot(),
        write: () => writer.write(new Uint8Array(10)),
      };
      for (const [what, call] of Object.entries(calls)) {
        same((await rejects(call(), "storage", what)).disk, "in_doubt", what);
      }
      await rejects(reopen("deleted").load(), "locked", "another storage, while this one is open");
      await storage.close();
      same(errors.length, 1, "how often onLost was called");
      await using again = reopen("deleted");
      same((await again.load()).identity, null, "what comes after is a new node");
    },
  },
  {
    name: "a write under way while the database is deleted completes, and no other",
    run: async () => {
      await using storage = await openNew("deleted meanwhile");
      const write = persist(storage, { entries: run(1, 300, 1) });
      const deletion = done(indexedDB.deleteDatabase(storage.name));
      await write;
      await deletion;
      const error = await rejects(persist(storage, { entries: run(301, 1, 1) }), "storage", "the next");
      same(error.disk, "in_doubt", "the disk");
    },
  },
  {
    name: "a connection that the browser closes fails all calls under way, and all later ones",
    run: async () => {
      const { errors, onLost } = lost();
      await using storage = await openNew("closed", { onLost });
      // Simulated: closing a connection by force in Chromium would affect all sites of the browser.
      intercept((transaction) => queueMicrotask(() => transaction.db.dispatchEvent(new Event("close"))));
      same(
        (await rejects(persist(storage, { entries: run(1, 1, 1) }), "storage", "under way")).disk,
        "in_doubt",
        "disk",
      );
      same(
        (await rejects(persist(storage, { entries: run(1, 1, 1) }), "storage", "the next")).disk,
        "in_doubt",
        "disk",
      );
      same(errors.length, 1, "how often onLost was called");
    },
  },
  {
    name: "an abort without a reason leaves the disk unchanged, and is reported so",
    run: async () => {
      await using storage = await openNew("aborted");
      await persist(storage, { hardState: { term: 1, votedFor: "n1" }, entries: run(1, 2, 1) });
      intercept((transaction) => transaction.commit = transaction.abort);
      const error = await rejects(persist(storage, { entries: run(2, 5, 2) }), "storage", "the aborted one");
      same([error.disk, error.outcome], ["unchanged", "rejected"], "the disk");
      same(error.message.includes("without a reason"), true, error.message);
      same((await storage.entries(1, 2, 10)).map(({ term }) => term), [1, 1], "the log");
      await persist(storage, { entries: run(3, 1, 1) });
      await storage.close();
      await using again = reopen("aborted");
      const { lastIndex, hardState } = await again.load();
      same([lastIndex, hardState], [3, { term: 1, votedFor: "n1" }], "what is there");
    },
  },
  {
    name: "a value that can't be stored aborts the whole batch",
    run: async () => {
      await using storage = await openNew("uncloneable");
      const [first, second] = run(1, 2, 1);
      const type = (() => {}) as unknown as EntryType;
      const batch = { hardState: { term: 1, votedFor: null }, entries: [first!, { ...second!, type }] };
      same((await rejects(persist(storage, batch), "storage", "a function")).disk, "unchanged", "the disk");
      await storage.close();
      await using again = reopen("uncloneable");
      const { hardState, lastIndex } = await again.load();
      same([hardState, lastIndex], [{ term: 0, votedFor: null }, 0], "what is there");
    },
  },
  {
    name: "a commit that failed in the browser leaves the disk in doubt, and nothing more is written",
    run: async () => {
      await using storage = await openNew("doubt");
      await persist(storage, { entries: run(1, 2, 1) });
      intercept((transaction) => {
        // As Chromium reports an I/O error.
        Object.defineProperty(transaction, "error", { value: new DOMException("Internal error", "UnknownError") });
        transaction.commit = transaction.abort;
      });
      for (const what of ["the failed one", "the next"]) {
        const error = await rejects(persist(storage, { entries: run(3, 1, 1) }), "storage", what);
        same([error.disk, error.outcome], ["in_doubt", "unknown"], what);
      }
      same((await storage.entries(1, 2, 10)).length, 2, "reads go on");
    },
  },
  {
    name: "a commit that failed because the device is full leaves the disk in doubt, and nothing more is written",
    run: async () => {
      await using storage = await openNew("full doubt");
      await persist(storage, { entries: run(1, 2, 1) });
      intercept((transaction) => {
        // As Chromium reports it.
        Object.defineProperty(transaction, "error", {
          value: new DOMException("Encountered disk full while committing transaction.", "QuotaExceededError"),
        });
        transaction.commit = transaction.abort;
      });
      for (const what of ["the failed one", "the next"]) {
        const error = await rejects(persist(storage, { entries: run(3, 1, 1) }), "storage", what);
        same([error.disk, error.outcome], ["in_doubt", "unknown"], what);
      }
    },
  },
  {
    name: "a read that waits for a write that removes its entries fails with an error",
    run: async () => {
      await using storage = await openNew("read behind");
      await persist(storage, { entries: run(1, 10, 1) });
      let reads: Promise<unknown>[] = [];
      intercept(() => {
        reads = [
          rejects(storage.entries(1, 10, 1000), "storage", "entries that are gone"),
          storage.entries(1, 3, 1000),
        ];
      });
      await persist(storage, { entries: run(3, 1, 2) });
      const [, found] = await Promise.all(reads) as [unknown, Entry[]];
      same(found.map(({ term }) => term), [1, 1, 2], "entries that are there");
    },
  },
  {
    name: "a duplicated tab or worker doesn't get the node before the first has released it",
    run: async () => {
      const first = await openNew("duplicated");
      const error = await rejects(reopen("duplicated").load(), "locked", "the duplicate");
      same([error.disk, error.hint.includes("duplicated tab")], ["unchanged", true], error.hint);
      await rejects(deleteIndexedDb({ clusterId: "duplicated", nodeId: "n1" }), "locked", "deletion");
      await (await openNew("another cluster")).close();
      const place = { clusterId: "duplicated", nodeId: "n1", lockWaitMs: 20_000 };
      await using waiting = createIndexedDbStorage(place);
      const loaded = waiting.load();
      await first.close();
      same((await loaded).identity, identity, "the identity");
      await using impatient = createIndexedDbStorage({ ...place, lockWaitMs: 10 });
      await rejects(impatient.load(), "locked", "one that waits for a short time");
      await waiting.close();
      await deleteIndexedDb(place);
      await using after = createIndexedDbStorage(place);
      same((await after.load()).identity, null, "after deletion");
    },
  },
  {
    name: "a worker that is killed releases its node",
    run: async () => {
      const worker = new Worker("/tests/browser/indexeddb_holder_worker.js", { type: "module" });
      await new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
      await rejects(reopen("held").load(), "locked", "while it runs");
      worker.terminate();
      await using storage = createIndexedDbStorage({ clusterId: "held", nodeId: "n1", lockWaitMs: 20_000 });
      same((await storage.load()).lastIndex, 3, "what it wrote");
    },
  },
  {
    name: "a lock that is stolen ends the storage",
    run: async () => {
      const { errors, onLost } = lost();
      await using storage = await openNew("stolen", { onLost });
      await navigator.locks.request(storage.name, { steal: true }, () => {});
      same((await rejects(persist(storage, { entries: run(1, 1, 1) }), "storage", "persist")).disk, "in_doubt", "disk");
      same(errors.map(({ disk }) => disk), ["in_doubt"], "the arguments of onLost");
    },
  },
  {
    name: "a lock that is stolen while the database is being opened keeps the storage from opening",
    run: async () => {
      const first = await openNew("stolen early");
      await first.close();
      // An open waits for a deletion, which waits for a connection.
      const connection = await done(indexedDB.open(first.name));
      const deleted = done(indexedDB.deleteDatabase(first.name));
      await using storage = reopen("stolen early");
      const loading = rejects(storage.load(), "locked", "load");
      while ((await navigator.locks.query()).held?.every(({ name }) => name !== first.name)) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const theft = Promise.withResolvers<void>();
      void navigator.locks.request(first.name, { steal: true }, () => theft.promise);
      await new Promise((resolve) => setTimeout(resolve, 50));
      connection.close();
      await deleted;
      await loading;
      theft.resolve();
    },
  },
  {
    name: "a load that fails releases the lock, and so does one that is closed meanwhile",
    run: async () => {
      const broken = await openNew("lock after failure");
      await broken.close();
      const higher = indexedDB.open(broken.name, 2);
      (await done(higher)).close();
      await rejects(reopen("lock after failure").load(), "unsupported_version", "load");
      await rejects(reopen("lock after failure").load(), "unsupported_version", "load, again");
      const early = reopen("closed early");
      const loading = early.load();
      await early.close();
      await loading;
      const late = await openNew("closed early");
      await late.close();
      const { held = [] } = await navigator.locks.query();
      expect(held.every(({ name }) => name !== late.name), "a storage that is closed has let go of the lock");
    },
  },
  {
    name: "a node is refused without Web Locks or IndexedDB",
    run: async () => {
      for (const [what, object] of [["locks", navigator], ["indexedDB", globalThis]] as const) {
        Object.defineProperty(object, what, { value: undefined, configurable: true });
        try {
          const error = await rejects(reopen("insecure").load(), "storage", what);
          same([error.disk, error.hint.includes("https")], ["unchanged", true], error.message);
        } finally {
          Reflect.deleteProperty(object, what);
        }
      }
    },
  },
];

offer(checks);
