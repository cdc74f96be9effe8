/** A thread that runs seeds one after the other, as they arrive. */

import type { SimulationOptions, SimulationResult } from "../../simulation/mod.ts";
import { simulate } from "../../simulation/mod.ts";
import { simulateTraced } from "./trace_file.ts";

/** A seed to run, and the file for its events, if they are wanted. */
export interface WorkerTask {
  readonly options: SimulationOptions;
  readonly trace: string | null;
}

export type WorkerAnswer = { readonly result: SimulationResult } | { readonly seed: number; readonly error: string };

// A simulation creates many errors, and their stacks are most of the cost.
Error.stackTraceLimit = 0;

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<WorkerTask>) => void) | null;
  postMessage(answer: WorkerAnswer): void;
};

scope.onmessage = ({ data: { options, trace } }) => {
  (trace === null ? simulate(options) : simulateTraced(options, trace)).then(
    (result) => scope.postMessage({ result: { ...result, decisions: [] } }),
    (error) => scope.postMessage({ seed: options.seed, error: String(error) }),
  );
};
