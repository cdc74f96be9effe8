/**
 * The search for a linearization: an order of all operations with a known outcome,
 * and of some with an unknown one, that a single copy could have executed, and in
 * which an operation that began after another had ended comes after it (Herlihy and
 * Wing, 1990). The algorithm is Wing and Gong's depth-first search with Lowe's memory
 * of states that were tried, and with three shortcuts, which never change a verdict:
 *
 * - A read that may come next and has the right answer comes next: in any order that
 *   begins in the same way it could stand there as well.
 * - Operations with a rank come in the order of their ranks.
 * - Operations with an unknown outcome need not be done: so a point is given up if
 *   the same state was reached with only a part of them.
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

/** The most comparisons of points: they take a second or two. */
const MAX_COMPARISONS = 20_000_000;

/** Searches one part of a history, and tries at most `maxSteps` states. */
export function search<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  maxSteps: number,
): SearchResult<Input, Output> {
  const points = new Points(model, history);
  const steps: Step<State>[] = [points.step(model.initial())];
  let tried = 0;
  while (!points.complete) {
    const step = steps.at(-1);
    if (step === undefined) return { verdict: "violation" };
    const at = step.candidates[step.next++];
    if (at === undefined) {
      steps.pop();
      points.undo();
      continue;
    }
    const next = points.after(step.state, at);
    if (next === null) continue;
    points.do(at);
    if (points.isHopeless(next.state)) {
      points.undo();
      continue;
    }
    if (++tried > maxSteps || points.compared > MAX_COMPARISONS) return { verdict: "undecided" };
    steps.push(points.step(next.state));
  }
  return { verdict: "linearizable", order: points.order };
}

/** The operations done at the present point of a search, and the points that were tried. */
class Points<State, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  /** The operations with a known outcome, in the order of their calls, then the others. */
  readonly #all: readonly Operation<Input, Output>[];
  /** The number of operations with a known outcome. */
  readonly #known: number;
  /** The ranks of operations, by position; `null` for those without one. */
  readonly #ranks: readonly (number | null)[];
  /** The operations with ranks, in their order, and the place of each there. */
  readonly #ranked: readonly number[];
  readonly #turns: ReadonlyMap<number, number>;
  readonly #done: Uint8Array;
  readonly #order: number[] = [];
  /** The operations with an unknown outcome that are done, as bits. */
  #unknownDone = 0n;
  /** The position before which every operation with a known outcome is done. */
  #low = 0;
  /** The position in `#ranked` before which every operation is done. */
  #lowRanked = 0;
  /** The number of operations with a known outcome that are not done. */
  #left: number;
  /** The comparisons of the present point with one that was tried. */
  compared = 0;
  /** Those of the operations with an unknown outcome that were done, in each point that was tried. */
  readonly #tried = new Map<string, bigint[]>();

  constructor(model: Model<State, Input, Output>, history: readonly Operation<Input, Output>[]) {
    const byCall = (a: Operation<Input, Output>, b: Operation<Input, Output>) => a.call - b.call;
    const known = history.filter(isKnown).sort(byCall);
    const all = [...known, ...history.filter((operation) => !isKnown(operation)).sort(byCall)];
    const ranks = known.map(({ output }) => model.rank?.(output) ?? null);
    this.#model = model;
    this.#all = all;
    this.#known = known.length;
    this.#left = known.length;
    this.#ranks = ranks;
    this.#ranked = [...known.keys()].filter((at) => ranks[at] !== null).sort((a, b) => ranks[a]! - ranks[b]!);
    this.#turns = new Map(this.#ranked.map((at, turn) => [at, turn]));
    this.#done = new Uint8Array(all.length);
  }

  /** Reports whether every operation with a known outcome is done. */
  get complete(): boolean {
    return this.#left === 0;
  }

  /** The operations in the order in which they were done. */
  get order(): Operation<Input, Output>[] {
    return this.#order.map((at) => this.#all[at]!);
  }

  do(at: number): void {
    this.#order.push(at);
    this.#mark(at, 1);
  }

  /** Takes the last operation back; does nothing if none is done. */
  undo(): void {
    const last = this.#order.pop();
    if (last !== undefined) this.#mark(last, 0);
  }

  /** Returns the state after an operation; `null` if its answer would be wrong, or if it would change nothing and has none. */
  after(state: State, at: number): { readonly state: State } | null {
    const model = this.#model;
    const operation = this.#all[at]!;
    const seen = isKnown(operation) ? operation.output : undefined;
    const next = model.apply(state, operation.input, seen);
    const useful = isKnown(operation) ? model.matches(operation.output, next.output) : this.#differ(next.state, state);
    return useful ? next : null;
  }

  /** Returns the present point, in this state. */
  step(state: State): Step<State> {
    const candidates = this.#candidates();
    const free = candidates.find((at) => {
      if (at >= this.#known || this.#model.readOnly?.(this.#all[at]!.input) !== true) return false;
      const next = this.after(state, at);
      return next !== null && !this.#differ(next.state, state);
    });
    return { state, candidates: free === undefined ? candidates : [free], next: 0 };
  }

  #differ(a: State, b: State): boolean {
    return a !== b && this.#model.key(a) !== this.#model.key(b);
  }

  /** Reports whether continuing from here would fail, since it did, or will, from a point like this; notes the point. */
  isHopeless(state: State): boolean {
    const beyond: number[] = [];
    const total = this.#known - this.#left - this.#low;
    for (let at = this.#low + 1; beyond.length < total; at++) if (this.#done[at] === 1) beyond.push(at);
    const point = `${this.#low}:${beyond.join()}:${this.#model.key(state)}`;
    const done = this.#unknownDone;
    const others = this.#tried.get(point);
    if (others === undefined) this.#tried.set(point, [done]);
    else {
      const at = others.findIndex((other) => (other & done) === other);
      this.compared += at < 0 ? others.length : at + 1;
      if (at >= 0) return true;
      others.push(done);
    }
    return false;
  }

  #candidates(): number[] {
    const all = this.#all;
    const found: number[] = [];
    let firstReturn = Number.POSITIVE_INFINITY;
    for (let at = this.#low; at < this.#known && all[at]!.call <= firstReturn; at++) {
      if (this.#done[at] === 1) continue;
      found.push(at);
      firstReturn = Math.min(firstReturn, all[at]!.return);
    }
    const nextRanked = this.#ranked[this.#lowRanked];
    const rank = nextRanked === undefined ? null : this.#ranks[nextRanked]!;
    const inTurn = (at: number): boolean => rank === null || (this.#ranks[at] ?? rank) <= rank;
    const possible = found.filter((at) => all[at]!.call <= firstReturn && inTurn(at));
    for (let at = this.#known; at < all.length && all[at]!.call <= firstReturn; at++) {
      if (this.#done[at] === 0) possible.push(at);
    }
    return possible;
  }

  #mark(at: number, value: 0 | 1): void {
    const done = this.#done;
    done[at] = value;
    if (at >= this.#known) {
      this.#unknownDone ^= 1n << BigInt(at - this.#known);
      return;
    }
    this.#left += value === 1 ? -1 : 1;
    if (value === 0) {
      this.#low = Math.min(this.#low, at);
      this.#lowRanked = Math.min(this.#lowRanked, this.#turns.get(at) ?? this.#lowRanked);
    }
    while (this.#low < this.#known && done[this.#low] === 1) this.#low++;
    const ranked = this.#ranked;
    while (this.#lowRanked < ranked.length && done[ranked[this.#lowRanked]!] === 1) this.#lowRanked++;
  }
}
