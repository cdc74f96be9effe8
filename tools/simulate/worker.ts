/** A thread that runs seeds one after the other, as they arrive. */

import type { SimulationOptions, SimulationResult } from "../../simulation/mod.ts";
import { simulate } from "../../simulation/mod.ts";

export type WorkerAnswer = { readonly result: SimulationResult } | { readonly seed: number; readonly error: string };

// A simulation creates many errors, and their stacks are most of the cost.
Error.stackTraceLimit = 0;

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<SimulationOptions>) => void) | null;
  postMessage(answer: WorkerAnswer): void;
};

scope.onmessage = ({ data }) => {
  simulate(data).then(
    (result) => scope.postMessage({ result: { ...result, decisions: [] } }),
    (error) => scope.postMessage({ seed: data.seed, error: String(error) }),
  );
};
