/**
 * `deno task tla`: checks the specification in docs/tla with the model checker TLC, and
 * traces of simulated clusters against it. See docs/tla/README.md.
 */

import { Command } from "commander";
import { integer } from "../../server/options.ts";
import { BROKEN, explore, MODELS } from "./models.ts";
import { checkPlanted } from "./planted.ts";
import { Tlc } from "./tlc.ts";
import { checkTraces, readTrace, record, tracesFrom } from "./traces.ts";
import type { NamedTrace, TraceVerdict } from "./traces.ts";

/** The numbers of a run over traces. */
interface Tally {
  accepted: number;
  refused: number;
  events: number;
}

/** Prints the refused traces of a batch, and counts. */
function note(tally: Tally, verdicts: readonly TraceVerdict[]): void {
  for (const { trace, events, refused } of verdicts) {
    tally.events += events;
    if (refused === null) tally.accepted++;
    else {
      tally.refused++;
      console.log(`${trace.name}: refused at event ${refused.event}: ${JSON.stringify(refused)}`);
    }
  }
}

async function* filesAs(files: readonly string[]): AsyncGenerator<NamedTrace[]> {
  for (const file of files) yield [await readTrace(file)];
}

/** Checks traces from files, or else of seeds. */
async function checkMany(
  tlc: Tlc,
  files: readonly string[],
  { count, first }: { readonly count: number; readonly first: number },
): Promise<boolean> {
  const began = performance.now();
  const tally: Tally = { accepted: 0, refused: 0, events: 0 };
  const batches = files.length > 0 ? filesAs(files) : tracesFrom(first, count, tlc.workers);
  for await (const batch of batches) {
    note(tally, await checkTraces(tlc, batch));
    const minutes = ((performance.now() - began) / 60_000).toFixed(1);
    const { accepted, refused, events } = tally;
    console.log(`${accepted} traces accepted, ${refused} refused, ${events} events, after ${minutes} minutes`);
  }
  return tally.refused === 0;
}

/** Explores the models that hold. */
async function checkModels(tlc: Tlc, long: boolean): Promise<boolean> {
  let all = true;
  for (const model of MODELS) {
    if (model.long && !long) continue;
    const { ok, violated, states, seconds, output } = await explore(tlc, model);
    all &&= ok;
    const verdict = ok ? "holds" : violated === null ? `failed:\n${output.slice(-2000)}` : `violates ${violated}`;
    console.log(`${model.name}: ${verdict}, ${states} states, ${seconds.toFixed(0)} s`);
  }
  return all;
}

/** Explores the broken variants: each has to violate a property. */
async function checkBroken(tlc: Tlc, long: boolean): Promise<boolean> {
  let all = true;
  for (const broken of BROKEN) {
    if (broken.long && !long) continue;
    const { violated, states, seconds, output } = await explore(tlc, broken, [broken.bug]);
    const ok = violated !== null && broken.violates.includes(violated);
    all &&= ok;
    const other = violated === null ? `violates nothing:\n${output.slice(-2000)}` : `violates ${violated}`;
    console.log(`${broken.name}: ${other}, ${states} states, ${seconds.toFixed(0)} s${ok ? "" : " — unexpected"}`);
  }
  return all;
}

/** The fewest planted bugs that have to be seen, each in a trace of its own. */
const LEAST_PLANTED = 10;

/** Checks that traces of mutants are refused where the rule is broken. */
async function checkMutants(tlc: Tlc, names: readonly string[]): Promise<boolean> {
  let seen = 0;
  let wrongs = 0;
  for await (const { planted, traces, refusedRightly, wrong } of checkPlanted(tlc, names)) {
    if (refusedRightly > 0) seen++;
    console.log(`${planted.mutant}: ${refusedRightly} of ${traces} traces refused at ${planted.event}`);
    if (wrong === null) continue;
    wrongs++;
    console.log(`  but ${wrong.trace} at another event: ${JSON.stringify(wrong.event)}`);
  }
  console.log(`${seen} planted bugs are seen in the event in which they show`);
  return wrongs === 0 && seen >= (names.length === 0 ? LEAST_PLANTED : names.length);
}

async function main(args: readonly string[]): Promise<number> {
  const command = new Command("tla").description("Checks the specification in docs/tla, and traces against it.");
  let ok = true;
  const find = (): Promise<Tlc> => Tlc.find(command.opts<{ readonly jobs: number }>().jobs);
  command.option("--jobs <n>", "threads", integer(1, 64), navigator.hardwareConcurrency);
  command.command("traces")
    .description(
      "checks traces of seeds with membership changes and snapshots, or files of `deno task simulate --trace`",
    )
    .argument("[files...]", "traces")
    .option("--count <n>", "traces", integer(1, 1_000_000), 100)
    .option("--first <seed>", "the first seed", integer(0, 2 ** 32 - 1), 1)
    .action(async (files: string[], options: { readonly count: number; readonly first: number }) => {
      ok = await checkMany(await find(), files, options);
    });
  command.command("record")
    .description("writes traces of seeds into a folder, for the traces of planted bugs")
    .argument("<folder>")
    .option("--count <n>", "seeds", integer(1, 1_000_000), 100)
    .option("--first <seed>", "the first seed", integer(0, 2 ** 32 - 1), 1)
    .action((folder: string, { first, count }: { readonly count: number; readonly first: number }) =>
      record(folder, first, count, command.opts<{ readonly jobs: number }>().jobs)
    );
  command.command("planted")
    .description("checks that traces of nodes with a planted bug are refused where the bug shows")
    .argument("[mutants...]", "names of mutants in tests/mutants (default: all that tools/tla/planted.ts lists)")
    .action(async (names: string[]) => void (ok = await checkMutants(await find(), names)));
  command.command("check")
    .description("explores small models of the specification")
    .option("--broken", "explores models with a rule left out instead: each has to violate a property")
    .option("--long", "explores those as well that may take hours")
    .action(async ({ broken, long = false }: { readonly broken?: boolean; readonly long?: boolean }) => {
      ok = await (broken ? checkBroken : checkModels)(await find(), long);
    });
  await command.parseAsync([...args], { from: "user" });
  return ok ? 0 : 1;
}

if (import.meta.main) {
  Deno.exit(
    await main(Deno.args).catch((error) => {
      console.error(error instanceof Error ? error.message : error);
      return 1;
    }),
  );
}
