/**
 * `deno task mutants`: proves that each rule is needed. In a copy of the source
 * one rule after the other is removed (tests/mutants/), and a check has to fail:
 * the simulator within some seeds, or a directed test. A mutant that survives, or
 * whose edits no longer apply, fails the command; so does an invariant of the
 * simulator that no mutant violates.
 *
 * - `--only NAME,…`: only these mutants
 * - `--by simulation` or `--by test`: the check that has to fail, instead of the mutant's own choice
 * - `--seeds 1..2000`: the seeds to try
 * - `--jobs 2`: the number of mutants at a time
 * - `--shrink`: prints the smallest failing run found for each, as a story
 * - `--table`: prints a table in Markdown on stdout, and the rest on stderr
 */

import { parseArgs } from "node:util";
import { INVARIANTS } from "../simulation/mod.ts";
import { mutants } from "../tests/mutants/mod.ts";
import type { Mutant } from "../tests/mutants/mutant.ts";
import { parseSeeds } from "./mutants/seed_runner.ts";
import { runMutant, simulateUntilKilled, testsPass } from "./mutants/run_mutant.ts";
import type { MutantRun } from "./mutants/run_mutant.ts";
import { type MutantResult, table, violations } from "./mutants/table.ts";
import { MutantSandbox } from "./mutants/sandbox.ts";

interface Options {
  readonly chosen: readonly Mutant[];
  readonly by: Mutant["killedBy"] | null;
  readonly seeds: string;
  readonly jobs: number;
  readonly shrink: boolean;
  readonly table: boolean;
}

/** @throws {TypeError} or {RangeError} for invalid options */
function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string" },
      by: { type: "string" },
      seeds: { type: "string", default: "1..2000" },
      jobs: { type: "string", default: "2" },
      shrink: { type: "boolean", default: false },
      table: { type: "boolean", default: false },
    },
  });
  const { by = null, seeds } = values;
  if (by !== null && by !== "simulation" && by !== "test") throw new TypeError("--by simulation, or --by test");
  parseSeeds(seeds);
  const jobs = Number(values.jobs);
  if (!Number.isSafeInteger(jobs) || jobs < 1) throw new RangeError(`--jobs must be an integer from 1: ${values.jobs}`);
  const { shrink, table } = values;
  return { chosen: choose(values.only?.split(",") ?? null), by, seeds, jobs, shrink, table };
}

/** @throws {RangeError} for a name that no mutant has */
function choose(names: readonly string[] | null): readonly Mutant[] {
  if (names === null) return mutants;
  const unknown = names.filter((name) => !mutants.some((mutant) => mutant.name === name));
  if (unknown.length > 0) throw new RangeError(`no such mutant: ${unknown.join(", ")}`);
  return mutants.filter(({ name }) => names.includes(name));
}

/** Runs the chosen mutants, several at a time, each lane in its own copy. */
async function runAll(
  options: Options,
  sandboxes: readonly MutantSandbox[],
  signal: AbortSignal,
  onResult: (results: MutantResult) => void,
): Promise<MutantResult[]> {
  const waiting = [...options.chosen];
  const done = new Map<Mutant, MutantResult>();
  const lane = async (sandbox: MutantSandbox): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      signal.throwIfAborted();
      const began = performance.now();
      const { seeds, shrink } = options;
      const how: MutantRun = { sandbox, seeds, by: options.by ?? mutant.killedBy, shrink, signal };
      const verdict = await runMutant(mutant, how);
      signal.throwIfAborted();
      const results = { mutant, verdict, seconds: (performance.now() - began) / 1000 };
      done.set(mutant, results);
      onResult(results);
    }
  };
  await Promise.all(sandboxes.map(lane));
  return options.chosen.flatMap((mutant) => done.get(mutant) ?? []);
}

/** Checks that the unmodified source passes every check that killed a mutant; returns a failure, or `null`. */
async function control(
  results: readonly MutantResult[],
  sandbox: MutantSandbox,
  signal: AbortSignal,
): Promise<string | null> {
  const seeds = new Set<number>();
  const files = new Set<string>();
  for (const { mutant, verdict } of results) {
    if (verdict.result !== "killed") continue;
    if (verdict.seed === null) files.add(mutant.test.file);
    else seeds.add(verdict.seed);
  }
  if (files.size > 0) {
    const failed = await testsPass(sandbox, [...files], signal);
    if (failed !== null) return failed;
  }
  if (seeds.size === 0) return null;
  const verdict = await simulateUntilKilled(sandbox, [...seeds].join(","), signal);
  if (verdict.result === "killed") return `seed ${verdict.seed} violates ${verdict.by} in the unmodified source`;
  return verdict.result === "survived" && verdict.why === `${seeds.size} seeds passed` ? null : verdict.why;
}

/** Prints the number of mutants that violated each invariant; returns the number of invariants that none did. */
function printViolations(results: readonly MutantResult[], print: (line: string) => void): number {
  if (!results.some(({ verdict }) => verdict.result === "killed" && verdict.seed !== null)) return 0;
  const counts = [...violations(results, INVARIANTS)];
  const idle = counts.filter(([, count]) => count === 0).map(([invariant]) => invariant);
  print(`violated: ${counts.filter(([, count]) => count > 0).map(([name, count]) => `${name} ${count}`).join(", ")}`);
  if (idle.length > 0) print(`violated by none of these: ${idle.join(", ")}`);
  return idle.length;
}

function lineOf({ mutant, verdict, seconds }: MutantResult): string {
  const end = `${seconds.toFixed(1)} s`;
  const name = mutant.name.padEnd(36);
  if (verdict.result !== "killed") return `${verdict.result.toUpperCase()} ${name} ${verdict.why}, ${end}`;
  const seeds = verdict.seed === null ? "" : ` at seed ${verdict.seed}, after ${verdict.seeds}`;
  const message = verdict.message === "" ? "" : ` (${verdict.message})`;
  const story = verdict.story === "" ? "" : `\n\n${verdict.story}`;
  return `killed   ${name} ${verdict.by}${seeds}, ${end}${message}${story}`;
}

async function main(args: string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }
  const print = options.table ? console.error : console.log;
  const ending = new AbortController();
  const onSignal = (): void => ending.abort(new Error("interrupted"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, onSignal);
  const sandboxes: MutantSandbox[] = [];
  try {
    for (let i = 0; i < Math.min(options.jobs, options.chosen.length); i++) sandboxes.push(await MutantSandbox.open());
    const results = await runAll(options, sandboxes, ending.signal, (one) => print(lineOf(one)));
    const failure = await control(results, sandboxes[0]!, ending.signal);
    if (options.table) console.log(table(results));
    const idle = printViolations(results, print);
    if (failure !== null) print(`the unmodified source does not pass either: ${failure}`);
    const killed = results.filter(({ verdict }) => verdict.result === "killed").length;
    print(`${killed} killed, ${results.length - killed} survived`);
    const idleMatters = options.chosen === mutants && options.by !== "test";
    return failure === null && killed === results.length && !(idleMatters && idle > 0) ? 0 : 1;
  } catch (error) {
    if (!ending.signal.aborted) throw error;
    console.error("interrupted");
    return 130;
  } finally {
    await Promise.all(sandboxes.map((sandbox) => sandbox.close()));
    for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.removeSignalListener(signal, onSignal);
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
