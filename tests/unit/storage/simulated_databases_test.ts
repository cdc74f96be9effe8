import assert from "node:assert/strict";
import { StorageError } from "../../../lib/errors.ts";
import type { PersistBatch } from "../../../lib/raft/types.ts";
import { storageConformance } from "../../../storage/conformance.ts";
import { identity, run } from "../../../storage/conformance_bench.ts";
import type { IndexedDbStorage } from "../../../storage/indexeddb/indexeddb_storage.ts";
import type { SimulatedFactory } from "../../../simulation/database/factory.ts";
import type { SimulatedConnection } from "../../../simulation/database/factory.ts";
import { compareKeys, Records } from "../../../simulation/database/records.ts";
import { SimulatedProfile } from "../../support/simulated_profile.ts";

const suite = storageConformance(() => {
  const profile = new SimulatedProfile();
  return {
    open: () => profile.open({ nodeId: identity.nodeId }),
    crash: () => profile.crash(false, true),
    dispose: () => {},
  };
});
for (const { name, run } of suite) Deno.test(`simulated databases: ${name}`, run);

async function started(profile: SimulatedProfile): Promise<IndexedDbStorage> {
  const storage = profile.open({ nodeId: identity.nodeId });
  await storage.load();
  await storage.initialize(identity);
  return storage;
}

function batch(parts: Partial<PersistBatch>): PersistBatch {
  return { sequence: 1, hardState: null, snapshot: null, entries: [], ...parts };
}

/** Returns the storage error that a promise rejects with. */
async function refused(promise: Promise<unknown>): Promise<StorageError> {
  const error = await promise.then(() => null, (error) => error);
  assert.ok(error instanceof StorageError, `${error}`);
  return error;
}

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    assert.ok(turns < 2000, "the condition never holds");
    await new Promise((resolve) => setTimeout(resolve));
  }
}

Deno.test("simulated databases: a commit under way survives a crash as a whole or not at all", async () => {
  for (const survives of [true, false]) {
    const profile = new SimulatedProfile();
    const storage = await started(profile);
    await storage.persist(batch({ hardState: { term: 1, votedFor: null }, entries: run(1, 2, 1) }));
    profile.hanging = "commit";
    const replaced = batch({ hardState: { term: 2, votedFor: "n2" }, entries: run(2, 3, 2) });
    void storage.persist(replaced);
    const stored = profile.stored(storage.name);
    await until(() => stored.records.get(["entry", 4]) !== undefined);
    profile.crash(survives, true);
    const found = await profile.open({ nodeId: identity.nodeId }).load();
    const expected = survives ? [2, "n2", 4] : [1, null, 2];
    assert.deepEqual([found.hardState.term, found.hardState.votedFor, found.lastIndex], expected);
  }
});

Deno.test("simulated databases: a failed commit leaves the disk in doubt, and nothing is written after it", async () => {
  for (const survives of [true, false]) {
    const profile = new SimulatedProfile();
    const storage = await started(profile);
    profile.faults.set("commit", "error");
    const error = await refused(storage.persist(batch({ entries: run(1, 2, 1) })));
    assert.equal(error.disk, "in_doubt");
    assert.equal((await refused(storage.persist(batch({ entries: run(1, 1, 1) })))).disk, "in_doubt");
    assert.equal(profile.doubted, 0);
    profile.crash(survives, false);
    const { lastIndex } = await profile.open({ nodeId: identity.nodeId }).load();
    assert.equal(lastIndex, survives ? 2 : 0);
  }
});

Deno.test("simulated databases: a write beyond the quota changes nothing, and the node may go on", async () => {
  const profile = new SimulatedProfile();
  const storage = await started(profile);
  await storage.persist(batch({ entries: run(1, 2, 1) }));
  profile.room = 100;
  const error = await refused(storage.persist(batch({ entries: run(2, 9, 2) })));
  assert.deepEqual([error.disk, /no more space/.test(error.message)], ["unchanged", true]);
  profile.room = Infinity;
  assert.deepEqual((await storage.entries(1, 2, 1000)).map(({ term }) => term), [1, 1]);
  await storage.persist(batch({ entries: run(3, 1, 1) }));
  await storage.close();
  assert.equal((await profile.open({ nodeId: identity.nodeId }).load()).lastIndex, 3);
});

