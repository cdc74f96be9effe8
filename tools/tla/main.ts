/**
 * `deno task tla`: checks the specification in docs/tla with the model checker TLC, and
 * traces of simulated clusters against it. See docs/tla/README.md.
 */

import { Command } from "commander";
import { integer } from "../../server/options.ts";
import { Tlc } from "./tlc.ts";
import { checkTraces, readTrace, tracesFrom } from "./traces.ts";
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
