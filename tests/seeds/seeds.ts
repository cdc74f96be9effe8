/**
 * Runs that have found a bug, made small by `deno task simulate --seed N --shrink`.
 * What each of them does follows from the simulator too: after a change of it, a
 * seed may no longer lead where it led. The directed tests that its history names
 * stay.
 *
 * @module
 */

import type { SimulationOptions } from "../../simulation/mod.ts";

/** A run, and what it found. */
export type Found = SimulationOptions & {
  /** What was wrong, and since when it is not. */
  readonly history: string;
};

/** All of them, oldest first. */
export const FOUND: readonly Found[] = [
  {
    history: "2026-11-27: after a failed fsync a restart acted on bytes that no disk had (storage/fault_test.ts)",
    seed: 15,
    nodes: 3,
    durationMs: 16602.125,
    decisions: ["fault#26:failedSync", "fault#27:joint", "fault#41:powerFailure"],
  },
];
