// A lock whose owner has a process id without a meaning here, as in another
// container: the socket in the folder shows whether it is alive.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdir, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { dirname, join } from "node:path";
import process from "node:process";
import { lockFolder } from "../../../storage/file/lock_file.ts";
import { createFileStorage } from "../../../storage/file/mod.ts";
import { nodeLockHost } from "../../../storage/file/node_file_system.ts";
import { askAt } from "../../../storage/file/node_lock_socket.ts";
import { runtimes } from "../../../tools/runtimes.ts";
import type { Child } from "./lock_support.ts";
import { child, inFolder, kill, lockOf } from "./lock_support.ts";

const names = ["deno", "node", "bun"] as const;
const unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL"];

async function commandOf(name: "deno" | "node" | "bun"): Promise<readonly string[]> {
  return [(await runtimes())[name], ...(name === "deno" ? ["run", "-A", "--no-check"] : [])];
}

/** Reports whether this user may start processes in a namespace of their own. */
function mayUnshare(): boolean {
  try {
    execFileSync(unshare[0]!, [...unshare.slice(1), "true"], { stdio: "ignore" });
    return true;
  } catch (_error) {
    return false;
  }
}

/** Changes the owner in a lock to one of another container, with another process id and machine. */
async function moveAway(dir: string): Promise<void> {
  const { path, owner } = await lockOf(dir);
  await writeFile(path, JSON.stringify({ ...owner, pid: 1, machine: "0a1b2c3d4e5f", namespace: "pid:[1]" }));
}

/** Starts a child that holds the folder, with a process id without a meaning here. */
async function foreignHolder(dir: string, command: readonly string[]): Promise<Child> {
  const held = child(dir, mayUnshare() ? [...unshare, ...command] : command);
  assert.strictEqual(await held.said, "open");
  if (!mayUnshare()) await moveAway(dir);
  const { owner } = await lockOf(dir);
  assert.deepStrictEqual([owner["pid"], owner["namespace"] === (await nodeLockHost().self()).namespace], [1, false]);
  return held;
}

function socketsIn(dir: string): Promise<string[]> {
  return readdir(dir).then((found) => found.filter((name) => name.endsWith(".sock")));
}

for (const [index, name] of names.entries()) {
  Deno.test(`a holder in another process namespace is refused while it lives, and then followed: ${name}`, () =>
    inFolder(async (dir) => {
      const holder = await foreignHolder(dir, await commandOf(name));
      try {
        assert.deepStrictEqual((await socketsIn(dir)).length, 1);
        const takers = await Promise.all(names.map(async (each) => child(dir, await commandOf(each))));
        for (const taker of takers) assert.match(await taker.said, /is locked: process 1 has it open/);
        await Promise.all(takers.map((taker) => taker.ended));
        await assert.rejects(createFileStorage(dir).load(), { code: "locked" });
      } finally {
        await kill(holder);
      }
      assert.strictEqual((await socketsIn(dir)).length, 1, "the socket of the killed process");
      const next = child(dir, await commandOf(names[(index + 1) % 3]!));
      try {
        assert.strictEqual(await next.said, "open");
        const { owner } = await lockOf(dir);
        assert.deepStrictEqual(await socketsIn(dir), [owner["socket"]]);
        assert.strictEqual((await stat(join(dir, String(owner["socket"])))).mode & 0o777, 0o600);
      } finally {
        await kill(next);
      }
      await using storage = createFileStorage(dir);
      await storage.load();
      await storage.close();
      assert.deepStrictEqual(await socketsIn(dir), []);
    }));

  Deno.test(`a socket does not keep its process running: ${name}`, () =>
    inFolder(async (dir) => {
      const left = child(dir, await commandOf(name), "leave");
      assert.strictEqual(await left.said, "open");
      await left.ended;
      assert.strictEqual(left.process.exitCode, 0);
    }));
}

