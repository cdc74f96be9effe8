/**
 * `deno task build`: the library as one minified module for browsers, and the
 * demo as static files, in dist/. Prints their sizes, and fails when one is over
 * its limit, or when mod.ts imports a package: a module without any can be
 * imported by URL, without an import map.
 */

import { gzipSync } from "node:zlib";
import { writeSite } from "../browser-demo/site.ts";
import { ROOT, run } from "./run.ts";

const DEMO = "dist/demo";
/** The bundles whose size is limited: each module with its output and the most bytes, gzipped. */
const BUNDLES = [
  { module: "mod.ts", output: "dist/raft-core.js", maxBytes: 47_000 },
  { module: "tools/sizes/tab.ts", output: "dist/sizes/tab.js", maxBytes: 76_000 },
  { module: "tools/sizes/relay.ts", output: "dist/sizes/relay.js", maxBytes: 98_000 },
];
/** The most bytes of all the demo's files, gzipped. */
const DEMO_MAX_BYTES = 250_000;

/** The part of a graph, as `deno info --json` prints it, that is used. */
interface Graph {
  readonly modules: readonly { readonly specifier: string; readonly kind?: string; readonly error?: string }[];
}

/** Returns the modules of a graph that are neither plain files nor addresses, or can't be loaded. */
export async function foreignModules(entry: string): Promise<string[]> {
  const { ok, output } = await run([Deno.execPath(), "info", "--quiet", "--json", "--no-lock", entry], { quiet: true });
  if (!ok) throw new Error(`deno info ${entry}: ${output}`);
  const { modules } = JSON.parse(output) as Graph;
  return modules
    .filter(({ specifier, kind, error }) =>
      kind !== "esm" || error !== undefined || !/^(file|https?):/.test(specifier) ||
      specifier.includes("/node_modules/")
    )
    .map(({ specifier }) => specifier);
}

/** Returns the size of bytes compressed as `gzip -9` and static hosts do. */
function gzippedBytes(bytes: Uint8Array): number {
  return gzipSync(bytes, { level: 9 }).byteLength;
}

/** Prints a size, and reports whether it is within its limit. */
function weigh(what: string, gzipped: number, maxBytes: number): boolean {
  const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
  console.log(`${what}: ${kilobytes(gzipped)} gzipped (at most ${kilobytes(maxBytes)})`);
  if (gzipped <= maxBytes) return true;
  console.error(`${what} is too large`);
  return false;
}

/** Bundles a module for browsers, and reports whether its size is within the limit. */
async function bundle({ module, output, maxBytes }: typeof BUNDLES[number]): Promise<boolean> {
  const ran = await run([
    ...[Deno.execPath(), "bundle", "--quiet", "--no-lock", "--platform", "browser", "--minify"],
    ...["--output", output, module],
  ]);
  return ran.ok && weigh(output, gzippedBytes(await Deno.readFile(ROOT + output)), maxBytes);
}

/** Writes the demo's files, and reports whether their size is within the limit. */
async function buildDemo(): Promise<boolean> {
  const sizes = (await writeSite(ROOT + DEMO)).map(({ bytes }) => gzippedBytes(bytes));
  return weigh(`${DEMO}/`, sizes.reduce((sum, size) => sum + size), DEMO_MAX_BYTES);
}

async function main(): Promise<number> {
  const foreign = await foreignModules("mod.ts");
  if (foreign.length > 0) {
    console.error(`mod.ts must depend on nothing, but reaches:\n  ${foreign.join("\n  ")}`);
    return 1;
  }
  const built = [];
  for (const each of BUNDLES) built.push(await bundle(each));
  built.push(await buildDemo());
  return built.every((well) => well) ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
