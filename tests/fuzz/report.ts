/**
 * The report of a run.
 *
 * @module
 */

import type { Clients } from "../chaos/clients.ts";
import type { Fuzzer, Sent } from "./fuzzer.ts";
import type { Guard } from "./guard.ts";
import type { Results } from "./trial.ts";

/** The number of inputs that are shown with a problem. */
const SHOWN = 25;

/** Describes the progress in one line. */
export function progress(elapsedMs: number, fuzzer: Fuzzer, clients: Clients, guard: Guard): string {
  const memory = [...guard.peaks.values()].join(", ");
  const seconds = `${Math.round(elapsedMs / 1000)} s`.padStart(6);
  return `${seconds}  ${number(fuzzer.next)} inputs, ${number(clients.acknowledged)} operations of clients, ` +
    `at most ${memory} MiB`;
}

/** Describes the results. */
export function report({ fuzzer, clients, guard, verdicts, problems }: Results): string {
  const sum = [...fuzzer.counts.values()].reduce((total, count) => total + count, 0);
  const acknowledged = clients.unique.filter(({ outcome }) => outcome === "done").length;
  const lines = [
    "",
    "inputs",
    ...[...fuzzer.counts].sort(([a], [b]) => a < b ? -1 : 1).map(([kind, count]) => line(`  ${kind}`, number(count))),
    line("  all", number(sum)),
    "",
    ...[...guard.peaks].map(([id, mib]) => line(`most memory of ${id}`, `${mib} MiB`)),
    line("longest time without an answer", `${(clients.longestGapMs / 1000).toFixed(1)} s`),
    line("operations of clients", number(clients.acknowledged)),
    ...["after the inputs", "after a restart"].flatMap((when, at) => {
      const verdict = verdicts[at];
      if (verdict === undefined) return [];
      const linearizable = verdict.linearizability.verdict === "linearizable" ? "linearizable" : "NOT LINEARIZABLE";
      return [line(when, `${verdict.lost.length} of ${number(acknowledged)} writes lost, ${linearizable}`)];
    }),
  ];
  if (problems.length > 0) {
    lines.push("", ...problems.map((problem) => `PROBLEM  ${problem}`), "", "The last inputs, those under way last:");
    lines.push(...lastInputs(fuzzer.last).map(describe));
  }
  return lines.join("\n");
}

/** Returns the inputs that may have caused what was just seen. */
function lastInputs(sent: readonly Sent[]): readonly Sent[] {
  return [...sent.slice(-SHOWN)].sort((a, b) => Number(a.answer === null) - Number(b.answer === null));
}

function describe({ number, atMs, node, kind, what, answer }: Sent): string {
  return `  ${number}  ${(atMs / 1000).toFixed(1)} s  ${node}  ${kind}: ${what}  ->  ${answer ?? "under way"}`;
}

function line(name: string, value: string): string {
  return `${name.padEnd(36)}${value}`;
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}
