/**
 * `deno task floods`: measures the memory of a server under each flood, and the time that a client beside it waits.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { runtimes as findRuntimes } from "../../tools/runtimes.ts";
import { numberIn } from "../support/number_options.ts";
import { commandOf } from "../support/server_processes.ts";
import { FLOODS } from "./floods.ts";
import { measure, type Measured } from "./measure.ts";

const RUNTIMES = ["deno", "node", "bun"] as const;
type RuntimeName = typeof RUNTIMES[number];

const USAGE =
  `deno task floods [--only TEXT] [--runtimes deno,node,bun] [--seconds 5] [--max-mib 512] [--max-wait-ms 1000]

Floods a server in each runtime, with its default settings, in each way that it has a limit for. Beside each flood a
client writes a small value every 100 ms, each on a new connection; one that is refused tries again. Prints the most
resident memory of the server, the client's wait, and the requests and connections that the server refused.

  --only TEXT       only the floods whose name contains the text
  --runtimes LIST   of deno, node and bun (default: all)
  --seconds N       how long each flood lasts (default: 5)
  --max-mib N       the limit of resident memory (default: 512)
  --max-wait-ms N   the limit of the client's wait (default: 1000)

Linux only, because of the memory; on a machine that does nothing else, because of the time. A whole run takes ten
minutes at most.
Exit codes: 0 all limits held, 1 some did not, 2 usage.`;

interface Options {
  readonly only: string;
  readonly runtimes: readonly RuntimeName[];
  readonly seconds: number;
  readonly maxMib: number;
  readonly maxWaitMs: number;
}

function parse(args: readonly string[]): Options | 0 | 2 {
  const option = (value: string) => ({ type: "string", default: value }) as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        only: option(""),
        runtimes: option(RUNTIMES.join()),
        seconds: option("5"),
        "max-mib": option("512"),
        "max-wait-ms": option("1000"),
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const runtimes = values.runtimes.split(",").map((name) => {
      const runtime = RUNTIMES.find((runtime) => runtime === name.trim());
      if (runtime === undefined) throw new Error(`--runtimes: ${JSON.stringify(name)} is not a runtime.`);
      return runtime;
    });
    if (!FLOODS.some(({ name }) => name.includes(values.only))) throw new Error("--only: no flood has such a name.");
    return {
      only: values.only,
      runtimes,
      seconds: numberIn("--seconds", values.seconds, 1, 600),
      maxMib: numberIn("--max-mib", values["max-mib"], 1, 1_000_000),
      maxWaitMs: numberIn("--max-wait-ms", values["max-wait-ms"], 1, 1_000_000),
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 2;
  }
}

/** Returns what is over a limit, in words; an empty text if nothing is. */
function excess({ peakMib, beside, fault }: Measured, { maxMib, maxWaitMs }: Options): string {
  const found = [fault];
  if (peakMib > maxMib) found.push(`more than ${maxMib} MiB`);
  if (beside.worstMs > maxWaitMs) found.push(`the client waits longer than ${maxWaitMs} ms`);
  return found.filter((each) => each !== "").join(", ");
}

const COLUMNS = [
  "flood",
  "runtime",
  "peak MiB",
  "median ms",
  "p99 ms",
  "worst ms",
  "CPU ms",
  "opened",
  "refused",
  "",
] as const;
const NAME_WIDTH = Math.max(...FLOODS.map(({ name }) => name.length));

function row(cells: readonly (string | number)[]): string {
  const widths = [NAME_WIDTH, 7, 8, 9, 7, 8, 7, 7, 7, 0];
  return cells.map((cell, at) =>
    at < 2 || at === 9 ? String(cell).padEnd(widths[at]!) : String(cell).padStart(widths[at]!)
  )
    .join("  ").trimEnd();
}

async function main(args: readonly string[]): Promise<number> {
  const options = parse(args);
  if (typeof options === "number") return options;
  const programs = await findRuntimes();
  let over = 0;
  console.log(row(COLUMNS));
  for (const flood of FLOODS.filter(({ name }) => name.includes(options.only))) {
    for (const runtime of options.runtimes) {
      const measured = await measure(flood, commandOf(runtime, programs[runtime]), options.seconds);
      const { peakMib, beside, opened, refused } = measured;
      const problem = excess(measured, options);
      if (problem !== "") over++;
      const { medianMs, p99Ms, worstMs, worstCpuMs } = beside;
      console.log(row([flood.name, runtime, peakMib, medianMs, p99Ms, worstMs, worstCpuMs, opened, refused, problem]));
    }
  }
  console.log(over === 0 ? "\nAll limits held." : `\n${over} measurements are over a limit.`);
  return over === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
