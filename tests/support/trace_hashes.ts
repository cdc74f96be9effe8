/** Runs some seeds and prints the hash of each, in any runtime: the same everywhere. */

import { simulate } from "../../simulation/mod.ts";

/** Seeds with small and large clusters, with and without faults. */
export const SEEDS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8];

/** Returns a line `seed hash` for each seed. */
export async function traceHashes(): Promise<string> {
  const lines: string[] = [];
  for (const seed of SEEDS) {
    const { traceHash, verdict, steps } = await simulate({ seed, durationMs: 8000 });
    lines.push(`${seed} ${verdict} ${steps} ${traceHash}`);
  }
  return lines.join("\n");
}
