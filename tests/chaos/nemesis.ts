/**
 * The nemesis: injects faults, one or two at a time, and checks that the cluster
 * recovers from each.
 *
 * @module
 */

import { eventually } from "../support/server_processes.ts";
import { seededRandom } from "../support/virtual_host.ts";
import type { ChaosCluster } from "./chaos_cluster.ts";
import type { Fault, Injected } from "./faults.ts";
import { Choice } from "./faults.ts";

/** The number of acknowledgements that prove a recovery, and the time limit for them. */
const RECOVERY = { operations: 20, withinMs: 60_000 };

/** Options of {@linkcode Nemesis}. */
export interface NemesisOptions {
  readonly cluster: ChaosCluster;
  readonly seed: number;
  /** The kinds of faults that this machine permits. */
  readonly faults: readonly Fault[];
  /** Returns the number of operations acknowledged so far. */
  acknowledged(): number;
}

/** An event and its time. */
export interface NemesisEvent {
  /** Milliseconds since the run began. */
  readonly atMs: number;
  readonly what: string;
}

/** The source of faults. */
export class Nemesis {
  /** The number of faults of each kind. */
  readonly counts: Map<string, number> = new Map();
  /** All events in order. */
  readonly events: NemesisEvent[] = [];
  readonly #options: NemesisOptions;
  readonly #choice: Choice;
  readonly #possible: readonly Fault[];
  readonly #startMs: number = performance.now();
  #deck: Fault[] = [];

  constructor(options: NemesisOptions) {
    this.#options = options;
    this.#choice = new Choice(seededRandom(options.seed));
    const { impossible } = options.cluster;
    this.#possible = options.faults.filter(({ needs }) => needs === undefined || !impossible.has(needs));
    for (const { kind } of this.#possible) this.counts.set(kind, 0);
  }

  /** The last event. */
  get last(): string {
    return this.events.at(-1)?.what ?? "";
  }

  /** Injects faults for this long. @throws if the cluster does not recover once there is no fault */
  async run(forMs: number): Promise<void> {
    const end = this.#startMs + forMs;
    while (performance.now() < end) await this.#round(() => Math.max(0, end - performance.now()));
    await this.#recovery();
  }

  async #round(leftMs: () => number): Promise<void> {
    const { cluster } = this.#options;
    const injected: Injected[] = [];
    for (const fault of this.#draw(this.#choice.chance(0.35) ? 2 : 1)) {
      try {
        const done = await fault.inject(cluster, this.#choice);
        injected.push(done);
        this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
        this.#tell(done.what);
      } catch (error) {
        // During other faults, an operator's request may be refused.
        this.#tell(`no ${fault.kind}: ${error instanceof Error ? error.message : error}`);
      }
      await pause(this.#choice.between(0, 500));
    }
    await pause(Math.min(leftMs(), this.#choice.between(500, 5000)));
    for (const { heal } of injected.reverse()) await heal?.();
    this.#tell("healed");
    // Half of the time, the next faults hit a cluster that has not recovered yet.
    if (this.#choice.chance(0.5)) await this.#recovery();
    await pause(Math.min(leftMs(), this.#choice.between(200, 1500)));
  }

  async #recovery(): Promise<void> {
    const { cluster, acknowledged } = this.#options;
    await cluster.repair();
    const goal = acknowledged() + RECOVERY.operations;
    await eventually("operations after a fault", () => acknowledged() >= goal, RECOVERY.withinMs);
    this.#tell("all is well");
  }

  /** Draws kinds of faults; each comes once before any is repeated. */
  #draw(count: number): Fault[] {
    while (this.#deck.length < count) this.#deck = [...this.#choice.shuffled(this.#possible), ...this.#deck];
    return this.#deck.splice(-count);
  }

  #tell(what: string): void {
    this.events.push({ atMs: Math.round(performance.now() - this.#startMs), what });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
