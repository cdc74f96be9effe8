/**
 * `deno task test`: runs all tests, each kind in a run of its own, and prints the
 * sum. `deno task test unit cluster` runs only these kinds. Runs that mostly wait
 * for processes run two at a time, and show their output once they end.
 *
 * - each folder of tests/ that has tests: `deno test`
 * - tests/runtime/main.ts: the portable suites, under Deno, Node and Bun
 */

import { chromium } from "./chromium.ts";
import { ROOT, run } from "./run.ts";
import { runtimes } from "./runtimes.ts";

interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
}

/** A run: its program, and the parser of its last lines. */
interface Plan {
  readonly name: string;
  /** Set if it mostly waits for processes, so that another may run at the same time. */
  readonly waits: boolean;
  command(): Promise<readonly string[]>;
  count(output: string): { readonly passed: number; readonly failed: number } | null;
}

/** The time limit of a run, for tests that do not return. */
const RUN_TIMEOUT_MS = 12 * 60_000;

/** Kinds whose files share no port, folder or clock run side by side. */
const PARALLEL = ["unit"];

/** Kinds that keep every core busy by themselves, or end at once. */
const ALONE = ["unit", "cluster", "browser", "seeds"];

/** The number of runs of the other kinds at a time. */
const AT_ONCE = 3;

function last(output: string, pattern: RegExp): RegExpExecArray | null {
  return [...output.matchAll(pattern)].at(-1) ?? null;
}

/** Parses `ok | 5 passed (2 steps) | 0 failed | 1 ignored (3s)`; an ignored test counts as failed, so that none is skipped silently. */
export function countDeno(output: string): { passed: number; failed: number } | null {
  const line = last(output, /^(?:ok|FAILED) \| (\d+) passed.*$/gm)?.[0];
  if (line === undefined) return null;
  const of = (what: string): number => Number(new RegExp(`(\\d+) ${what}`).exec(line)?.[1] ?? 0);
  return { passed: of("passed"), failed: of("failed") + of("ignored") };
}

/** Parses `5 passed, 0 failed`, alone on a line. */
export function countPortable(output: string): { passed: number; failed: number } | null {
  const found = last(output, /^(\d+) passed, (\d+) failed$/gm);
  return found === null ? null : { passed: Number(found[1]), failed: Number(found[2]) };
}

function hasTests(folder: string): boolean {
  for (const entry of Deno.readDirSync(folder)) {
    if (entry.isDirectory ? hasTests(`${folder}/${entry.name}`) : entry.name.endsWith("_test.ts")) return true;
  }
  return false;
}

function folderPlans(): Plan[] {
  const kinds = [...Deno.readDirSync(`${ROOT}tests`)].filter((entry) => entry.isDirectory).map((entry) => entry.name);
  return kinds.sort().filter((kind) => hasTests(`${ROOT}tests/${kind}`)).map((kind) => ({
    name: kind,
    waits: !ALONE.includes(kind),
    count: countDeno,
    async command() {
      const flags = ["--allow-all", "--no-check", ...(PARALLEL.includes(kind) ? ["--parallel"] : [])];
      if (kind === "runtime") await runtimes();
      if (kind === "browser") await chromium();
      return [Deno.execPath(), "test", ...flags, `tests/${kind}`];
    },
  }));
}

/** Returns the runs of the portable suites, one for each runtime. */
function portablePlans(): Plan[] {
  const flags = { deno: ["run", "--allow-all", "--no-check"], node: [], bun: ["run"] };
  return (["deno", "node", "bun"] as const).map((name) => ({
    name: `portable suites in ${name}`,
    waits: true,
    count: countPortable,
    command: async () => [(await runtimes())[name], ...flags[name], "tests/runtime/main.ts"],
  }));
}

/** Executes one run. A run that fails without a count counts as one failure. */
async function carryOut(plan: Plan, quiet: boolean): Promise<Outcome> {
  const title = `\n── ${plan.name}`;
  if (!quiet) console.log(title);
  try {
    const ran = await run(await plan.command(), { quiet, timeoutMs: RUN_TIMEOUT_MS });
    if (quiet) console.log(`${title}\n${ran.output.trimEnd()}`);
    if (ran.timedOut) console.error(`${plan.name}: not done after ${RUN_TIMEOUT_MS / 60_000} minutes, killed`);
    const { passed, failed } = plan.count(ran.output) ?? { passed: 0, failed: 1 };
    return { name: plan.name, passed, failed: ran.ok ? failed : Math.max(1, failed), seconds: ran.seconds };
  } catch (error) {
    console.error(`${quiet ? `${title}\n` : ""}${error instanceof Error ? error.message : error}`);
    return { name: plan.name, passed: 0, failed: 1, seconds: 0 };
  }
}

/** Executes all runs, some of them in parallel; returns their outcomes in the order of the plans. */
async function carryOutAll(plans: readonly Plan[]): Promise<Outcome[]> {
  const outcomes = new Map<Plan, Outcome>();
  for (const plan of plans.filter(({ waits }) => !waits)) outcomes.set(plan, await carryOut(plan, false));
  const waiting = plans.filter(({ waits }) => waits);
  const quiet = waiting.length > 1;
  // Once, before the tests: none may find an incomplete folder of packages.
  if (quiet) await Promise.allSettled(waiting.map((plan) => plan.command()));
  const lane = async (): Promise<void> => {
    for (let plan = waiting.shift(); plan !== undefined; plan = waiting.shift()) {
      if (quiet) console.log(`${plan.name} …`);
      outcomes.set(plan, await carryOut(plan, quiet));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return plans.flatMap((plan) => outcomes.get(plan) ?? []);
}

async function main(asked: readonly string[]): Promise<number> {
  const plans = [...folderPlans(), ...portablePlans()]
    .filter((plan) => asked.length === 0 || asked.some((name) => plan.name.split(" ").includes(name)));
  if (plans.length === 0) {
    console.error(`no tests of the kind ${asked.join(", ")}`);
    return 2;
  }
  const outcomes = await carryOutAll(plans);
  console.log();
  for (const { name, passed, failed, seconds } of outcomes) {
    console.log(
      `${failed > 0 ? "FAILED" : "ok    "} ${name.padEnd(26)} ${passed}/${passed + failed} in ${seconds.toFixed(1)} s`,
    );
  }
  const sum = (of: "passed" | "failed"): number => outcomes.reduce((total, outcome) => total + outcome[of], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed`);
  return sum("failed") > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
