/**
 * `deno task simulate`: runs seeds, shows the counts of events, and prints how to
 * replay a failure. See docs/verification.md.
 */

import { Command, InvalidArgumentError } from "commander";
import { integer } from "../../server/options.ts";
import { FAULTS, shrink, simulate } from "../../simulation/mod.ts";
import type { FaultKind, SimulationOptions } from "../../simulation/mod.ts";
import { readJson, run } from "../run.ts";
import { runSeeds } from "./pool.ts";
import { simulateTraced, traceFile } from "./trace_file.ts";
import { describeCounts, describeResult, describeStory, describeSummary, describeTest, progressBar } from "./report.ts";

interface Options {
  readonly seed?: number;
  readonly seeds?: readonly [number, number];
  readonly nodes?: number;
  readonly faults?: readonly FaultKind[];
  readonly seconds?: number;
  readonly liars?: boolean;
  readonly parts?: boolean;
  readonly jobs: number;
  readonly keepGoing?: boolean;
  readonly story?: boolean;
  readonly trace?: string;
  readonly shrink?: boolean;
  readonly json?: boolean;
}

const DEFAULT_SEEDS = [1, 100] as const;

/** Parses a seed, which has 32 bits. */
const seed = integer(0, 2 ** 32 - 1);

function range(text: string): readonly [number, number] {
  const found = /^(\d+)(?:\.\.(\d+))?$/.exec(text);
  const ends = found === null ? null : [seed(found[1]!), seed(found[2] ?? found[1]!)] as const;
  if (ends !== null && ends[0] <= ends[1]) return ends;
  throw new InvalidArgumentError("It must be a range like 1..500.");
}

function faults(text: string): readonly FaultKind[] {
  return text.split(",").filter((name) => name !== "" && name !== "none").map((name) => {
    const found = FAULTS.find((kind) => kind === name);
    if (found === undefined) throw new InvalidArgumentError(`"${name}" is not one of ${FAULTS.join(", ")}.`);
    return found;
  });
}

/** Returns the version of the source: a seed alone means nothing after a change. */
async function version(): Promise<string> {
  const { version } = readJson("deno.json") as { version: string };
  // Without git, the commit is unknown.
  const commit = await run(["git", "describe", "--always", "--dirty", "--exclude=*"], { quiet: true }).catch(() =>
    null
  );
  return commit?.ok ? `${version}, commit ${commit.output.trim()}` : version;
}

function simulationOf({ nodes, faults, seconds, liars }: Options): Omit<SimulationOptions, "seed"> {
  return {
    ...nodes === undefined ? {} : { nodes },
    ...faults === undefined ? {} : { faults },
    ...seconds === undefined ? {} : { durationMs: seconds * 1000 },
    ...liars === undefined ? {} : { liars },
  };
}

function replayCommand(seed: number, { nodes, faults, seconds, liars }: Options): string {
  return [
    `deno task simulate --seed ${seed}`,
    ...nodes === undefined ? [] : [`--nodes ${nodes}`],
    ...faults === undefined ? [] : [`--faults ${faults.length === 0 ? "none" : faults.join()}`],
    ...seconds === undefined ? [] : [`--seconds ${seconds}`],
    ...liars === undefined ? [] : [liars ? "--liars" : "--no-liars"],
  ].join(" ");
}

async function runOne(seed: number, options: Options): Promise<number> {
  const simulation = { ...simulationOf(options), seed };
  const recorded = { ...simulation, record: options.story ?? false };
  const { trace } = options;
  const result = await (trace === undefined ? simulate(recorded) : simulateTraced(recorded, traceFile(trace, seed)));
  if (options.json) console.log(JSON.stringify(result));
  else {
    if (options.story) console.log(`${describeStory(result.story)}\n`);
    console.log(`${describeCounts(result.counts)}\n\n${describeResult(result)}`);
  }
  if (result.verdict === "passed") return 0;
  console.log(`raft-core ${await version()}`);
  if (!options.shrink) {
    console.log(`A smaller run, as a story and as a test: ${replayCommand(seed, options)} --shrink`);
    return 1;
  }
  const bar = Deno.stderr.isTerminal();
  const shrunk = await shrink(simulation, result, {
    onProgress: (left, runs) => bar && note(`${left} faults and requests left after ${runs} runs`),
  });
  if (bar) note("");
  const { decisions } = shrunk.options;
  console.log(
    `\n${decisions.length} faults and requests are left of ${result.decisions.length}, after ${shrunk.runs} runs:\n`,
  );
  console.log(`${describeStory(shrunk.result.story)}\n\nFor tests/seeds/seeds.ts:\n\n${describeTest(shrunk)}`);
  return 1;
}

