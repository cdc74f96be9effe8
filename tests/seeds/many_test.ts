/**
 * The same as `deno task simulate --seeds 1..500`: no seed fails, and every fault and
 * event occurs, so that the simulator can't be idle.
 */

import assert from "node:assert/strict";
import { FAULTS } from "../../simulation/mod.ts";
import { runSeeds } from "../../tools/simulate/pool.ts";
import { describeSummary, OCCURRENCES } from "../../tools/simulate/report.ts";

Deno.test("500 seeds violate no rule, and have every fault", async () => {
  const summary = await runSeeds({
    first: 1,
    last: 500,
    jobs: navigator.hardwareConcurrency,
    keepGoing: true,
    simulation: {},
    onResult: () => {},
  });
  console.log(describeSummary(summary));
  const failed = summary.failed.map(({ seed, violation }) =>
    `seed ${seed}: ${violation?.invariant}: ${violation?.message}`
  );
  assert.deepEqual(failed, []);
  const missing = [...FAULTS, ...OCCURRENCES].filter((what) => (summary.counts[what] ?? 0) === 0);
  assert.deepEqual(missing, [], "did not occur");
  // Enough happens in a run; a member that lies costs the others some elections.
  assert.ok(summary.medianCommits >= 150, `${summary.medianCommits} commits`);
  assert.ok(summary.medianVirtualMs >= 20_000, `${summary.medianVirtualMs} virtual ms`);
});
