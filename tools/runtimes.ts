/**
 * Finds the other runtimes that tests need: Node 24 and Bun, at the versions in
 * package.json. npm installs them with the project's dependencies; nothing else
 * writes to node_modules.
 */

import { exists, readJson, ROOT, run } from "./run.ts";

/** Where the programs are. */
export interface Runtimes {
  readonly deno: string;
  readonly node: string;
  readonly bun: string;
}

interface Lock {
  readonly packages: Record<string, { readonly version?: string; readonly optional?: boolean }>;
}

const NODE = ["node_modules/node/bin/node", "node_modules/node/node_modules/.bin/node"];
const BUN = ["node_modules/bun/bin/bun.exe", "node_modules/@oven/bun-linux-x64/bin/bun"];

/** Whether node_modules has what package-lock.json asks for, but for packages of other platforms. */
function upToDate(): boolean {
  if (!exists("node_modules/.package-lock.json")) return false;
  const wanted = (readJson("package-lock.json") as Lock).packages;
  const found = (readJson("node_modules/.package-lock.json") as Lock).packages;
  return Object.entries(wanted).every(([path, { version, optional }]) =>
    path === "" || found[path]?.version === version || (optional === true && found[path] === undefined)
  );
}

/** Runs npm, or says what is missing. */
async function npm(...args: string[]): Promise<void> {
  try {
    const ran = await run(["npm", ...args], { quiet: true });
    if (ran.ok) return;
    throw new Error(`npm ${args.join(" ")} failed:\n${ran.output}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error("npm is not on the PATH; the tests under Node and Bun need it", { cause: error });
  }
}

/** The path of the first that exists and tells its version. */
async function find(candidates: readonly string[], version: string): Promise<string | null> {
  for (const path of candidates.filter(exists)) {
    const ran = await run([ROOT + path, "--version"], { quiet: true });
    if (ran.ok && ran.output.trim().replace(/^v/, "") === version) return ROOT + path;
  }
  return null;
}

/**
 * The runtimes, installed first if need be.
 *
 * @throws {Error} that says what is missing.
 */
export async function runtimes(): Promise<Runtimes> {
  const { devDependencies: wanted } = readJson("package.json") as { devDependencies: { node: string; bun: string } };
  if (!upToDate()) {
    console.log("npm ci: dependencies, Node and Bun");
    await npm("ci", "--no-audit", "--no-fund");
  }
  let node = await find(NODE, wanted.node);
  let bun = await find(BUN, wanted.bun);
  if (node === null || bun === null) {
    // npm may be told not to run install scripts, and these two packages fetch their program in one.
    await npm("rebuild", "node", "bun", "--ignore-scripts=false");
    node = await find(NODE, wanted.node);
    bun = await find(BUN, wanted.bun);
  }
  if (node === null) throw new Error(`npm installed no Node ${wanted.node}; does it block install scripts?`);
  if (bun === null) throw new Error(`npm installed no Bun ${wanted.bun}; does it block install scripts?`);
  return { deno: Deno.execPath(), node, bun };
}

if (import.meta.main) console.log(await runtimes());
