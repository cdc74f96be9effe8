/** Running a mutant: a simulated cluster or a directed test has to fail. */

import type { DirectedTest, Mutant } from "../../tests/mutants/mutant.ts";
import { countDeno } from "../test.ts";
import type { SeedResult } from "./seed_runner.ts";
import type { MutantSandbox } from "./sandbox.ts";

export type Verdict =
  | {
    readonly result: "killed";
    /** The invariant, or the test. */
    readonly by: string;
    readonly message: string;
    /** `null` for a test. */
    readonly seed: number | null;
    readonly seeds: number;
    /** A smaller run that fails in the same way, as a story; empty if not requested. */
    readonly story: string;
  }
  /** No check failed; or there was no verdict, which proves nothing either. */
  | { readonly result: "survived"; readonly why: string }
  /** It is not a mutant: its edits no longer fit, or it does not compile. */
  | { readonly result: "inapplicable"; readonly why: string };

const SIMULATION = "simulation/mod.ts";
const SIMULATION_MS = 15 * 60_000;
const TEST_MS = 2 * 60_000;

/** Makes the mutant, and runs the check that has to fail; with `shrink`, reduces a failing run. */
export async function runMutant(
  mutant: Mutant,
  by: Mutant["killedBy"],
  sandbox: MutantSandbox,
  { seeds, shrink }: { readonly seeds: string; readonly shrink?: boolean },
): Promise<Verdict> {
  try {
    await sandbox.apply(mutant.edits);
    const killer = by === "simulation" ? SIMULATION : mutant.test.file;
    const files = new Set([...mutant.edits.map(({ file }) => file), killer]);
    const checked = await sandbox.deno(["check", "--quiet", ...files], SIMULATION_MS);
    if (!checked.ok) return { result: "inapplicable", why: `it does not compile:\n${checked.output.trim()}` };
    if (by === "test") return await runTest(sandbox, mutant.test);
    const verdict = await simulateUntilKilled(sandbox, seeds, mutant.name);
    if (!shrink || verdict.result !== "killed" || verdict.seed === null) return verdict;
    return { ...verdict, story: await shrunkStory(sandbox, verdict.seed) };
  } catch (error) {
    return { result: "inapplicable", why: error instanceof Error ? error.message : String(error) };
  } finally {
    await sandbox.restore();
  }
}

/** Simulates seeds until one fails; begins with the runs that `mutant` has failed before. */
export async function simulateUntilKilled(sandbox: MutantSandbox, seeds: string, mutant = ""): Promise<Verdict> {
  const command = ["run", "--allow-all", "--no-check", "tools/mutants/seed_runner.ts", seeds, mutant];
  const ran = await sandbox.deno(command, SIMULATION_MS);
  const lines: string[] = [];
  const rest: string[] = [];
  for (const line of ran.output.split("\n")) (line.startsWith(`{"seed":`) ? lines : rest).push(line);
  const last = lines.length === 0 ? null : JSON.parse(lines.at(-1)!) as SeedResult;
  if (last !== null && last.violation !== null) {
    const { invariant, message } = last.violation;
    return { result: "killed", by: invariant, message, seed: last.seed, seeds: lines.length, story: "" };
  }
  if (ran.ok) return { result: "survived", why: `${lines.length} seeds passed` };
  const after = last === null ? "before the first seed ended" : `after seed ${last.seed}`;
  if (ran.timedOut) {
    return { result: "survived", why: `not done after ${SIMULATION_MS / 60_000} minutes, killed ${after}` };
  }
  return { result: "inapplicable", why: `the simulation ended ${after}:\n${rest.slice(-20).join("\n")}` };
}

/** Returns the output of `deno task simulate --shrink` for a seed. */
async function shrunkStory(sandbox: MutantSandbox, seed: number): Promise<string> {
  const command = ["run", "--allow-all", "--no-check", "tools/simulate/main.ts", "--seed", String(seed), "--shrink"];
  const { output } = await sandbox.deno(command, SIMULATION_MS);
  const begin = output.search(/^\d+ faults and requests are left/m);
  return begin < 0 ? output.slice(-2000) : output.slice(begin);
}

async function runTest(sandbox: MutantSandbox, { file, name }: DirectedTest): Promise<Verdict> {
  const filter = `/^${name.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")}$/`;
  const ran = await sandbox.deno(["test", "--allow-all", "--no-check", "--filter", filter, file], TEST_MS);
  if (ran.timedOut) return { result: "survived", why: `"${name}" did not end within ${TEST_MS / 60_000} minutes` };
  const count = countDeno(ran.output);
  if (count === null) return { result: "inapplicable", why: `the test did not run:\n${ran.output.slice(-2000)}` };
  if (count.passed + count.failed === 0) return { result: "inapplicable", why: `${file} has no test "${name}"` };
  return count.failed > 0
    ? { result: "killed", by: name, message: "", seed: null, seeds: 0, story: "" }
    : { result: "survived", why: `"${name}" passed` };
}

/** Runs the tests of these files in the copy as it is; returns the output of a failure, or `null`. */
export async function testsPass(sandbox: MutantSandbox, files: readonly string[]): Promise<string | null> {
  const ran = await sandbox.deno(["test", "--allow-all", "--no-check", ...files], SIMULATION_MS);
  return ran.ok && countDeno(ran.output)?.failed === 0 ? null : ran.output.slice(-2000);
}
