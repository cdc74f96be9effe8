/**
 * A server whose log can't be written: it serves, and closes in order.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtimes } from "../../tools/runtimes.ts";
import { eventually, freePort } from "../support/server_processes.ts";
import { emptyFolder } from "./file_server.ts";

const SERVER = fileURLToPath(new URL("../../server/main.ts", import.meta.url));

/** The destinations: a device that is always full (Linux has one), and a pipe whose reader is gone. */
const DESTINATIONS = process.platform === "linux" ? ["a full disk", "a closed pipe"] : ["a closed pipe"];

for (const name of ["deno", "node", "bun"] as const) {
  for (const destination of DESTINATIONS) {
    Deno.test(`a server in ${name} whose log goes to ${destination} serves, and closes in order`, async () => {
      await using folder = await emptyFolder();
      const port = await freePort();
      const flags = name === "deno" ? ["run", "--no-check", "--allow-all"] : [];
      const options = ["--id", "n1", "--data", `${folder.path}/n1`, "--listen", `127.0.0.1:${port}`];
      const args = [...flags, SERVER, ...options, "--peers", `n1=127.0.0.1:${port}`];
      const full = destination === "a full disk" ? openSync("/dev/full", "w") : null;
      const child = spawn((await runtimes())[name], args, { stdio: ["ignore", "ignore", full ?? "pipe"] });
      const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
      if (full !== null) closeSync(full);
      child.stderr?.destroy();
      const key = `http://127.0.0.1:${port}/kv/colour`;
      try {
        await eventually("the server takes a write", async () => {
          assert.equal(child.exitCode, null, "the server has ended");
          const put = fetch(key, { method: "PUT", body: "green" });
          return await put.then(async (answer) => (await answer.text(), answer.ok), () => false);
        });
        assert.equal(await (await fetch(key)).text(), "green");
      } finally {
        if (child.exitCode === null && child.pid !== undefined) process.kill(child.pid, "SIGTERM");
      }
      assert.equal(await ended, 0);
    });
  }
}
