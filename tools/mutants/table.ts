/** The table of all mutants for docs/verification.md. */

import type { Mutant } from "../../tests/mutants/mutant.ts";
import type { Verdict } from "./run_mutant.ts";

/** A mutant with its verdict, and the time that took. */
export interface MutantResult {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
  readonly seconds: number;
}

export function table(results: readonly MutantResult[]): string {
  const rows = results.map(({ mutant, verdict }) =>
    `| ${mutant.rule} | \`${mutant.name}\` | ${killer(mutant, verdict)} |`
  );
  return ["| rule that is removed | mutant | killed by |", "| --- | --- | --- |", ...rows].join("\n");
}

function killer(mutant: Mutant, verdict: Verdict): string {
  if (verdict.result !== "killed") return `**${verdict.result}**`;
  if (verdict.seed === null) return `test "${verdict.by}", ${mutant.test.file}`;
  return `simulation: ${verdict.by}, after ${verdict.seeds === 1 ? "1 seed" : `${verdict.seeds} seeds`}`;
}

/** Counts the mutants that violated each of these invariants of the simulator. */
export function violations(
  results: readonly MutantResult[],
  invariants: readonly string[],
): ReadonlyMap<string, number> {
  const counts = new Map(invariants.map((invariant) => [invariant, 0]));
  for (const { verdict } of results) {
    if (verdict.result !== "killed" || verdict.seed === null) continue;
    counts.set(verdict.by, (counts.get(verdict.by) ?? 0) + 1);
  }
  return counts;
}
