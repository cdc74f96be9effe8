/**
 * `deno task ok`: the gate. Every check runs, even if others fail, two at a time and
 * the tests at the end; `--no-tests` leaves these out (the CI runs them by the README's
 * own command).
 */

import { readJson, run } from "./run.ts";

/** The number of checks at a time; most compute, so more would gain nothing on two cores. */
const AT_ONCE = 2;

/** The files that must type-check with DOM libraries alone. */
const PORTABLE = ["lib", "mod.ts", "storage/memory.ts", "storage/indexeddb", "transport/memory.ts"];

/** Returns the arguments of Deno for each check, by name. */
function checks(): Record<string, readonly string[]> {
  const { exports } = readJson("deno.json") as { exports: Record<string, string> };
  const domAlone = ["--no-lock", "--config", "tools/deno.lib.json"];
  return {
    format: ["fmt", "--check"],
    lint: ["lint", "--quiet"],
    imports: ["task", "--quiet", "imports"],
    types: ["check", "--quiet"],
    "types with DOM libraries alone": ["check", "--quiet", ...domAlone, ...PORTABLE],
    documentation: ["doc", "--quiet", "--lint", ...Object.values(exports)],
    "examples compile": ["task", "--quiet", "examples"],
    "generated code is current": ["task", "--quiet", "generate:check"],
    "bundle for browsers": ["task", "--quiet", "build"],
    tests: ["task", "--quiet", "test"],
  };
}

async function main(args: readonly string[]): Promise<number> {
  const failed: string[] = [];
  const carryOut = async (name: string, command: readonly string[]): Promise<void> => {
    const ran = await run([Deno.execPath(), ...command], { quiet: name !== "tests", timeoutMs: 90 * 60_000 });
    if (!ran.ok) {
      failed.push(name);
      if (name !== "tests") console.error(ran.output);
    }
    console.log(`${ran.ok ? "ok    " : "FAILED"} ${name} (${ran.seconds.toFixed(1)} s)`);
  };
  const { tests = [], ...others } = checks();
  const left = Object.entries(others);
  const lane = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await carryOut(...next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  if (!args.includes("--no-tests")) await carryOut("tests", tests);
  console.log(failed.length === 0 ? "all checks passed" : `failed: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
