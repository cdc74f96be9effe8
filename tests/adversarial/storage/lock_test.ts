// Two processes never share a folder; the lock of a dead one is taken over.

import assert from "node:assert/strict";
import { readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { lockFolder } from "../../../storage/file/lock_file.ts";
import { createFileStorage } from "../../../storage/file/mod.ts";
import { nodeLockHost } from "../../../storage/file/node_file_system.ts";
import { child, inFolder, lockOf } from "./lock_support.ts";

Deno.test("a folder that a running process has open is refused, and the message names the process", () =>
  inFolder(async (dir) => {
    const holder = child(dir);
    try {
      assert.strictEqual(await holder.said, "open");
      const error = await createFileStorage(dir).load().then(() => new Error("it opened"), (error: Error) => error);
      assert.match(error.message, new RegExp(`process ${holder.process.pid} has it open`));
      assert.deepStrictEqual({ ...error as unknown as Record<string, unknown> }["code"], "locked");
      const second = child(dir);
      assert.match(await second.said, /is locked/);
      await second.ended;
    } finally {
      holder.process.kill("SIGKILL");
      await holder.ended;
    }
    // Its owner was killed: the lock is taken over.
    const storage = createFileStorage(dir);
    await storage.load();
    assert.strictEqual((await lockOf(dir)).owner["pid"], process.pid);
    await storage.close();
  }));

Deno.test("of several processes that find a dead owner's lock, one gets it", () =>
  inFolder(async (dir) => {
    const dead = child(dir);
    await dead.said;
    dead.process.kill("SIGKILL");
    await dead.ended;
    const takers = [child(dir), child(dir), child(dir)];
    try {
      const said = await Promise.all(takers.map((taker) => taker.said));
      assert.strictEqual(said.filter((each) => each === "open").length, 1, said.join("; "));
      assert.strictEqual(said.filter((each) => each.includes("is locked")).length, 2, said.join("; "));
    } finally {
      for (const taker of takers) taker.process.kill("SIGKILL");
      await Promise.all(takers.map((taker) => taker.ended));
    }
  }));

Deno.test("a process id that is in use again does not keep a dead owner's lock alive", () =>
  inFolder(async (dir) => {
    const storage = createFileStorage(dir);
    await storage.load();
    const { path, owner } = await lockOf(dir);
    assert.ok(owner["startedAt"] !== "" && owner["pid"] === process.pid, JSON.stringify(owner));
    await assert.rejects(createFileStorage(dir).load(), { code: "locked" });
    const stale = [{ startedAt: "12345" }, { boot: "00000000-0000-0000-0000-000000000000" }, { pid: 2 ** 30 }];
    for (const change of stale) {
      await rm(path, { force: true });
      for (const name of await readdir(dir)) if (name.startsWith("lock-")) await rm(join(dir, name));
      await writeFile(path, JSON.stringify({ ...owner, ...change }));
      const next = createFileStorage(dir);
      await next.load();
      assert.strictEqual((await lockOf(dir)).owner["startedAt"], owner["startedAt"], JSON.stringify(change));
      await next.close();
    }
    await storage.close().catch(() => {});
  }));

Deno.test("a holder whose state can't be determined counts as alive", () =>
  inFolder(async (dir) => {
    const host = nodeLockHost();
    const storage = createFileStorage(dir);
    await storage.load();
    await storage.close();
    const self = await host.self();
    const path = join(dir, "lock-9");
    for (const change of [{ machine: "elsewhere", boot: "other" }, { namespace: "pid:[1]" }]) {
      await writeFile(path, JSON.stringify({ ...self, pid: 2 ** 30, ...change }));
      await assert.rejects(createFileStorage(dir).load(), { code: "locked", hint: new RegExp(`delete ${path}`) });
    }
  }));

Deno.test("many takers of a free folder, in one process: one at a time has it", () =>
  inFolder(async (dir) => {
    const first = createFileStorage(dir);
    await first.load();
    await first.close();
    for (let round = 0; round < 20; round++) {
      const taken = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(nodeLockHost(), dir)));
      const locks = taken.filter((each) => each.status === "fulfilled").map((each) => each.value);
      assert.strictEqual(locks.length, 1);
      for (const each of taken) if (each.status === "rejected") assert.match(String(each.reason), /is locked/);
      await locks[0]!.release();
    }
    const names = await readdir(dir);
    assert.deepStrictEqual(names.filter((name) => name.endsWith(".tmp")), []);
    assert.strictEqual(names.filter((name) => name.startsWith("lock-")).length, 1);
  }));

Deno.test("a slow taker does not win with an outdated number", () =>
  inFolder(async (dir) => {
    const host = nodeLockHost();
    const storage = createFileStorage(dir);
    await storage.load();
    await storage.close();
    let holder: { release(): Promise<void> } | undefined;
    const slow = {
      ...host,
      // After it has read lock-1 and before its link, others take and release lock-2, and take lock-3.
      link: async (from: string, to: string) => {
        if (holder === undefined) {
          await (await lockFolder(host, dir)).release();
          holder = await lockFolder(host, dir);
          assert.match(to, /lock-2$/);
        }
        await host.link(from, to);
      },
    };
    await assert.rejects(lockFolder(slow, dir), { code: "locked" });
    assert.deepStrictEqual((await readdir(dir)).filter((name) => name.startsWith("lock-")), ["lock-3"]);
    await holder?.release();
  }));

Deno.test("files are accessible only to their owner", () =>
  inFolder(async (dir) => {
    const storage = createFileStorage(dir, { segmentBytes: 100 });
    await storage.load();
    await storage.initialize({ nodeId: "n1", incarnation: "i", clusterId: "c" });
    for (let index = 1; index < 4; index++) {
      const data = new Uint8Array(100);
      const entries = [{ index, term: 1, type: "command" as const, data }];
      await storage.persist({ sequence: index, hardState: null, snapshot: null, entries });
    }
    const writer = await storage.createSnapshot();
    await writer.write(new Uint8Array(10));
    assert.strictEqual((await stat(dir)).mode & 0o777, 0o700);
    const names = await readdir(dir);
    assert.ok(names.length >= 6, names.join());
    for (const name of names) assert.strictEqual((await stat(join(dir, name))).mode & 0o777, 0o600, name);
    await storage.close();
  }));
