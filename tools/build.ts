/**
 * `deno task build`: the library as one minified module for browsers, in dist/,
 * with its size. Fails when mod.ts reaches for a package: a module with none can
 * be imported by URL, without an import map.
 */

import { ROOT, run } from "./run.ts";

const OUTPUT = "dist/raft-core.js";

/** What `deno info --json` tells of a graph. */
interface Graph {
  readonly modules: readonly { readonly specifier: string; readonly kind?: string; readonly error?: string }[];
}

/** The modules of a graph that are no plain files or addresses, or can't be loaded. */
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

/** The size of a file as a web server would send it. */
async function gzippedBytes(path: string): Promise<number> {
  const stream = new Blob([await Deno.readFile(path)]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(stream).arrayBuffer()).byteLength;
}

/** Builds, and prints what came of it. */
async function main(): Promise<number> {
  const foreign = await foreignModules("mod.ts");
  if (foreign.length > 0) {
    console.error(`mod.ts must depend on nothing, but reaches:\n  ${foreign.join("\n  ")}`);
    return 1;
  }
  const ran = await run([
    ...[Deno.execPath(), "bundle", "--quiet", "--no-lock", "--platform", "browser", "--minify"],
    ...["--output", OUTPUT, "mod.ts"],
  ]);
  if (!ran.ok) return 1;
  const { size } = await Deno.stat(ROOT + OUTPUT);
  const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
  console.log(`${OUTPUT}: ${kilobytes(size)}, ${kilobytes(await gzippedBytes(ROOT + OUTPUT))} gzipped`);
  return 0;
}

if (import.meta.main) Deno.exit(await main());