async function runMany([first, last]: readonly [number, number], options: Options): Promise<number> {
  const began = performance.now();
  const bar = Deno.stderr.isTerminal() && !options.json;
  let done = 0;
  let printedAt = 0;
  const summary = await runSeeds({
    first,
    last,
    jobs: options.jobs,
    keepGoing: options.keepGoing ?? false,
    simulation: simulationOf(options),
    ...options.trace === undefined ? {} : { trace: options.trace },
    onResult(result) {
      done++;
      if (result.verdict === "failed" && !options.json) {
        console.log(`${bar ? "\r\x1b[K" : ""}${describeResult(result)}`);
      }
      const now = performance.now();
      const rate = `${Math.round(done / (now - began) * 60_000)} a minute`;
      if (bar) note(`${progressBar(done, last - first + 1)}  ${rate}`);
      else if (!options.json && now - printedAt > 30_000 && done > 1) {
        printedAt = now;
        console.log(`${done} of ${last - first + 1} seeds, ${rate}`);
      }
    },
  });
  if (bar) note("");
  if (options.json) console.log(JSON.stringify(summary));
  else {
    console.log(describeCounts(summary.counts));
    if (summary.failed.length > 0) {
      console.log(`\nraft-core ${await version()}; to see a failure again:`);
      for (const { seed } of summary.failed) console.log(`  ${replayCommand(seed, options)}`);
    }
    console.log(`\n${describeSummary(summary)}`);
  }
  return summary.failed.length === 0 ? 0 : 1;
}

function note(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}

async function main(args: readonly string[]): Promise<number> {
  const command = new Command("simulate")
    .description("Runs clusters in virtual time, from seeds, and checks them after each event.")
    .option("--seed <n>", "one seed; prints the hash of its trace", seed)
    .option("--seeds <a..b>", `many seeds (default ${DEFAULT_SEEDS.join("..")})`, range)
    .option("--nodes <n>", "voters to begin with; otherwise each seed draws 1 to 7", integer(1, 9))
    .option("--faults <kinds>", "what may go wrong, with commas between; or none", faults)
    .option("--seconds <n>", "virtual seconds of faults in each seed (default 20)", integer(1, 3600))
    .option("--liars", "one member lies in each seed; otherwise in one of eight")
    .option("--no-liars", "no member lies")
    .option("--parts", "the transport and whole servers over simulated streams, in place of clusters")
    .option("--jobs <n>", "threads", integer(1, 64), navigator.hardwareConcurrency)
    .option("--keep-going", "continue after a seed that failed")
    .option("--story", "with --seed: print the story")
    .option("--trace <file>", "write the events of the protocol as NDJSON; {seed} in the name is the seed")
    .option("--shrink", "with --seed: make a failure small, and print it as a story and as a test")
    .option("--json", "print the results as JSON");
  command.parse([...args], { from: "user" });
  const options = command.opts<Options>();
  if (options.trace !== undefined && options.seed === undefined && !options.trace.includes("{seed}")) {
    command.error("error: with many seeds, the file of --trace must have {seed} in its name");
  }
  if (options.parts) {
    // Loaded only here: it brings the server with it.
    const { runParts } = await import("./parts.ts");
    const seeds = options.seed === undefined ? options.seeds ?? DEFAULT_SEEDS : [options.seed, options.seed] as const;
    return await runParts(seeds, options.keepGoing ?? false);
  }
  if (options.seed !== undefined) return await runOne(options.seed, options);
  return await runMany(options.seeds ?? DEFAULT_SEEDS, options);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
