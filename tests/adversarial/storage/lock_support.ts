// Processes that hold a folder, for the tests of its lock.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export async function inFolder(test: (dir: string) => Promise<void>): Promise<void> {
  const parent = await mkdtemp(join(tmpdir(), "raft-lock-"));
  try {
    await test(join(parent, "data"));
  } finally {
    await rm(parent, { recursive: true });
  }
}

export interface Child {
  readonly process: ChildProcess;
  /** The first line that it printed. */
  readonly said: Promise<string>;
  /** Resolves when it and all processes that it started have ended. */
  readonly ended: Promise<void>;
}

/** Runs lock_child.ts; `command` is a runtime with its flags, and the programs that start it. */
export function child(dir: string, command: readonly string[] = ownRuntime(), ...more: readonly string[]): Child {
  const script = fileURLToPath(new URL("lock_child.ts", import.meta.url));
  const args = [...command.slice(1), script, dir, ...more];
  const started = spawn(command[0] ?? "", args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => started.once("close", () => resolve()));
  const said = new Promise<string>((resolve, reject) => {
    started.stdout.once("data", (data: Uint8Array) => resolve(new TextDecoder().decode(data).trim()));
    started.once("error", reject);
    started.once("close", (code) => reject(new Error(`it ended with ${code} and printed nothing`)));
  });
  said.catch(() => {});
  return { process: started, said, ended };
}

/** Ends a child at once, without a chance to release anything. */
export async function kill(held: Child): Promise<void> {
  held.process.kill("SIGKILL");
  await held.ended;
}

function ownRuntime(): readonly string[] {
  return [process.execPath, ...("Deno" in globalThis ? ["run", "-A", "--no-check"] : [])];
}

/** Reads the newest lock. */
export async function lockOf(
  dir: string,
): Promise<{ readonly path: string; readonly owner: Record<string, unknown> }> {
  const names = (await readdir(dir)).filter((name) => name.startsWith("lock-"));
  assert.strictEqual(names.length, 1, names.join());
  const path = join(dir, names[0]!);
  return { path, owner: JSON.parse(await readFile(path, "utf8")) as Record<string, unknown> };
}
