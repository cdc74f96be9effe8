/** Servers and the command line with no more permissions than docs/operations.md gives them. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runtimes } from "../../tools/runtimes.ts";
import { eventually, freePort, Node } from "../support/server_processes.ts";

const programs = await runtimes();
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SERVER = join(ROOT, "server/main.ts");
const CLI = join(ROOT, "server/cli/main.ts");

/** The commands that run a server which may use the network and its own folder, and nothing else. */
const COMMANDS: Readonly<Record<string, (data: string) => readonly string[]>> = {
  deno: (data) => [
    programs.deno,
    ...["run", "--no-check", "--no-prompt", "--allow-net", "--allow-sys=hostname,statfs"],
    ...[`--allow-read=${data}`, `--allow-write=${data}`, SERVER],
  ],
  node: (data) => [
    programs.node,
    ...["--permission", `--allow-fs-read=${ROOT}`, `--allow-fs-read=${data}`, `--allow-fs-write=${data}`, SERVER],
  ],
};

/** Runs the command line in Deno with some permissions. */
async function raft(permissions: readonly string[], args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(programs.deno, {
    args: ["run", "--no-check", "--no-prompt", ...permissions, CLI, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  assert.equal(code, 0, decoder.decode(stderr));
  return decoder.decode(stdout);
}

for (const [runtime, command] of Object.entries(COMMANDS)) {
  Deno.test(`${runtime}: three servers with few permissions replicate, survive a kill, and close`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "raft-core-"));
    const nodes = await Promise.all(["n1", "n2", "n3"].map(async (id) => {
      const data = join(folder, id);
      mkdirSync(data);
      return new Node(id, `http://127.0.0.1:${await freePort()}`, data, command(data));
    }));
    const [first, second, third] = nodes as [Node, Node, Node];
    const peers = nodes.map(({ id, address }) => `${id}=${new URL(address).host}`).join(",");
    try {
      for (const node of nodes) node.start(["--peers", peers]);
      await eventually("a leader", async () => (await first.status())?.leader, 60_000);
      assert.ok((await second.put("key", "value")).ok);
      await first.end("SIGKILL");
      // The lock of the killed process is taken over.
      first.start(["--peers", peers]);
      await eventually("the killed one having caught up", async () => {
        return await first.status() !== null && await first.get("key", "?consistency=stale") === "value";
      });
      assert.equal(await third.get("key"), "value");

      const server = nodes.map(({ address }) => new URL(address).host).join(",");
      assert.match(await raft(["--allow-net"], ["status", "--server", server]), /3 of 3 voters/);
      assert.equal(await raft(["--allow-net"], ["kv", "get", "key", "--server", server]), "value");
      assert.deepEqual(await Promise.all(nodes.map((node) => node.end("SIGTERM"))), [0, 0, 0]);
      assert.match(await raft([`--allow-read=${first.data}`], ["log", "verify", first.data]), /^ok: /);
    } catch (error) {
      const outputs = nodes.map(({ id, output }) => `--- ${id}\n${output}`).join("\n");
      throw new Error(`${error instanceof Error ? error.message : error}\n${outputs}`, { cause: error });
    } finally {
      await Promise.all(nodes.map((node) => node.end("SIGKILL")));
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
