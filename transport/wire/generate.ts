/**
 * Generates transport/wire/gen from the protos; with `--check` only reports whether it is current.
 *
 *     deno run -A transport/wire/generate.ts [--check]
 *
 * buf starts the plugin by name, so `deno` has to be on the PATH.
 */

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

// 1.75.0 does not start through Deno.
const BUF = "npm:@bufbuild/buf@1.74.0";
const GENERATED = "transport/wire/gen";
const root = fileURLToPath(new URL("../../", import.meta.url));

function buf(...args: string[]): void {
  const run = spawnSync("deno", ["run", "-A", "--quiet", "--no-config", "--no-lock", BUF, ...args], {
    cwd: root,
    stdio: "inherit",
  });
  if (run.error !== undefined) throw run.error;
  if (run.status !== 0) throw new Error(`buf ${args[0]} ended with ${run.status ?? run.signal}`);
}

/** Reads every file under a folder, by its path there. */
async function filesOf(folder: string): Promise<Map<string, string>> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = new Map<string, string>();
  for (const entry of found) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length), await readFile(path, "utf8"));
  }
  return files;
}

/** Returns the paths that are in one folder only, or differ. */
async function differences(one: string, other: string): Promise<string[]> {
  const [left, right] = [await filesOf(one), await filesOf(other)];
  const paths = new Set([...left.keys(), ...right.keys()]);
  return [...paths].filter((path) => left.get(path) !== right.get(path)).sort();
}

async function check(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "raft-generated-"));
  try {
    buf("lint");
    buf("generate", "--output", folder);
    const stale = await differences(join(folder, GENERATED), join(root, GENERATED));
    if (stale.length === 0) return;
    console.error(`${GENERATED} is not current, run \`deno task generate\`:\n${stale.join("\n")}`);
    process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (process.argv.includes("--check")) await check();
else buf("generate");
