/** The output of the command. */

import type { Shrunk, SimulationResult, StoryLine } from "../../simulation/mod.ts";
import { DAMAGES, FAULTS } from "../../simulation/mod.ts";
import type { Summary } from "./pool.ts";

/** Events that must occur in any few hundred seeds beside every fault: a run without them would prove little. */
export const OCCURRENCES: readonly string[] = [
  "election won",
  "logTruncated",
  "snapshot taken",
  "snapshot installed",
  "membership changed",
  "several changed",
  "replaced",
  "leadership transferred",
  "session retry",
  "lie",
  "forgery",
  "deceit",
  "refused: term",
  "refused: leader",
  "refused: conflict",
  "refused: answer",
  "refused: malformed",
  "refused: snapshot",
  "disk: sync fails",
  "disk: syncDirectory fails",
  "disk: write fails",
  "disk: read fails",
  "disk: no space",
  "disk: short write",
  "disk: sync hangs",
  "in a browser",
  "database: commit fails",
  "database: no room",
  "database: closed",
  "database: deleted",
  "database: stolen",
  "damage found at start",
  "partition: isolated",
  "partition: split",
  "partition: bridge",
  "partition: oneWay",
  "partition: ragged",
  "seed: bulk",
  "bulk write",
  "snapshot of several blocks",
  "entries packed",
  "seed: raw",
  "seed: forwarding",
  "request forwarded",
  "lostForward",
  "lostForwardAnswer",
  "resetForward",
  "lateForward",
  "seed: slow",
  "slow apply",
  "slow query",
  "slow restore",
  "slow snapshot",
  "seed: long",
  "error: busy",
  "error: too_large",
  "error: session_expired",
  "clock set back under leases",
  "readdressed",
  "message to a vacant address",
  "readmitted with its data",
  "readmitted with an empty disk",
  "disk: write fails after its bytes",
  ...DAMAGES.map((kind) => `file: ${kind}`),
  "state compared",
  "search: linearizable",
  "stale query done",
  "lease query done",
  "linearizable query done",
  "error: aborted",
  "watched change",
  "watch stream",
  "watch: compacted",
  "change done",
  "change rejected",
  "change unknown",
  "transfer done",
  "transfer rejected",
  "transfer unknown",
  "snapshot done",
  "well interval",
  "long well interval",
  "idle in the end",
  "seed: busy operator",
];

/** Draws a bar of `width` characters. */
export function progressBar(done: number, of: number, width = 24): string {
  const full = Math.floor(width * done / Math.max(1, of));
  return `[${"=".repeat(full)}${" ".repeat(width - full)}] ${done}/${of}`;
}

/** Formats the counts of a summary, faults first. */
export function describeCounts(counts: Readonly<Record<string, number>>): string {
  const row = (names: readonly string[]): string =>
    names.map((name) => `${name} ${(counts[name] ?? 0).toLocaleString("en")}`).join(", ");
  const known = new Set<string>([...FAULTS, ...OCCURRENCES]);
  const others = Object.keys(counts).filter((name) => !known.has(name)).sort();
  return [`faults   ${row(FAULTS)}`, `cluster  ${row(OCCURRENCES)}`, `others   ${row(others)}`].join("\n");
}

function virtual(ms: number): string {
  return `${(ms / 1000).toFixed(1)} virtual seconds`;
}

/** The rates of large seeds and of all others are stated apart, since one large seed takes as long as many others. */
export function describeSummary(summary: Summary): string {
  const { seeds, failed, medianCommits, medianVirtualMs, seconds, large, lanes } = summary;
  const rate = Math.round((seeds - large.seeds) / Math.max(0.001, seconds - large.seconds / lanes) * 60);
  const ofLarge = large.seeds === 0
    ? ""
    : `, ${large.seeds} large ones ${(large.seconds / large.seeds).toFixed(1)} s each`;
  return `${seeds} seeds in ${seconds.toFixed(1)} s (${rate} a minute${ofLarge}), ${virtual(medianVirtualMs)} and ` +
    `${medianCommits} commits each (median): ${seeds - failed.length} passed, ${failed.length} failed`;
}

export function describeResult(
  { seed, verdict, violation, commits, steps, virtualMs, traceHash }: SimulationResult,
): string {
  const what = verdict === "passed" ? "passed" : `FAILED: ${violation?.invariant}: ${violation?.message}`;
  return `seed ${seed} ${what}\n${commits} commits, ${steps} events, ${virtual(virtualMs)}, trace ${traceHash}`;
}

export function describeStory(story: readonly StoryLine[]): string {
  return story.map(({ atMs, actor, text }) => `${(atMs / 1000).toFixed(3).padStart(9)}  ${actor.padEnd(8)}  ${text}`)
    .join("\n");
}

/** Writes a test that fails until the bug is fixed. */
export function describeTest({ options, result }: Shrunk): string {
  const { seed, nodes, node, faults, durationMs, decisions } = options;
  const list = decisions.map((decision) => `    ${JSON.stringify(decision)},`).join("\n");
  return [
    `  {`,
    `    // ${result.violation?.invariant}: ${result.violation?.message}`,
    `    history: "…: …",`,
    `    seed: ${seed},`,
    ...nodes === undefined ? [] : [`    nodes: ${nodes},`],
    ...faults === undefined ? [] : [`    faults: ${JSON.stringify(faults)},`],
    ...node === undefined ? [] : [`    node: ${JSON.stringify(node)},`],
    `    durationMs: ${durationMs},`,
    `    decisions: [`,
    list.replaceAll(/^/gm, "  "),
    `    ],`,
    `  },`,
  ].join("\n");
}