Deno.test("simulated databases: a second tab is refused until the first has ended, and waits for it if it may", async () => {
  const profile = new SimulatedProfile();
  const first = await started(profile);
  const open = (lockWaitMs: number) => profile.open({ nodeId: identity.nodeId, lockWaitMs });
  assert.equal((await refused(open(0).load())).code, "locked");
  assert.equal((await refused(open(5).load())).code, "locked");
  const waiting = open(60_000).load();
  await first.close();
  assert.equal((await waiting).identity?.nodeId, identity.nodeId);
});

Deno.test("simulated databases: a connection that is closed by force, and a lock that is stolen, are lost", async () => {
  for (const how of ["closed", "stolen", "deleted"]) {
    const profile = new SimulatedProfile();
    const errors: StorageError[] = [];
    const storage = profile.open({ nodeId: identity.nodeId, onLost: (error) => errors.push(error) });
    await storage.load();
    await storage.initialize(identity);
    const { databases, locks } = profile.platform();
    if (how === "closed") { for (const each of profile.stored(storage.name).connections) each.forceClose(); }
    else if (how === "stolen") void locks().request(storage.name, { steal: true }, () => new Promise(() => {}));
    else {
      let isDeleted = false;
      databases().deleteDatabase(storage.name).onsuccess = () => isDeleted = true;
      await until(() => isDeleted);
    }
    await until(() => errors.length > 0);
    const error = await refused(storage.persist(batch({ entries: run(1, 1, 1) })));
    assert.equal(error.disk, "in_doubt", how);
    assert.equal(errors.length, 1, how);
  }
});

Deno.test("simulated databases: a write under way fails when the browser closes the connection", async () => {
  const profile = new SimulatedProfile();
  const storage = await started(profile);
  profile.hanging = "commit";
  const stored = profile.stored(storage.name);
  const write = refused(storage.persist(batch({ entries: run(1, 2, 1) })));
  await until(() => stored.records.get(["entry", 2]) !== undefined);
  for (const each of stored.connections) each.forceClose();
  const ended = await Promise.race([write, until(() => false).catch(() => null)]);
  assert.equal(ended?.disk, "in_doubt");
});

Deno.test("simulated databases: a transaction is active only in the events that it causes", async () => {
  const profile = new SimulatedProfile();
  const factory = profile.platform().databases() as unknown as SimulatedFactory;
  const request = factory.open("d", 1);
  request.onupgradeneeded = () => (request.result as SimulatedConnection).createObjectStore("s");
  await new Promise<void>((resolve) => request.onsuccess = resolve);
  const connection = request.result as SimulatedConnection;
  const transaction = connection.transaction("s", "readwrite");
  const ended = new Promise<void>((resolve) => transaction.addEventListener("complete", resolve));
  const store = transaction.objectStore("s");
  const put = store.put({ a: 1 }, "k");
  await new Promise<void>((resolve) => put.onsuccess = resolve);
  const get = store.get("k");
  await new Promise<void>((resolve) => get.onsuccess = resolve);
  assert.deepEqual(get.result, { a: 1 });
  await ended;
  assert.throws(() => store.put({ a: 2 }, "k"), { name: "TransactionInactiveError" });
  assert.throws(() => connection.transaction("other", "readonly"), { name: "NotFoundError" });
  const reading = connection.transaction("s", "readonly").objectStore("s");
  assert.throws(() => reading.put({ a: 2 }, "k"), { name: "ReadOnlyError" });
});

Deno.test("simulated databases: keys have IndexedDB's order, and changes can be taken back", () => {
  const keys = [-1, 2, "a", "b", [1], ["a", 1], ["a", 2], ["a", 2, 0], ["b"]];
  assert.deepEqual([...keys].reverse().sort(compareKeys), keys);
  const records = new Records();
  for (const [at, key] of keys.entries()) records.put(key, at);
  const undo = [...records.delete({ lower: ["a", 1], upper: ["a", 2] }), records.put("b", 9), records.put("c", 1)];
  assert.deepEqual(records.values({ lower: "a", upper: [[]] }), [2, 9, 1, 4, 7, 8]);
  const redo = records.revert(undo);
  assert.deepEqual(records.values({ lower: -1, upper: [[]] }), keys.map((_, at) => at));
  records.revert(redo);
  assert.deepEqual(records.values({ lower: "a", upper: [[]] }), [2, 9, 1, 4, 7, 8]);
});
