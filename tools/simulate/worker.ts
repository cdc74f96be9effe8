/** Runs seeds on a thread of its own, one after the other, as they come. */

import type { SimulationOptions, SimulationResult } from "../../simulation/mod.ts";
import { simulate } from "../../simulation/mod.ts";

/** What a worker says. */
export type WorkerAnswer = { readonly result: SimulationResult } | { readonly seed: number; readonly error: string };

// Errors are part of a simulated life, and their stacks are most of what they cost.
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
