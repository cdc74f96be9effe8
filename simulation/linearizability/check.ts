/**
 * The checker of a history, which reports the smallest part that fails.
 */

import type { Model, Operation } from "./history.ts";
import { isKnown } from "./history.ts";
import { search } from "./search.ts";

/** Options of {@linkcode checkLinearizable}. */
export interface CheckOptions {
  /** The number of states to try for one part before it counts as undecided. @default 1_000_000 */
  readonly maxSteps?: number;
}

/** The result of a check. */
export type LinearizabilityVerdict<Input, Output> =
  /** A single copy could have given these answers. */
  | { readonly verdict: "linearizable" }
  /** No single copy could have. */
  | {
    readonly verdict: "violation";
    /** The part; empty if the model has no parts. */
    readonly part: string;
    /**
     * The beginning of that part's history up to the first wrong answer, without
     * the reads that don't matter; requests unanswered by then have no output.
     */
    readonly smallest: readonly Operation<Input, Output>[];
    /** The first wrong answer. */
    readonly wrong: Operation<Input, Output>;
  }
  /** The search was given up. */
  | { readonly verdict: "undecided"; readonly part: string };

/**
 * Reports whether a history is linearizable: every operation can be given one
 * moment between its call and its return at which it took effect, so that all
 * answers are those of a single copy. An operation without an outcome may have
 * taken effect at any moment after its call, or never.
 *
 * @example
 * ```ts
 * import { checkLinearizable, registerModel } from "./simulation/linearizability/mod.ts";
 *
 * const { verdict } = checkLinearizable(registerModel, [
 *   { client: 1, input: { type: "write", value: "a" }, output: null, call: 0, return: 1 },
 *   { client: 2, input: { type: "read" }, output: null, call: 2, return: 3 },
 * ]);
 * console.log(verdict); // violation: the read began after the write had ended
 * ```
 */
export function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  options: CheckOptions = {},
): LinearizabilityVerdict<Input, Output> {
  const { maxSteps = 1_000_000 } = options;
  let undecided: string | null = null;
  for (const [part, operations] of Map.groupBy(history, ({ input }) => model.part?.(input) ?? "")) {
    const { verdict } = search(model, operations, maxSteps);
    if (verdict === "violation") return { verdict, part, ...smallestViolation(model, operations, maxSteps) };
    if (verdict === "undecided") undecided ??= part;
  }
  return undecided === null ? { verdict: "linearizable" } : { verdict: "undecided", part: undecided };
}

/** Returns the history as known just after `time`: later answers are still missing. */
function until<Input, Output>(
  history: readonly Operation<Input, Output>[],
  time: number,
): Operation<Input, Output>[] {
  return history.filter(({ call }) => call <= time).map((operation) => {
    if (operation.return <= time) return operation;
    const { client, input, call } = operation;
    return { client, input, call, return: Number.POSITIVE_INFINITY };
  });
}

/** Finds the first wrong answer by bisection: a history that fails still fails when it gets longer. */
function smallestViolation<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  maxSteps: number,
): { smallest: readonly Operation<Input, Output>[]; wrong: Operation<Input, Output> } {
  const fails = (part: readonly Operation<Input, Output>[]) => search(model, part, maxSteps).verdict === "violation";
  const answers = history.filter(isKnown).sort((a, b) => a.return - b.return);
  let low = 0;
  let high = answers.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (fails(until(history, answers[middle]!.return))) high = middle;
    else low = middle + 1;
  }
  const wrong = answers[high]!;
  let smallest = until(history, wrong.return);
  // Leaving out operations that change nothing can't make a good history bad.
  for (const operation of [...smallest]) {
    if (operation === wrong || model.readOnly?.(operation.input) !== true) continue;
    const without = smallest.filter((other) => other !== operation);
    if (!isKnown(operation) || fails(without)) smallest = without;
  }
  return { smallest: smallest.sort((a, b) => a.call - b.call), wrong };
}
