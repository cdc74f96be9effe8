/** The table of all mutants for docs/verification.md. */

import type { Mutant } from "../../tests/mutants/mutant.ts";
import type { Verdict } from "./killers.ts";

/** A mutant, what became of it, and in which time. */
export interface Hunted {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
  readonly seconds: number;
}

/** Rows in Markdown. */
export function table(hunted: readonly Hunted[]): string {
  const rows = hunted.map(({ mutant, verdict }) =>
    `| ${mutant.rule} | \`${mutant.name}\` | ${killer(mutant, verdict)} |`
  );
  return ["| rule that is removed | mutant | killed by |", "| --- | --- | --- |", ...rows].join("\n");
}

function killer(mutant: Mutant, verdict: Verdict): string {
  if (verdict.result !== "killed") return `**${verdict.result}**`;
  if (verdict.seed === null) return `test "${verdict.by}", ${mutant.test.file}`;
  return `simulation: ${verdict.by}, after ${verdict.seeds === 1 ? "1 seed" : `${verdict.seeds} seeds`}`;
}

/** How many mutants violated each of these invariants of the simulator. */
export function violations(hunted: readonly Hunted[], invariants: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map(invariants.map((invariant) => [invariant, 0]));
  for (const { verdict } of hunted) {
    if (verdict.result !== "killed" || verdict.seed === null) continue;
    counts.set(verdict.by, (counts.get(verdict.by) ?? 0) + 1);
  }
  return counts;
}
