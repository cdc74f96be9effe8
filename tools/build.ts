/**
 * `deno task build`: builds the library as one minified module for browsers, and
 * the demo as static files, in dist/. Prints their sizes, and fails if they exceed
 * their bounds, or if mod.ts imports a package: a module without packages can be
 * imported by URL, without an import map.
 */

import { writeSite } from "../browser-demo/site.ts";
import { ROOT, run } from "./run.ts";

const LIBRARY = "dist/raft-core.js";
const TAB = "dist/sizes/tab.js";
const DEMO = "dist/demo";
/** The largest size of a node in a tab, gzipped: core, IndexedDB and the transports between tabs. */
const TAB_MAX_BYTES = 60_000;
/** The largest size of all files of the demo, gzipped. */
const DEMO_MAX_BYTES = 250_000;

/** The output of `deno info --json`. */
interface Graph {
  readonly modules: readonly { readonly specifier: string; readonly kind?: string; readonly error?: string }[];
}

/** Returns the modules of a graph that are not plain files or URLs, or can't be loaded. */
export async function foreignModules(entry: string): Promise<string[]> {
  const { stdout, success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-lock", entry],
    cwd: ROOT,
  }).output();
  if (!success) throw new Error(`deno info ${entry}: ${new TextDecoder().decode(stderr)}`);
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as Graph;
  return modules
    .filter(({ specifier, kind, error }) =>
      kind !== "esm" || error !== undefined || !/^(file|https?):/.test(specifier) ||
      specifier.includes("/node_modules/")
    )
    .map(({ specifier }) => specifier);
}

/** Returns the size of bytes as a web server would send them. */
async function gzippedBytes(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(stream).arrayBuffer()).byteLength;
}

/** Prints a size; reports whether it is within its bounds. */
function weigh(what: string, gzipped: number, maxBytes = Infinity): boolean {
  const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
  const bound = maxBytes === Infinity ? "" : ` (at most ${kilobytes(maxBytes)})`;
  console.log(`${what}: ${kilobytes(gzipped)} gzipped${bound}`);
  if (gzipped < maxBytes) return true;
  console.error(`${what} is too large`);
  return false;
}

/** Bundles a module for browsers. */
async function bundle(module: string, output: string, maxBytes?: number): Promise<boolean> {
  const ran = await run([
    ...[Deno.execPath(), "bundle", "--quiet", "--no-lock", "--platform", "browser", "--minify"],
    ...["--output", output, module],
  ]);
  return ran.ok && weigh(output, await gzippedBytes(await Deno.readFile(ROOT + output)), maxBytes);
}

/** Writes the demo's files. */
async function buildDemo(): Promise<boolean> {
  const sizes = (await writeSite(ROOT + DEMO)).map(({ bytes }) => gzippedBytes(bytes));
  return weigh(`${DEMO}/`, (await Promise.all(sizes)).reduce((sum, size) => sum + size), DEMO_MAX_BYTES);
}

/** Builds everything, and prints the sizes. */
async function main(): Promise<number> {
  const foreign = await foreignModules("mod.ts");
  if (foreign.length > 0) {
    console.error(`mod.ts must depend on nothing, but reaches:\n  ${foreign.join("\n  ")}`);
    return 1;
  }
  const built = [
    await bundle("mod.ts", LIBRARY),
    await bundle("tools/sizes/tab.ts", TAB, TAB_MAX_BYTES),
    await buildDemo(),
  ];
  return built.every((well) => well) ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
