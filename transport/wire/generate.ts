/**
 * Generates transport/wire/gen from the protos; with `--check` only reports whether it is current.
 *
 *     deno run -A transport/wire/generate.ts [--check]
 *
 * buf starts the plugin by name, so `deno` has to be on the PATH.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

// 1.75.0 does not start through Deno.
const BUF = "npm:@bufbuild/buf@1.74.0";
const GENERATED = "transport/wire/gen";
const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs a program at the root of the project; returns its exit status, or the signal that ended it. */
function run(program: string, ...args: string[]): number | string | null {
  const { error, status, signal } = spawnSync(program, args, { cwd: root, stdio: "inherit" });
  if (error !== undefined) throw error;
  return status ?? signal;
}

function buf(...args: string[]): void {
  const status = run("deno", "run", "-A", "--quiet", "--no-config", "--no-lock", BUF, ...args);
  if (status !== 0) throw new Error(`buf ${args[0]} ended with ${status}`);
}

async function check(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "raft-generated-"));
  try {
    buf("lint");
    buf("generate", "--output", folder);
    if (run("git", "diff", "--no-index", "--name-status", GENERATED, join(folder, GENERATED)) === 0) return;
    console.error(`${GENERATED} is not current, run \`deno task generate\``);
    process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (process.argv.includes("--check")) await check();
else buf("generate");
