/** Generates traces from seeds, and has TLC check many of them at once. */

import type { FaultKind, ProtocolEvent, SimulationOptions } from "../../simulation/mod.ts";
import { runSeeds } from "../simulate/pool.ts";
import { traceFile } from "../simulate/trace_file.ts";
import { convert, MAX_SERVERS } from "./convert.ts";
import type { Tlc } from "./tlc.ts";

/** The faults of the runs; the specification does not cover disks that are replaced or rot. */
const KINDS: readonly FaultKind[] = [
  "loss",
  "duplication",
  "delay",
  "partition",
  "crash",
  "powerFailure",
  "failedWrite",
  "member",
  "joint",
  "transfer",
  "snapshot",
];

/** Short runs with snapshots every few entries. */
export const RUNS: Omit<SimulationOptions, "seed" | "stateMachine" | "workload" | "onProtocolEvent"> = {
  nodes: 3,
  durationMs: 3000,
  liars: false,
  node: { snapshotEntries: 15, trailingEntries: 0 },
  faults: KINDS,
};

/** The most events of a trace: a few very long ones would take most of the time. */
export const MAX_EVENTS = 2500;
/** The seeds that are simulated at once. */
const CHUNK = 60;
/** The traces that TLC checks in one run: its start takes seconds. */
const BATCH = 40;

/** A trace that shall be checked. */
export interface NamedTrace {
  readonly name: string;
  readonly events: readonly ProtocolEvent[];
}

/** The verdict on a trace. */
export interface TraceVerdict {
  readonly trace: NamedTrace;
  /** The number of events that were compared. */
  readonly events: number;
  /** The event that no step of the specification explains; `null` if there is none. */
  readonly refused: ProtocolEvent | null;
}

/** Reads a file that `deno task simulate --trace` wrote. */
export async function readTrace(path: string): Promise<NamedTrace> {
  const lines = (await Deno.readTextFile(path)).trimEnd().split("\n");
  return { name: path, events: lines.map((line) => JSON.parse(line) as ProtocolEvent) };
}

/** Reads the traces in a folder. */
export async function readFolder(folder: string): Promise<NamedTrace[]> {
  const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  return await Promise.all(names.map((name) => readTrace(`${folder}/${name}`)));
}

/** Writes the traces of seeds into a folder, whether or not they keep the rules. */
export async function record(folder: string, first: number, count: number, jobs: number): Promise<void> {
  const trace = `${folder}/{seed}.ndjson`;
  await runSeeds({
    first,
    last: first + count - 1,
    jobs,
    keepGoing: true,
    simulation: RUNS,
    trace,
    onResult: () => {},
  });
}

/** Checks traces in one run of TLC. @throws {Error} if TLC fails */
export async function checkTraces(tlc: Tlc, traces: readonly NamedTrace[]): Promise<TraceVerdict[]> {
  const converted = traces.map(({ events }) => convert(events));
  const module = [
    "---- MODULE Batch ----",
    "EXTENDS RaftTrace",
    ...converted.map(({ text }, at) => `Trace${at + 1} == ${text}`),
    `AllTraces == <<${converted.map((_, at) => `Trace${at + 1}`).join(", ")}>>`,
    "====",
  ].join("\n");
  const servers = Array.from({ length: MAX_SERVERS }, (_, at) => at + 1).join(", ");
  const config = [
    `CONSTANTS Server = {${servers}} None = 0 Bugs = {} Traces <- AllTraces`,
    "SPECIFICATION Spec",
    "VIEW View",
  ].join("\n");
  const { output } = await tlc.check({ module: "Batch", modules: { Batch: module }, config });
  const found = new Map<number, number | null>();
  for (const [, verdict, trace, event] of output.matchAll(/<<"(accepted|refused)", (\d+), (\d+)>>/g)) {
    found.set(Number(trace) - 1, verdict === "accepted" ? null : Number(event));
  }
  return traces.map((trace, at) => {
    const event = found.get(at);
    if (event === undefined) throw new Error(`TLC gave no verdict on ${trace.name}:\n${tail(output)}`);
    return { trace, events: converted[at]!.events, refused: event === null ? null : trace.events[event - 1]! };
  });
}

function tail(output: string): string {
  return output.trimEnd().split("\n").slice(-30).join("\n");
}

/** Reports whether a run had a membership change and a snapshot. */
function hasEnough({ events }: NamedTrace): boolean {
  const happened = (kind: ProtocolEvent["kind"]): boolean => events.some((event) => event.kind === kind);
  return events.length <= MAX_EVENTS && happened("changeMembership") && happened("snapshotTaken");
}

/** Runs seeds from `first` on, and yields batches of traces with membership changes and snapshots, `count` in all. */
export async function* tracesFrom(first: number, count: number, jobs: number): AsyncGenerator<NamedTrace[]> {
  const folder = await Deno.makeTempDir({ prefix: "traces_" });
  try {
    let batch: NamedTrace[] = [];
    let found = 0;
    for (let seed = first; found < count; seed += CHUNK) {
      const pattern = `${folder}/{seed}.ndjson`;
      const last = seed + CHUNK - 1;
      const ran = await runSeeds({ first: seed, last, jobs, simulation: RUNS, trace: pattern, onResult: () => {} });
      const failed = ran.failed[0];
      if (failed !== undefined) throw new Error(`seed ${failed.seed} fails: ${failed.violation?.message}`);
      for (let each = seed; each <= last && found < count; each++) {
        const trace = await readTrace(traceFile(pattern, each));
        await Deno.remove(trace.name);
        if (!hasEnough(trace)) continue;
        found++;
        batch.push({ ...trace, name: `seed ${each}` });
        if (batch.length < BATCH) continue;
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
