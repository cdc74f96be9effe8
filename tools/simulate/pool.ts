/** A pool of threads that run many seeds. */

import type { SimulationOptions, SimulationResult } from "../../simulation/mod.ts";
import { traceFile } from "./trace_file.ts";
import type { WorkerAnswer, WorkerTask } from "./worker.ts";

export interface PoolOptions {
  readonly first: number;
  readonly last: number;
  readonly jobs: number;
  readonly simulation: Omit<SimulationOptions, "seed" | "stateMachine" | "workload" | "onProtocolEvent">;
  /** Continues after a seed that failed. @default false */
  readonly keepGoing?: boolean;
  /** The file for the events of each seed, with `{seed}` for its number. @default none */
  readonly trace?: string;
  /** Called with the result of each seed. */
  readonly onResult: (result: SimulationResult) => void;
}

export interface Summary {
  readonly seeds: number;
  readonly failed: readonly SimulationResult[];
  readonly counts: Readonly<Record<string, number>>;
  readonly medianCommits: number;
  readonly medianVirtualMs: number;
  readonly seconds: number;
  /** Those of the seeds that have a state of megabytes, and the seconds that they took in all threads together. */
  readonly large: { readonly seeds: number; readonly seconds: number };
  /** The number of threads. */
  readonly lanes: number;
}

export async function runSeeds(options: PoolOptions): Promise<Summary> {
  const { first, last, jobs, keepGoing = false } = options;
  const began = performance.now();
  const results: SimulationResult[] = [];
  const failed: SimulationResult[] = [];
  const counts: Record<string, number> = {};
  const large = { seeds: 0, seconds: 0 };
  let next = first;
  const take = (): number | null => next <= last && (keepGoing || failed.length === 0) ? next++ : null;
  const note = (result: SimulationResult, seconds: number): void => {
    results.push(result);
    if (result.counts["seed: bulk"] !== undefined) {
      large.seeds++;
      large.seconds += seconds;
    }
    if (result.verdict === "failed") failed.push(result);
    for (const [what, times] of Object.entries(result.counts)) counts[what] = (counts[what] ?? 0) + times;
    options.onResult(result);
  };
  const lanes = Math.max(1, Math.min(jobs, last - first + 1));
  await Promise.all(Array.from({ length: lanes }, () => runLane(options, take, note)));
  return {
    seeds: results.length,
    failed,
    counts,
    medianCommits: median(results.map(({ commits }) => commits)),
    medianVirtualMs: median(results.map(({ virtualMs }) => virtualMs)),
    seconds: (performance.now() - began) / 1000,
    large,
    lanes,
  };
}

async function runLane(
  { simulation, trace }: PoolOptions,
  take: () => number | null,
  note: (result: SimulationResult, seconds: number) => void,
): Promise<void> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  try {
    for (let seed = take(); seed !== null; seed = take()) {
      const began = performance.now();
      const options = { ...simulation, seed };
      const result = await ask(worker, { options, trace: trace === undefined ? null : traceFile(trace, seed) });
      note(result, (performance.now() - began) / 1000);
    }
  } finally {
    worker.terminate();
  }
}

function ask(worker: Worker, task: WorkerTask): Promise<SimulationResult> {
  return new Promise((resolve, reject) => {
    const broken = (why: string): void => reject(new Error(`seed ${task.options.seed} could not be run: ${why}`));
    worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => {
      if ("result" in data) resolve(data.result);
      else broken(data.error);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      broken(event.message);
    };
    worker.postMessage(task);
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