Deno.test("a stopped holder whose queue of connections is full counts as alive, in every runtime", () =>
  inFolder(async (dir) => {
    const holder = child(dir);
    const asked: Socket[] = [];
    try {
      assert.strictEqual(await holder.said, "open");
      await moveAway(dir);
      const { owner } = await lockOf(dir);
      process.kill(holder.process.pid ?? 0, "SIGSTOP");
      let full = false;
      for (let count = 0; !full && count < 10_000; count++) {
        full = await new Promise<boolean>((resolve) => {
          const socket = connect({ path: join(dir, String(owner["socket"])) });
          socket.once("connect", () => resolve(false));
          socket.once("error", () => resolve(true));
          asked.push(socket);
        });
      }
      assert.ok(full);
      const takers = await Promise.all(names.map(async (each) => child(dir, await commandOf(each))));
      for (const taker of takers) assert.match(await taker.said, /is locked: process 1 has it open/);
      await Promise.all(takers.map((taker) => taker.ended));
    } finally {
      await kill(holder);
      await Promise.all(asked.map((socket) =>
        new Promise<void>((resolve) => {
          if (socket.closed) resolve();
          else socket.once("close", () => resolve()).destroy();
        })
      ));
    }
  }));

Deno.test("of several processes that find a dead owner of another namespace, one gets the folder", () =>
  inFolder(async (dir) => {
    const dead = child(dir);
    assert.strictEqual(await dead.said, "open");
    await kill(dead);
    for (let round = 0; round < 20; round++) {
      await moveAway(dir);
      const taken = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(nodeLockHost(), dir)));
      const locks = taken.filter((each) => each.status === "fulfilled").map((each) => each.value);
      assert.strictEqual(locks.length, 1);
      const { path, owner } = await lockOf(dir);
      assert.deepStrictEqual(await socketsIn(dir), [owner["socket"]]);
      await locks[0]!.release();
      // As if that owner had been killed, too: its socket's file exists, but no process listens.
      await writeFile(path, JSON.stringify(owner));
      execFileSync("cp", ["-a", await deadSocket(dir), join(dir, String(owner["socket"]))]);
    }
  }));

/** Creates a socket file that no process listens on. */
async function deadSocket(dir: string): Promise<string> {
  const path = join(dirname(dir), "dead.sock");
  if (await stat(path).then(() => false, () => true)) {
    const script =
      `require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
    try {
      execFileSync((await runtimes()).node, ["-e", script, path], { stdio: "ignore" });
    } catch (_error) {
      // It has killed itself.
    }
  }
  return path;
}

Deno.test("a missing socket, or a plain file with its name, proves nothing", () =>
  inFolder(async (dir) => {
    const holder = await foreignHolder(dir, await commandOf("deno"));
    const { path, owner } = await lockOf(dir);
    const socket = join(dir, String(owner["socket"]));
    await kill(holder);
    assert.strictEqual(await askAt(socket), "dead");
    await rm(socket);
    await assert.rejects(createFileStorage(dir).load(), { code: "locked", hint: new RegExp(`delete ${path}`) });
    await writeFile(socket, "");
    await assert.rejects(createFileStorage(dir).load(), { code: "locked", hint: new RegExp(`delete ${path}`) });
  }));

Deno.test("in a folder with a path too long for a socket, an owner of another namespace counts as alive", () =>
  inFolder(async (parent) => {
    const dir = join(parent, "d".repeat(100));
    const holder = await foreignHolder(dir, await commandOf("deno"));
    const { path, owner } = await lockOf(dir);
    assert.strictEqual(owner["socket"], "");
    assert.deepStrictEqual(await socketsIn(dir), []);
    await kill(holder);
    await assert.rejects(createFileStorage(dir).load(), { code: "locked", hint: new RegExp(`delete ${path}`) });
  }));

Deno.test("a lock that is released while its holder is checked is not reported as held", () =>
  inFolder(async (dir) => {
    const storage = createFileStorage(dir);
    await storage.load();
    await moveAway(dir);
    const host = nodeLockHost();
    let asked = 0;
    const asking = {
      ...host,
      ask: async (path: string) => {
        asked++;
        await storage.close();
        const answer = await host.ask(path);
        assert.strictEqual(answer, "unknown");
        return answer;
      },
    };
    await (await lockFolder(asking, dir)).release();
    assert.strictEqual(asked, 1);
  }));
