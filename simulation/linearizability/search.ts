/**
 * The search for a linearization: an order of all operations with a known outcome,
 * and of some with an unknown one, that a single copy could have executed, and in
 * which an operation that began after another had ended comes after it (Herlihy and
 * Wing, 1990). The algorithm is Wing and Gong's depth-first search with Lowe's memory
 * of states that were tried.
 */

import type { Model, Operation } from "./history.ts";
import { isKnown } from "./history.ts";

/** The result of a search; `undecided` if it needed more steps than allowed. */
export type SearchResult<Input, Output> =
  | { readonly verdict: "linearizable"; readonly order: readonly Operation<Input, Output>[] }
  | { readonly verdict: "violation" | "undecided" };

/** A point of the search: the operations done so far, and the candidates for the next. */
interface Step<State> {
  readonly state: State;
  /** Operations that may come next, by position in the list; those with a known outcome come first. */
  readonly candidates: readonly number[];
  next: number;
}

/** Searches one part of a history, and tries at most `maxSteps` states. */
export function search<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  maxSteps: number,
): SearchResult<Input, Output> {
  const byCall = (a: Operation<Input, Output>, b: Operation<Input, Output>) => a.call - b.call;
  const known = history.filter(isKnown).sort(byCall);
  const unknown = history.filter((operation) => !isKnown(operation)).sort(byCall);
  const all: readonly Operation<Input, Output>[] = [...known, ...unknown];
  const done = new Uint8Array(all.length);
  const order: number[] = [];
  const tried = new Set<string>();
  /** The position before which every known operation is done. */
  let low = 0;
  let left = known.length;

  const candidates = (): number[] => {
    const found: number[] = [];
    let firstReturn = Number.POSITIVE_INFINITY;
    for (let at = low; at < known.length && known[at]!.call <= firstReturn; at++) {
      if (done[at] === 1) continue;
      found.push(at);
      firstReturn = Math.min(firstReturn, known[at]!.return);
    }
    const possible = found.filter((at) => known[at]!.call <= firstReturn);
    for (let at = known.length; at < all.length && all[at]!.call <= firstReturn; at++) {
      if (done[at] === 0) possible.push(at);
    }
    return possible;
  };
  const mark = (at: number, value: 0 | 1): void => {
    done[at] = value;
    if (at >= known.length) return;
    left += value === 1 ? -1 : 1;
    if (value === 0) low = Math.min(low, at);
    while (low < known.length && done[low] === 1) low++;
  };
  /** Returns a key of this point: continuing from a point with a known key would fail again. */
  const memory = (state: State): string => {
    const beyond: number[] = [];
    for (let at = low + 1, seen = 0, total = order.length - low; seen < total && at < all.length; at++) {
      if (done[at] === 1) seen = beyond.push(at);
    }
    return `${low}:${beyond.join()}:${model.key(state)}`;
  };

  const steps: Step<State>[] = [{ state: model.initial(), candidates: candidates(), next: 0 }];
  while (left > 0) {
    const step = steps.at(-1);
    if (step === undefined) return { verdict: "violation" };
    const at = step.candidates[step.next++];
    if (at === undefined) {
      steps.pop();
      const last = order.pop();
      if (last !== undefined) mark(last, 0);
      continue;
    }
    const operation = all[at]!;
    const seen = isKnown(operation) ? operation.output : undefined;
    const { state, output } = model.apply(step.state, operation.input, seen);
    if (isKnown(operation) ? !model.matches(operation.output, output) : model.key(state) === model.key(step.state)) {
      continue;
    }
    mark(at, 1);
    order.push(at);
    const known = memory(state);
    if (tried.has(known)) {
      order.pop();
      mark(at, 0);
      continue;
    }
    if (tried.size >= maxSteps) return { verdict: "undecided" };
    tried.add(known);
    steps.push({ state, candidates: candidates(), next: 0 });
  }
  return { verdict: "linearizable", order: order.map((at) => all[at]!) };
}
