/**
 * The report of a run.
 *
 * @module
 */

import type { ChaosCluster } from "./chaos_cluster.ts";
import type { Clients } from "./clients.ts";
import type { Nemesis } from "./nemesis.ts";
import type { Verdict } from "./verdict.ts";

/** The results of a run. */
export interface Results {
  readonly cluster: ChaosCluster;
  readonly clients: Clients;
  readonly nemesis: Nemesis;
  /** The verdict; `null` if the cluster could not be read in the end. */
  readonly verdict: Verdict | null;
  /** All other problems. */
  readonly problems: readonly string[];
}

/** The number of examples shown for each kind of problem; the evidence has all of them. */
const SHOWN = 10;

/** Reports whether there is no problem. */
export function isGood({ verdict, problems }: Results): boolean {
  return verdict !== null && problems.length === 0 && verdict.lost.length === 0 && verdict.wrong.length === 0 &&
    verdict.linearizability.verdict === "linearizable";
}

/** Describes the progress in one line. */
export function progress(elapsedMs: number, clients: Clients, nemesis: Nemesis): string {
  const faults = [...nemesis.counts.values()].reduce((sum, count) => sum + count, 0);
  const seconds = `${Math.round(elapsedMs / 1000)} s`.padStart(6);
  return `${seconds}  ${number(clients.acknowledged)} operations, ${number(faults)} faults; ${nemesis.last}`;
}

/** Describes the results. */
export function report(results: Results): string {
  const { clients, nemesis, cluster, verdict, problems } = results;
  const lines = [
    "",
    ...operations(clients),
    "",
    ...faults(nemesis),
    ...(cluster.impossible.has("disks") ? [] : [line("nodes that stopped for a full disk", number(cluster.diskStops))]),
    "",
    line("longest time without an answer", `${(clients.longestGapMs / 1000).toFixed(1)} s`),
  ];
  if (verdict !== null) lines.push(...judgement(clients, verdict));
  if (problems.length > 0) lines.push("", ...problems.map((problem) => `PROBLEM  ${problem}`));
  return lines.join("\n");
}

function judgement({ history, unique }: Clients, verdict: Verdict): string[] {
  const acknowledged = unique.filter(({ outcome }) => outcome === "done").length;
  const { linearizability, keys, checkMs } = verdict;
  const answer = { linearizable: "yes", violation: "NO", undecided: "UNDECIDED" }[linearizability.verdict];
  const size = `${number(history.length)} operations on ${number(keys)} keys, checked in ${
    (checkMs / 1000).toFixed(1)
  } s`;
  return [
    line("lost", `${number(verdict.lost.length)} of ${number(acknowledged)} acknowledged writes of unique keys`),
    line("applied twice, or wrongly", number(verdict.wrong.length)),
    line("unknown, but applied", number(verdict.unknownDone)),
    line("linearizable", `${answer}: ${size}`),
    ...[...verdict.lost.slice(0, SHOWN), ...verdict.wrong.slice(0, SHOWN)].map((what) => `PROBLEM  ${what}`),
    ...(linearizability.verdict === "linearizable" ? [] : [
      `PROBLEM  ${linearizability.part} is ${linearizability.verdict}`,
      ...(linearizability.verdict === "violation"
        ? [
          ...linearizability.smallest.slice(-SHOWN).map((step) => `         ${JSON.stringify(step)}`),
          `         can't be right: ${JSON.stringify(linearizability.wrong)}`,
        ]
        : []),
    ]),
  ];
}

function operations({ counts }: Clients): string[] {
  const outcomes = ["done", "conflict", "unknown", "rejected"] as const;
  const row = (name: string, cells: readonly string[]): string =>
    name.padEnd(36) + cells.map((cell) => cell.padStart(10)).join("");
  const rows = [...counts].sort(([a], [b]) => a < b ? -1 : 1);
  const sum = outcomes.map((outcome) => rows.reduce((total, [, count]) => total + count[outcome], 0));
  return [
    row("operations", outcomes),
    ...rows.map(([kind, count]) => row(`  ${kind}`, outcomes.map((outcome) => number(count[outcome])))),
    row("  all", sum.map(number)),
  ];
}

function faults({ counts }: Nemesis): string[] {
  const sum = [...counts.values()].reduce((total, count) => total + count, 0);
  return [
    "faults",
    ...[...counts].map(([kind, count]) => line(`  ${kind}`, number(count))),
    line("  all", number(sum)),
  ];
}

function line(name: string, value: string): string {
  return `${name.padEnd(36)}${value}`;
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}
