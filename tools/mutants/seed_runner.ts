/**
 * Simulates one seed after the other until one fails, in a copy of the source:
 * `seed_runner.ts 1..2000` or `seed_runner.ts 3,17`. Prints a line of JSON for each
 * seed. With the name of a mutant after the seeds, the runs of tests/seeds/ that it
 * once failed come first.
 */

import { InvalidArgumentError } from "commander";
import { simulate } from "../../simulation/mod.ts";
import type { SimulationOptions, SimulationResult } from "../../simulation/mod.ts";
import { FOUND } from "../../tests/seeds/seeds.ts";

/** The part of a simulation's result that is printed. */
export type SeedResult = Pick<SimulationResult, "seed" | "violation">;

/** Parses seeds like `3,17` or `1..2000`. @throws {InvalidArgumentError} for anything else */
export function parseSeeds(text: string): number[] {
  const range = /^(\d+)\.\.(\d+)$/.exec(text);
  const seeds = range === null
    ? text.split(",").map(Number)
    : Array.from({ length: Number(range[2]) - Number(range[1]) + 1 }, (_, i) => Number(range[1]) + i);
  if (text === "" || seeds.length === 0 || !seeds.every((seed) => Number.isSafeInteger(seed) && seed > 0)) {
    throw new InvalidArgumentError("Expected seeds like 1..2000 or 3,17.");
  }
  return seeds;
}

async function main(seeds: readonly number[], mutant: string): Promise<number> {
  const found: SimulationOptions[] = FOUND.filter((each) => each.mutant === mutant);
  for (const options of [...found, ...seeds.map((seed) => ({ seed }))]) {
    const { seed, violation } = await simulate(options);
    console.log(JSON.stringify({ seed, violation } satisfies SeedResult));
    if (violation !== null) return 1;
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main(parseSeeds(Deno.args[0] ?? "1..2000"), Deno.args[1] ?? ""));
