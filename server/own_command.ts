/**
 * How this runtime runs server/main.ts as a process of its own.
 *
 * @module
 */

import process from "node:process";
import { fileURLToPath } from "node:url";

/**
 * Settings of V8 for a server. By its own, V8 lets a heap of 20 MB grow to 120
 * before it looks for old garbage, and gives new objects up to 96 MB: a browser's
 * choice for few processes on a large machine. With these, memory is about what
 * the node's state and caches need, at the same speed (docs/performance.md).
 */
export const V8_FLAGS: readonly string[] = ["--max-semi-space-size=8", "--heap-growing-percent=50"];

/** A program and its first arguments; those of the server follow. main.ts may lie on a web server. */
export function ownCommand(): readonly string[] {
  const main = new URL("./main.ts", import.meta.url);
  if ("Deno" in globalThis) {
    const config = new URL("../deno.json", import.meta.url);
    const run = [process.execPath, "run", "--allow-all", `--v8-flags=${V8_FLAGS.join(",")}`];
    return main.protocol === "file:"
      ? [...run, "--config", fileURLToPath(config), fileURLToPath(main)]
      : [...run, "--import-map", config.href, main.href];
  }
  // Bun's engine is another; what the user gave Node comes last, and so wins.
  const flags = "Bun" in globalThis ? [] : V8_FLAGS;
  return [process.execPath, ...flags, ...process.execArgv, fileURLToPath(main)];
}
