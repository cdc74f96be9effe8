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

/** How many mutants violated each invariant of the simulator. */
export function violated(hunted: readonly Hunted[]): string {
  const counts = new Map<string, number>();
  for (const { verdict } of hunted) {
    if (verdict.result === "killed" && verdict.seed !== null) counts.set(verdict.by, (counts.get(verdict.by) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => a < b ? -1 : 1).map(([name, count]) => `${name} (${count})`).join(", ");
}
