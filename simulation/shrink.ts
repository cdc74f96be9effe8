/**
 * Reduction of a failing run: faults and requests are left out as long as the same
 * rule is still violated (delta debugging, Zeller and Hildebrandt, 2002).
 */

import { simulate } from "./simulate.ts";
import type { SimulationOptions, SimulationResult } from "./simulate.ts";

/** Options of {@linkcode shrink}. */
export interface ShrinkOptions {
  /** The largest number of runs to try. @default 1000 */
  readonly maxRuns?: number;
  /** Called after each run with the number of remaining faults and requests, and the number of runs. */
  readonly onProgress?: (left: number, runs: number) => void;
}

/** The smallest failing run that was found. */
export interface Shrunk {
  /** The options that replay it. */
  readonly options: SimulationOptions & { readonly durationMs: number; readonly decisions: readonly string[] };
  /** Its result, with its story. */
  readonly result: SimulationResult;
  /** The number of runs tried. */
  readonly runs: number;
}

class Shrinker {
  /** The smallest run so far. */
  #smallest: Shrunk["options"];
  readonly #invariant: string;
  readonly #maxRuns: number;
  readonly #onProgress: ShrinkOptions["onProgress"];
  #runs = 0;

  constructor(options: SimulationOptions, failed: SimulationResult, { maxRuns = 1000, onProgress }: ShrinkOptions) {
    const durationMs = Math.min(options.durationMs ?? 20_000, failed.virtualMs);
    this.#smallest = { ...options, durationMs, decisions: failed.decisions };
    this.#invariant = failed.violation?.invariant ?? "";
    this.#maxRuns = maxRuns;
    this.#onProgress = onProgress;
  }

  async shrink(): Promise<Shrunk> {
    await this.#shorten();
    await this.#simplify();
    await this.#dropKinds();
    await this.#reduce();
    await this.#shorten();
    await this.#reduce();
    const result = await simulate({ ...this.#smallest, record: true });
    return { options: { ...this.#smallest, decisions: result.decisions }, result, runs: this.#runs };
  }

  async #shorten(): Promise<void> {
    for (const part of [0.1, 0.25, 0.5, 0.75]) {
      if (await this.#fails({ durationMs: Math.ceil(this.#smallest.durationMs * part) })) return;
    }
  }

  /** Tries fewer nodes, and snapshots after a few entries, so that fewer requests are needed. */
  async #simplify(): Promise<void> {
    const node = { ...this.#smallest.node, snapshotEntries: 4, trailingEntries: 0, maxRetainedBytes: 0 };
    for (const simpler of [{ node }, { nodes: 1 }, { nodes: 2 }, { nodes: 3 }]) {
      if (simpler.nodes === undefined || this.#smallest.nodes === undefined) await this.#fails(simpler);
    }
  }

  /** Leaves out all decisions of one kind, such as every lost message: most of them are noise. */
  async #dropKinds(): Promise<void> {
    const kindOf = (decision: string): string => decision.slice(decision.lastIndexOf(":") + 1);
    for (const kind of new Set(this.#smallest.decisions.map(kindOf))) {
      await this.#fails({ decisions: this.#smallest.decisions.filter((decision) => kindOf(decision) !== kind) });
    }
  }

  /** Leaves out ever smaller parts, until no single decision can be left out. */
  async #reduce(): Promise<void> {
    for (let parts = 2; this.#left > 0 && this.#runs < this.#maxRuns;) {
      const size = Math.ceil(this.#left / parts);
      const smaller = await this.#leaveOut(size);
      if (smaller) parts = Math.max(2, parts - 1);
      else if (size === 1) return;
      else parts = Math.min(this.#left, parts * 2);
    }
  }

  async #leaveOut(size: number): Promise<boolean> {
    let smaller = false;
    // The last first: late decisions matter less.
    for (let end = this.#left; end > 0 && this.#runs < this.#maxRuns; end -= size) {
      const start = Math.max(0, end - size);
      smaller = await this.#fails({ decisions: this.#smallest.decisions.toSpliced(start, end - start) }) || smaller;
    }
    return smaller;
  }

  /** The number of decisions that are left. */
  get #left(): number {
    return this.#smallest.decisions.length;
  }

  /** Reports whether a simpler run still fails in the same way; if so, it becomes the smallest one. */
  async #fails(simpler: Partial<Shrunk["options"]>): Promise<boolean> {
    this.#runs++;
    const options = { ...this.#smallest, ...simpler };
    const { violation, decisions } = await simulate(options);
    const fails = violation?.invariant === this.#invariant;
    if (fails) this.#smallest = { ...options, decisions };
    this.#onProgress?.(this.#left, this.#runs);
    return fails;
  }
}

/**
 * Leaves out everything that a failing run does not need to fail.
 *
 * @param options as given to {@linkcode simulate}
 * @param failed the result of that run
 */
export async function shrink(
  options: SimulationOptions,
  failed: SimulationResult,
  shrinkOptions: ShrinkOptions = {},
): Promise<Shrunk> {
  return await new Shrinker(options, failed, shrinkOptions).shrink();
}
