/**
 * `deno task start`, as its user sees it.
 */

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { eventually, freePort } from "../support/server_processes.ts";

const START = fileURLToPath(new URL("../../server/start.ts", import.meta.url));

const SERVER = fileURLToPath(new URL("../../server/main.ts", import.meta.url));
const CLI = fileURLToPath(new URL("../../server/cli/main.ts", import.meta.url));

/** A running `start`, or another program that is stopped alike. */
class Started implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;
  output = "";

  constructor(cwd: string, flags: readonly string[], program = START) {
    const args = ["run", "--allow-all", "--no-check", program, ...flags];
    this.#child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk) => void (this.output += String(chunk)));
    }
    this.ended = new Promise((resolve) => this.#child.on("close", (code) => resolve(code)));
  }

  async runs(): Promise<void> {
    await eventually("the cluster runs", () => this.output.includes("Ctrl-C stops all nodes."), 60_000);
  }

  /** Ctrl-C. */
  async stop(): Promise<number | null> {
    if (this.#child.pid !== undefined) process.kill(this.#child.pid, "SIGINT");
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.stop();
  }
}

/** Returns the first of three ports in a row that are free now. */
async function freePorts(): Promise<number> {
  for (;;) {
    const port = await freePort();
    const next = await Promise.all(
      [1, 2].map((more) => fetch(`http://127.0.0.1:${port + more}`).then(() => 1, () => 0)),
    );
    if (next.every((taken) => taken === 0)) return port;
  }
}

Deno.test("start: three nodes, Ctrl-C, and a restart with the same data; never at the ports of others", async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "raft-start-")));
  try {
    const port = await freePorts();
    const key = `http://127.0.0.1:${port + 1}/kv/colour`;
    {
      await using cluster = new Started(folder, ["--port", String(port)]);
      await cluster.runs();
      assert.match(cluster.output, /A cluster of 3 is running/);
      assert.equal((await fetch(key, { method: "PUT", body: "green" })).status, 201);

      // Another cluster answers at these addresses.
      await using second = new Started(folder, ["--port", String(port), "--data", "other"]);
      assert.equal(await second.ended, 1, second.output);
      assert.match(second.output, /is in use by another process/);
      assert.doesNotMatch(second.output, /A cluster of/);

      assert.equal(await cluster.stop(), 0, cluster.output);
      // The welcome is all that a newcomer reads, unless something happens.
      const [before = "", after = ""] = cluster.output.split(/\nA cluster of [^]*Ctrl-C stops all nodes\.\n/);
      assert.doesNotMatch(before, /info|Membership/);
      assert.doesNotMatch(after, /Membership|SIGINT: closing|Closed|Hands leadership/);
      assert.match(after, /Stopping all nodes…\nAll nodes have stopped\./);
    }
    await using again = new Started(folder, ["--port", String(port), "--allow-origin", "http://page.example"]);
    await again.runs();
    for (const [origin, status] of [["http://page.example", 200], ["http://other.example", 403]] as const) {
      const answer = await fetch(key, { headers: { origin } });
      assert.equal(answer.status, status, await answer.text());
    }
    assert.equal(await (await fetch(key)).text(), "green");

    // The command that is printed works from any folder.
    const pid = Number(/^ +n1 +\S+ +(\d+)/m.exec(again.output)?.[1]);
    process.kill(pid, "SIGKILL");
    await eventually("it tells how to start n1 again", () => again.output.includes("To start it again:"));
    assert.ok(again.output.includes(` --data ${join(folder, "raft-data", "n1")} `), again.output);
    assert.equal(await again.stop(), 0, again.output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

Deno.test("start: a cluster on IPv6", async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "raft-start-")));
  try {
    const port = await freePorts();
    await using cluster = new Started(folder, ["--host", "::1", "--port", String(port)]);
    await cluster.runs();
    const key = `http://[::1]:${port + 2}/kv/colour`;
    assert.ok(cluster.output.includes(`curl http://[::1]:`), cluster.output);
    assert.equal((await fetch(key, { method: "PUT", body: "green" })).status, 201);
    assert.equal(await cluster.stop(), 0, cluster.output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

Deno.test("start: a folder of other ports, of another size or in use is refused at once; added members are started", async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "raft-start-")));
  try {
    const port = await freePorts();
    const flags = ["--port", String(port), "--nodes", "1"];
    const refused = async (code: number, output: RegExp, ...flags: string[]): Promise<void> => {
      await using other = new Started(folder, flags);
      assert.equal(await other.ended, code, other.output);
      assert.match(other.output, output);
    };
    {
      await using cluster = new Started(folder, flags);
      await cluster.runs();
      await refused(6, /raft-data\/n1 is locked: process \d+ /, "--port", String(port + 1));
      const address = `127.0.0.1:${port + 1}`;
      const n4 = ["--id", "n4", "--data", join(folder, "raft-data", "n4"), "--listen", address, "--join"];
      await using added = new Started(folder, n4, SERVER);
      await eventually(
        "n4 answers",
        () => fetch(`http://${address}/status`).then(async (answer) => (await answer.text(), true), () => false),
      );
      const raft = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", CLI, "member", "add", "n4", address, "--server", `127.0.0.1:${port}`],
      });
      const { code, stderr } = await raft.output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      assert.equal(await added.stop(), 0, added.output);
      assert.equal(await cluster.stop(), 0, cluster.output);
    }
    await refused(6, /The data in .* is that of a cluster with the members n1=.*, n4=/, "--port", String(port + 1));
    await refused(6, /is that of a cluster with the members n1=/, ...flags);
    {
      await using again = new Started(folder, ["--port", String(port)]);
      await again.runs();
      assert.match(again.output, /A cluster of 2 is running/);
      assert.equal(await again.stop(), 0, again.output);
    }
    rmSync(join(folder, "raft-data", "n1"), { recursive: true });
    await using half = new Started(folder, ["--port", String(port)]);
    await eventually("it says what is missing", () => /n1 \(.*\) is a member, but not started/.test(half.output));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
