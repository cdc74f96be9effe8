/**
 * The other runtimes that tests need: Node 24 and Bun, at the versions in
 * tools/runtimes/package.json; and the packages that sources import under them.
 * npm installs both; nothing else writes to a node_modules folder.
 */

import { exists, readJson, ROOT, run } from "./run.ts";

export interface Runtimes {
  readonly deno: string;
  readonly node: string;
  readonly bun: string;
}

interface Lock {
  readonly packages: Record<string, { readonly version?: string; readonly optional?: boolean }>;
}

const FOLDER = "tools/runtimes/";
const MODULES = `${FOLDER}node_modules/`;
const NODE = [`${MODULES}node/bin/node`, `${MODULES}node/node_modules/.bin/node`];
const BUN = [`${MODULES}bun/bin/bun.exe`, `${MODULES}@oven/bun-linux-x64/bin/bun`];

/** Reports whether a folder's node_modules matches its package-lock.json, except for packages of other platforms. */
function upToDate(folder: string): boolean {
  if (!exists(`${folder}node_modules/.package-lock.json`)) return false;
  const wanted = (readJson(`${folder}package-lock.json`) as Lock).packages;
  const found = (readJson(`${folder}node_modules/.package-lock.json`) as Lock).packages;
  return Object.entries(wanted).every(([path, { version, optional }]) =>
    path === "" || found[path]?.version === version || (optional === true && found[path] === undefined)
  );
}

/** Runs npm in a folder. @throws {Error} without npm, or if it fails */
async function npm(folder: string, ...args: string[]): Promise<void> {
  try {
    const ran = await run(["npm", "--prefix", ROOT + folder, ...args], { quiet: true });
    if (!ran.ok) throw new Error(`npm ${args.join(" ")} failed in ${ROOT + folder}:\n${ran.output}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error("npm is not on the PATH; the tests under Node and Bun need it", { cause: error });
  }
}

/** Returns the first path whose program exists and has this version. */
async function find(candidates: readonly string[], version: string): Promise<string | null> {
  for (const path of candidates.filter(exists)) {
    const ran = await run([ROOT + path, "--version"], { quiet: true });
    if (ran.ok && ran.output.trim().replace(/^v/, "") === version) return ROOT + path;
  }
  return null;
}

async function install(): Promise<Runtimes> {
  const { dependencies: wanted } = readJson(`${FOLDER}package.json`) as { dependencies: { node: string; bun: string } };
  for (const folder of ["", FOLDER]) {
    if (upToDate(folder)) continue;
    console.log(`npm ci${folder === "" ? "" : ` in ${folder}: Node ${wanted.node} and Bun ${wanted.bun}`}`);
    await npm(folder, "ci", "--no-audit", "--no-fund");
  }
  let node = await find(NODE, wanted.node);
  let bun = await find(BUN, wanted.bun);
  if (node === null || bun === null) {
    // npm may be told not to run install scripts, and these two packages fetch their program in one.
    await npm(FOLDER, "rebuild", "node", "bun", "--ignore-scripts=false");
    node = await find(NODE, wanted.node);
    bun = await find(BUN, wanted.bun);
  }
  if (node === null) throw new Error(`npm installed no Node ${wanted.node}; does it block install scripts?`);
  if (bun === null) throw new Error(`npm installed no Bun ${wanted.bun}; does it block install scripts?`);
  return { deno: Deno.execPath(), node, bun };
}

let known: Promise<Runtimes> | null = null;

/**
 * Returns the runtimes, installed first if necessary. Several processes may call it
 * at once: a lock lets one of them install.
 *
 * @throws {Error} if one can't be installed
 */
export function runtimes(): Promise<Runtimes> {
  known ??= (async () => {
    using lock = await Deno.open(`${ROOT}${FOLDER}.lock`, { create: true, write: true });
    await lock.lock(true);
    return await install();
  })();
  return known;
}

if (import.meta.main) console.log(await runtimes());
