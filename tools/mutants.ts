/**
 * `deno task mutants`: proves that each rule is needed. In a copy of the source
 * one rule after the other is removed (tests/mutants/), and a check has to fail:
 * the simulator within some seeds, or a directed test. A mutant that survives, or
 * whose edits no longer apply, fails the command; so does an invariant of the
 * simulator that no mutant violates.
 */

import { Command, InvalidArgumentError, Option } from "commander";
import { integer } from "../server/options.ts";
import { INVARIANTS } from "../simulation/mod.ts";
import { mutants } from "../tests/mutants/mod.ts";
import type { Mutant } from "../tests/mutants/mutant.ts";
import { parseSeeds } from "./mutants/seed_runner.ts";
import { runMutant, simulateUntilKilled, testsPass } from "./mutants/run_mutant.ts";
import { type MutantResult, table, violations } from "./mutants/table.ts";
import { MutantSandbox } from "./mutants/sandbox.ts";

interface Options {
  readonly only: readonly Mutant[];
  readonly by?: Mutant["killedBy"];
  readonly seeds: string;
  readonly jobs: number;
  readonly shrink?: boolean;
  readonly table?: boolean;
}

function parseOptions(args: readonly string[]): Options {
  return new Command("mutants")
    .description("Removes one rule after the other in a copy of the source, where a check has to fail.")
    .addOption(
      new Option("--only <names>", "these mutants, with commas between").argParser(choose).default(mutants, "all"),
    )
    .addOption(new Option("--by <check>", "instead of the mutant's own choice").choices(["simulation", "test"]))
    .option("--seeds <a..b>", "the seeds to try", (text) => parseSeeds(text) && text, "1..2000")
    .option("--jobs <n>", "the number of mutants at a time", integer(1, 64), 2)
    .option("--shrink", "print the smallest failing run found for each, as a story")
    .option("--table", "print a table in Markdown on stdout, and the rest on stderr")
    .parse(args, { from: "user" })
    .opts();
}

/** Parses names of mutants. */
function choose(text: string): readonly Mutant[] {
  return text.split(",").map((name) => {
    const mutant = mutants.find((each) => each.name === name);
    if (mutant === undefined) throw new InvalidArgumentError(`There is no mutant ${name}.`);
    return mutant;
  });
}

/** Runs the chosen mutants, several at a time, each lane in its own copy. */
async function runAll(
  options: Options,
  sandboxes: readonly MutantSandbox[],
  signal: AbortSignal,
  onResult: (results: MutantResult) => void,
): Promise<MutantResult[]> {
  const waiting = [...options.only];
  const done = new Map<Mutant, MutantResult>();
  const lane = async (sandbox: MutantSandbox): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      signal.throwIfAborted();
      const began = performance.now();
      const verdict = await runMutant(mutant, options.by ?? mutant.killedBy, sandbox, options);
      signal.throwIfAborted();
      const results = { mutant, verdict, seconds: (performance.now() - began) / 1000 };
      done.set(mutant, results);
      onResult(results);
    }
  };
  await Promise.all(sandboxes.map(lane));
  return options.only.flatMap((mutant) => done.get(mutant) ?? []);
}

/** Checks that the unmodified source passes every check that killed a mutant; returns a failure, or `null`. */
async function control(results: readonly MutantResult[], sandbox: MutantSandbox): Promise<string | null> {
  const seeds = new Set<number>();
  const files = new Set<string>();
  for (const { mutant, verdict } of results) {
    if (verdict.result !== "killed") continue;
    if (verdict.seed === null) files.add(mutant.test.file);
    else seeds.add(verdict.seed);
  }
  if (files.size > 0) {
    const failed = await testsPass(sandbox, [...files]);
    if (failed !== null) return failed;
  }
  if (seeds.size === 0) return null;
  const verdict = await simulateUntilKilled(sandbox, [...seeds].join(","));
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

async function main(options: Options): Promise<number> {
  const print = options.table ? console.error : console.log;
  const ending = new AbortController();
  const onSignal = (): void => ending.abort(new Error("interrupted"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, onSignal);
  const sandboxes: MutantSandbox[] = [];
  try {
    const lanes = Math.min(options.jobs, options.only.length);
    for (let i = 0; i < lanes; i++) sandboxes.push(await MutantSandbox.open(ending.signal));
    const results = await runAll(options, sandboxes, ending.signal, (one) => print(lineOf(one)));
    const failure = await control(results, sandboxes[0]!);
    if (options.table) console.log(table(results));
    const idle = printViolations(results, print);
    if (failure !== null) print(`the unmodified source does not pass either: ${failure}`);
    const killed = results.filter(({ verdict }) => verdict.result === "killed").length;
    print(`${killed} killed, ${results.length - killed} survived`);
    const idleMatters = options.only === mutants && options.by !== "test";
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

if (import.meta.main) Deno.exit(await main(parseOptions(Deno.args)));
