/**
 * `deno task simulate --parts`: seeds of the parts that whole clusters leave out.
 */

import { simulateLanes } from "../../tests/seeds/parts/lanes.ts";
import { simulateLock } from "../../tests/seeds/parts/lock.ts";
import { simulateServers } from "../../tests/seeds/parts/servers.ts";
import { simulateTabs } from "../../tests/seeds/parts/tabs.ts";
import type { PartsResult } from "../../tests/seeds/parts/world.ts";

/** The simulations of parts, by name. */
const PARTS: Readonly<Record<string, (seed: number) => Promise<PartsResult>>> = {
  lanes: simulateLanes,
  servers: simulateServers,
  lock: simulateLock,
  tabs: simulateTabs,
};

/** Runs each seed of each part; prints failures and the counts. Returns the exit code. */
export async function runParts([first, last]: readonly [number, number], keepGoing: boolean): Promise<number> {
  let failed = 0;
  for (const [name, simulate] of Object.entries(PARTS)) {
    const sums: Record<string, number> = {};
    for (let seed = first; seed <= last; seed++) {
      const { violation, counts, traceHash } = await simulate(seed);
      for (const [what, count] of Object.entries(counts)) sums[what] = (sums[what] ?? 0) + count;
      if (first === last) console.log(`${name}: seed ${seed}, trace ${traceHash}`);
      if (violation === null) continue;
      failed++;
      console.log(`${name}: seed ${seed} FAILED: ${violation}`);
      if (!keepGoing) break;
    }
    const row = Object.entries(sums).sort().map(([what, count]) => `${what} ${count.toLocaleString("en")}`);
    console.log(`${name}: ${row.join(", ")}`);
  }
  return failed === 0 ? 0 : 1;
}
