// Power fails at every single operation of a workload: acknowledged batches survive,
// and the batch under way is applied as a whole or not at all.

import assert from "node:assert/strict";
import { FakeFileSystem } from "../../../storage/file/fake_file_system.ts";
import type { FakeFault, Survival } from "../../../storage/file/fake_file_system.ts";
import { verifyLog } from "../../../storage/file/inspect.ts";
import { FileStorage } from "../../../storage/file/mod.ts";
import { generator } from "./random.ts";
import { entry, firstEntry, nothing, observe, play } from "./workload.ts";
import type { Expected, Progress } from "./workload.ts";

const options = { segmentBytes: 1500 };

/** Waits until everything under way has come to a halt. */
async function settle(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => resolve();
  port2.postMessage(null);
  await promise;
  port1.close();
}

async function playUntil(fs: FakeFileSystem, fault: FakeFault, at: number): Promise<Progress> {
  const progress: Progress = { acknowledged: nothing, inFlight: nothing, finished: false };
  fs.intercept = ({ count }) => count === at ? fault : undefined;
  play(new FileStorage(fs, "/data", options), progress).catch(() => {});
  while (!fs.crashed && !progress.finished) await settle();
  fs.intercept = () => undefined;
  return progress;
}

async function operationsOf(): Promise<number> {
  const fs = new FakeFileSystem();
  await play(new FileStorage(fs, "/data", options), { acknowledged: nothing, inFlight: nothing, finished: false });
  return fs.operations;
}

async function check(fs: FakeFileSystem, { acknowledged, inFlight }: Progress, where: string): Promise<Expected> {
  const storage = new FileStorage(fs, "/data", options);
  const state = await storage.load();
  const found = await observe(storage, state);
  const text = JSON.stringify(found);
  assert.ok(
    text === JSON.stringify(acknowledged) || text === JSON.stringify(inFlight),
    `${where}: found ${text}, not ${JSON.stringify(acknowledged)} or ${JSON.stringify(inFlight)}`,
  );
  const leftovers = fs.paths().filter((path) => path.endsWith(".tmp"));
  assert.deepStrictEqual(leftovers, [], `${where}: leftovers`);
  // The storage continues from there.
  if (state.identity === null) await storage.initialize({ nodeId: "n1", incarnation: "j", clusterId: "" });
  const hardState = { term: state.hardState.term + 10, votedFor: "n9" };
  const { lastIndex } = state;
  const next = lastIndex === 0 ? firstEntry(hardState.term) : entry(lastIndex + 1, hardState.term, 700);
  await storage.persist({ sequence: 1, hardState, snapshot: null, entries: [next] });
  await storage.close();
  fs.restart("none", () => 0);
  const again = new FileStorage(fs, "/data", options);
  const after = await again.load();
  assert.deepStrictEqual([after.hardState, after.lastIndex], [hardState, state.lastIndex + 1], `${where}: going on`);
  const observed = await observe(again, after);
  assert.deepStrictEqual(observed.log.slice(0, -1), found.log, `${where}: the log after going on`);
  assert.strictEqual(observed.snapshot, found.snapshot, `${where}: the snapshot after going on`);
  await again.close();
  assert.strictEqual((await verifyLog("/data", fs)).tornBytes, 0, where);
  return found;
}

const survivals: readonly (readonly [Survival, number])[] = [["none", 0], ["all", 0], ["random", 1], ["random", 2], [
  "random",
  3,
]];

for (const when of ["before", "after"] as const) {
  for (const [survival, seed] of survivals) {
    Deno.test(`a crash ${when} each operation, unsynced data survives: ${survival} (seed ${seed})`, async () => {
      const operations = await operationsOf();
      assert.ok(operations > 120, `the workload is long enough: ${operations}`);
      const seen = new Set<string>();
      for (let at = 1; at <= operations; at++) {
        const fs = new FakeFileSystem();
        const progress = await playUntil(fs, { type: "crash", when }, at);
        assert.ok(fs.crashed, `operation ${at} crashed`);
        fs.restart(survival, generator(seed * 100_003 + at));
        seen.add(JSON.stringify(await check(fs, progress, `operation ${at}`)));
      }
      assert.ok(seen.size >= 15, `many states were met: ${seen.size}`);
    });
  }
}

Deno.test("a crash while a crash is being recovered from, at each operation", async () => {
  const operations = await operationsOf();
  let tried = 0;
  for (let at = 5; at <= operations; at += 3) {
    for (let second = 1;; second++) {
      const fs = new FakeFileSystem();
      const random = generator(at * 1009 + second);
      const progress = await playUntil(fs, { type: "crash", when: "after" }, at);
      fs.restart("random", random);
      const crashAt = fs.operations + second;
      let loaded = false;
      fs.intercept = ({ count }) => count === crashAt ? { type: "crash", when: "after" } : undefined;
      new FileStorage(fs, "/data", options).load().then(() => loaded = true, () => loaded = true);
      while (!fs.crashed && !loaded) await settle();
      fs.intercept = () => undefined;
      if (loaded) break;
      fs.restart("random", random);
      await check(fs, progress, `operation ${at}, then ${second}`);
      tried++;
    }
  }
  assert.ok(tried > 500, `many pairs were tried: ${tried}`);
});

Deno.test("the log that a start finds after a kill survives a power failure, at each operation", async () => {
  const operations = await operationsOf();
  for (let at = 1; at <= operations; at++) {
    const fs = new FakeFileSystem();
    const progress = await playUntil(fs, { type: "crash", when: "after" }, at);
    fs.kill();
    await check(fs, progress, `operation ${at}`);
  }
});
