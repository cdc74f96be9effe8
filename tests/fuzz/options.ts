/**
 * The command line of `deno task fuzz`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { numberIn, wholeIn } from "../support/number_options.ts";

/** A runtime that servers run in. */
export type RuntimeName = "deno" | "node" | "bun";

const RUNTIMES: readonly RuntimeName[] = ["deno", "node", "bun"];

export const USAGE = `deno task fuzz [--minutes 1] [--seed N] [--only K[-L]] [--runtimes deno,node,bun] [--keep]

Three real servers of one cluster get inputs that no correct client, peer or browser sends, while clients read and write.
Then everything that the clients were told is checked, before and after all servers were started again.

  --minutes N        how long, fractions allowed (default: 1)
  --seed N           chooses the inputs (default: any)
  --only K or K-L    sends only these inputs of the seed, once, instead of --minutes
  --runtimes LIST    the runtime of each server, 3 to 5 of deno, node and bun (default: deno,node,bun)
  --max-mib N        the limit of a server's resident memory (default: 512)
  --stall-seconds N  the longest time without an answer, for clients and of a server (default: 30)
  --keep             keep logs, data and inputs even if all is well

Memory is measured on Linux only.
Exit codes: 0 all is well, 1 something is not (the evidence is kept, and its folder printed), 2 usage, 130 interrupted.`;

/** The options of a run. */
export interface Options {
  readonly minutes: number;
  readonly seed: number;
  /** The numbers of the inputs, or `null` for as many as there is time for. */
  readonly only: readonly [first: number, last: number] | null;
  readonly runtimes: readonly RuntimeName[];
  readonly maxMib: number;
  readonly stallMs: number;
  readonly keep: boolean;
}

/** Parses the command line; prints help and errors. @returns the exit code if there is nothing to run */
export function parse(args: readonly string[]): Options | 0 | 2 {
  const option = (value: string) => ({ type: "string", default: value }) as const;
  const anySeed = String(crypto.getRandomValues(new Uint32Array(1))[0]);
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        minutes: option("1"),
        seed: option(anySeed),
        only: { type: "string" },
        runtimes: option(RUNTIMES.join()),
        "max-mib": option("512"),
        "stall-seconds": option("30"),
        keep: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    return {
      minutes: numberIn("--minutes", values.minutes, 0.01, 10_000),
      seed: wholeIn("--seed", values.seed, 0, 2 ** 32 - 1),
      only: values.only === undefined ? null : windowOf(values.only),
      runtimes: runtimesOf(values.runtimes),
      maxMib: numberIn("--max-mib", values["max-mib"], 1, 1_000_000),
      stallMs: numberIn("--stall-seconds", values["stall-seconds"], 1, 3600) * 1000,
      keep: values.keep,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 2;
  }
}

function windowOf(text: string): readonly [number, number] {
  const [first = "", last = first, ...more] = text.split("-");
  const window = [wholeIn("--only", first, 0, 2 ** 32 - 1), wholeIn("--only", last, 0, 2 ** 32 - 1)] as const;
  if (more.length > 0 || window[1] < window[0]) throw new Error("--only: expected K or K-L.");
  return window;
}

function runtimesOf(text: string): readonly RuntimeName[] {
  const names = text.split(",").map((name) => {
    const runtime = RUNTIMES.find((runtime) => runtime === name.trim());
    if (runtime === undefined) throw new Error(`--runtimes: ${JSON.stringify(name)} is not a runtime.`);
    return runtime;
  });
  if (names.length < 3 || names.length > 5) throw new Error("--runtimes: expected 3 to 5.");
  return names;
}
