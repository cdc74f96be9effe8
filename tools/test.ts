/**
 * `deno task test`: runs all tests, each kind in a run of its own, and prints the
 * sum. `deno task test unit cluster` runs only these kinds. Runs go side by side and
 * show their output once they end: most of them wait for processes most of the time.
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
interface Plan extends Load {
  readonly name: string;
  command(): Promise<readonly string[]>;
  count(output: string): { readonly passed: number; readonly failed: number } | null;
}

/** How a run uses the machine. */
interface Load {
  /** Its place: those with a lower number begin first. */
  readonly rank: number;
  /** The lanes that it takes, of {@linkcode LANES}. */
  readonly lanes: number;
  /** Set if its files share no port, folder or clock, and run side by side. @default false */
  readonly parallel?: boolean;
  /** Set if it only computes, whatever the time: it gets what the others leave of the processors. @default false */
  readonly patient?: boolean;
}

/** The time limit of a run, for tests that do not return. */
const RUN_TIMEOUT_MS = 20 * 60_000;

/** That of a run that gets only what the others leave. */
const PATIENT_TIMEOUT_MS = 60 * 60_000;

/** The number of lanes: a run in a lane waits for processes most of the time. */
const LANES = 4;

/** The loads of the kinds. The longest begin first, so that none is alone at the end. */
const LOADS: Readonly<Record<string, Load>> = {
  seeds: { rank: 0, lanes: 0, patient: true },
  unit: { rank: 1, lanes: LANES, parallel: true },
  browser: { rank: 2, lanes: 1 },
  runtime: { rank: 3, lanes: 1 },
  portable: { rank: 4, lanes: 1 },
  adversarial: { rank: 5, lanes: 1 },
};
const OTHER_LOAD: Load = { rank: 6, lanes: 1 };

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
  return kinds.filter((kind) => hasTests(`${ROOT}tests/${kind}`)).map((kind) => {
    const load = LOADS[kind] ?? OTHER_LOAD;
    return {
      name: kind,
      ...load,
      count: countDeno,
      async command() {
        const flags = ["--allow-all", "--no-check", ...(load.parallel === true ? ["--parallel"] : [])];
        if (kind === "runtime") await runtimes();
        if (kind === "browser") await chromium();
        return [
          ...(load.patient === true && Deno.build.os !== "windows" ? ["nice", "-n", "10"] : []),
          Deno.execPath(),
          "test",
          ...flags,
          `tests/${kind}`,
        ];
      },
    };
  });
}

/** Returns the runs of the portable suites, one for each runtime. */
function portablePlans(): Plan[] {
  const flags = { deno: ["run", "--allow-all", "--no-check"], node: [], bun: ["run"] };
  return (["deno", "node", "bun"] as const).map((name) => ({
    name: `portable suites in ${name}`,
    ...(LOADS["portable"] ?? OTHER_LOAD),
    count: countPortable,
    command: async () => [(await runtimes())[name], ...flags[name], "tests/runtime/main.ts"],
  }));
}

/** Executes one run, with `env` added to its variables. A run that fails without a count counts as one failure. */
async function carryOut(plan: Plan, quiet: boolean, env: Record<string, string>): Promise<Outcome> {
  const title = `\n── ${plan.name}`;
  if (!quiet) console.log(title);
  try {
    const timeoutMs = plan.patient === true ? PATIENT_TIMEOUT_MS : RUN_TIMEOUT_MS;
    const ran = await run(await plan.command(), { quiet, timeoutMs, env });
    if (quiet) console.log(`${title}\n${ran.output.trimEnd()}`);
    if (ran.timedOut) console.error(`${plan.name}: not done after ${timeoutMs / 60_000} minutes, killed`);
    const { passed, failed } = plan.count(ran.output) ?? { passed: 0, failed: 1 };
    return { name: plan.name, passed, failed: ran.ok ? failed : Math.max(1, failed), seconds: ran.seconds };
  } catch (error) {
    console.error(`${quiet ? `${title}\n` : ""}${error instanceof Error ? error.message : error}`);
    return { name: plan.name, passed: 0, failed: 1, seconds: 0 };
  }
}

/** Executes all runs, as many at a time as there are lanes; returns their outcomes in the order of the plans. */
async function carryOutAll(plans: readonly Plan[], env: Record<string, string>): Promise<Outcome[]> {
  const quiet = plans.length > 1;
  // Once, before the tests: none may find an incomplete folder of packages.
  if (quiet) await Promise.allSettled(plans.map((plan) => plan.command()));
  const outcomes = new Map<Plan, Outcome>();
  const waiting = [...plans].sort((a, b) => a.rank - b.rank);
  const running = new Set<Promise<void>>();
  let free = LANES;
  const begin = (plan: Plan): void => {
    free -= plan.lanes;
    if (quiet) console.log(`${plan.name} …`);
    const ended = carryOut(plan, quiet, env).then((outcome) => {
      outcomes.set(plan, outcome);
      free += plan.lanes;
      running.delete(ended);
    });
    running.add(ended);
  };
  while (waiting.length > 0 || running.size > 0) {
    // In their order: one that needs many lanes is not overtaken.
    while (waiting[0] !== undefined && waiting[0].lanes <= free) begin(waiting.shift() as Plan);
    await Promise.race(running);
  }
  return plans.flatMap((plan) => outcomes.get(plan) ?? []);
}

async function main(asked: readonly string[]): Promise<number> {
  const plans = [...folderPlans(), ...portablePlans()]
    .filter((plan) => asked.length === 0 || asked.some((name) => plan.name.split(" ").includes(name)));
  if (plans.length === 0) {
    console.error(`no tests of the kind ${asked.join(", ")}`);
    return 2;
  }
  // Node starts in half the time with what it has compiled before.
  const compiled = await Deno.makeTempDir({ prefix: "raft-core-compiled-" });
  const outcomes = await carryOutAll(plans, { NODE_COMPILE_CACHE: compiled });
  await Deno.remove(compiled, { recursive: true }).catch(() => {});
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
