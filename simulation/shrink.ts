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
  readonly options: SimulationOptions & { readonly decisions: readonly string[] };
  /** Its result, with its story. */
  readonly result: SimulationResult;
  /** The number of runs tried. */
  readonly runs: number;
}

class Shrinker {
  #options: SimulationOptions;
  readonly #invariant: string;
  readonly #maxRuns: number;
  readonly #onProgress: (left: number, runs: number) => void;
  #durationMs: number;
  #left: readonly string[];
  #runs = 0;

  constructor(options: SimulationOptions, failed: SimulationResult, { maxRuns = 1000, onProgress }: ShrinkOptions) {
    this.#options = options;
    this.#invariant = failed.violation?.invariant ?? "";
    this.#maxRuns = maxRuns;
    this.#onProgress = onProgress ?? (() => {});
    this.#durationMs = Math.min(options.durationMs ?? 20_000, failed.virtualMs);
    this.#left = failed.decisions;
  }

  async shrink(): Promise<Shrunk> {
    await this.#shorten();
    await this.#simplify();
    await this.#dropKinds();
    await this.#reduce();
    await this.#shorten();
    await this.#reduce();
    const options = { ...this.#options, durationMs: this.#durationMs, decisions: this.#left };
    const result = await simulate({ ...options, record: true });
    return { options: { ...options, decisions: result.decisions }, result, runs: this.#runs };
  }

  async #shorten(): Promise<void> {
    for (const part of [0.1, 0.25, 0.5, 0.75]) {
      const shorter = Math.ceil(this.#durationMs * part);
      if (!await this.#fails(this.#left, shorter)) continue;
      this.#durationMs = shorter;
      return;
    }
  }

  /** Tries fewer nodes, and snapshots after a few entries, so that fewer requests are needed. */
  async #simplify(): Promise<void> {
    const node = { ...this.#options.node, snapshotEntries: 4, trailingEntries: 0 };
    for (const simpler of [{ node }, { nodes: 1 }, { nodes: 2 }, { nodes: 3 }]) {
      const options = { ...this.#options, ...simpler };
      if (simpler.nodes !== undefined && this.#options.nodes !== undefined) continue;
      if (await this.#fails(this.#left, this.#durationMs, options)) this.#options = options;
    }
  }

  /** Leaves out all decisions of one kind, such as every lost message: most of them are noise. */
  async #dropKinds(): Promise<void> {
    const kindOf = (decision: string): string => decision.slice(decision.lastIndexOf(":") + 1);
    for (const kind of new Set(this.#left.map(kindOf))) {
      await this.#fails(this.#left.filter((decision) => kindOf(decision) !== kind), this.#durationMs);
    }
  }

  /** Leaves out ever smaller parts, until no single decision can be left out. */
  async #reduce(): Promise<void> {
    for (let parts = 2; this.#left.length > 0 && this.#runs < this.#maxRuns;) {
      const size = Math.ceil(this.#left.length / parts);
      const smaller = await this.#leaveOut(size);
      if (smaller) parts = Math.max(2, parts - 1);
      else if (size === 1) return;
      else parts = Math.min(this.#left.length, parts * 2);
    }
  }

  async #leaveOut(size: number): Promise<boolean> {
    let smaller = false;
    // The last first: late decisions matter less.
    for (let end = this.#left.length; end > 0 && this.#runs < this.#maxRuns; end -= size) {
      const start = Math.max(0, end - size);
      const rest = [...this.#left.slice(0, start), ...this.#left.slice(end)];
      smaller = await this.#fails(rest, this.#durationMs) || smaller;
    }
    return smaller;
  }

  /** Reports whether the run still fails in the same way; if so, it becomes the current one. */
  async #fails(decisions: readonly string[], durationMs: number, options = this.#options): Promise<boolean> {
    this.#runs++;
    const result = await simulate({ ...options, decisions, durationMs });
    const fails = result.violation?.invariant === this.#invariant;
    if (fails) this.#left = result.decisions;
    this.#onProgress(this.#left.length, this.#runs);
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
