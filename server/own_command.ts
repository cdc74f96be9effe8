/**
 * The command that runs server/main.ts as a process of its own.
 */

import process from "node:process";
import { fileURLToPath } from "node:url";

/**
 * Settings of V8 for a server. By default V8 lets a heap of 20 MB grow to 120 MB
 * before it collects old garbage, and gives new objects up to 96 MB: a browser's
 * choice for few processes on a large machine. With these flags, memory stays close
 * to the size of the node's state and caches, at the same speed (docs/performance.md).
 */
export const V8_FLAGS: readonly string[] = ["--max-semi-space-size=8", "--heap-growing-percent=50"];

/** Returns a program and its first arguments; those of the server follow. main.ts may be on a web server. */
export function ownCommand(): readonly string[] {
  const main = new URL("./main.ts", import.meta.url);
  if ("Deno" in globalThis) {
    const config = new URL("../deno.json", import.meta.url);
    const run = [process.execPath, "run", "--allow-all", `--v8-flags=${V8_FLAGS.join(",")}`];
    return main.protocol === "file:"
      ? [...run, "--config", fileURLToPath(config), fileURLToPath(main)]
      : [...run, "--import-map", config.href, main.href];
  }
  // Bun has another engine. The user's own flags of Node come last, and win.
  const flags = "Bun" in globalThis ? [] : V8_FLAGS;
  return [process.execPath, ...flags, ...process.execArgv, fileURLToPath(main)];
}
