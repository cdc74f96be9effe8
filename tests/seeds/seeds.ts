/**
 * Runs that have found a bug, reduced by `deno task simulate --seed N --shrink`. Each
 * names the mutant (tests/mutants/) that brings the bug back: with it the run fails.
 * A run depends on the simulator, too, so after a change of it a run may no longer
 * fail with its mutant; the mutant's directed test stays. Bugs that no small run
 * shows only have their directed tests: CHANGELOG.md names them.
 *
 * @module
 */

import type { SimulationOptions } from "../../simulation/mod.ts";

/** A run, and the bug that it found. */
export type Found = SimulationOptions & {
  /** The bug, and the date of its fix. */
  readonly history: string;
  /** The mutant that brings the bug back. */
  readonly mutant: string;
};

/** All runs, oldest first. */
export const FOUND: readonly Found[] = [
  {
    history: "2026-11-27: after a failed fsync a restart acted on bytes that no disk had",
    mutant: "last-batch-not-rewritten",
    seed: 15,
    nodes: 3,
    node: { snapshotEntries: 4, trailingEntries: 0 },
    durationMs: 16602.081,
    decisions: ["fault#26:failedSync", "fault#27:joint", "fault#41:powerFailure"],
  },
  {
    history: "2026-11-27: a member that came again under its name with an empty disk elected itself",
    mutant: "namesake-votes-by-name",
    seed: 12,
    nodes: 1,
    faults: ["member", "replace", "joint"],
    durationMs: 8751.158,
    decisions: [
      "client of-n1.1#25:request",
      "client c1.1#23:request",
      "fault#3:member",
      "fault#4:member",
      "fault#12:member",
      "fault#14:replace",
    ],
  },
  {
    history: "2026-11-27: a follower in doubt of its disk waited for a snapshot for ever",
    mutant: "doubt-beside-the-log-ignored",
    seed: 34,
    nodes: 3,
    faults: ["failedSync", "partition", "snapshot", "crash"],
    node: { snapshotEntries: 4, trailingEntries: 0 },
    durationMs: 3750,
    decisions: [
      "client c2.2#12:request",
      "fault#2:failedSync",
      "client c2.2#87:request",
      "client c2.2#88:request",
      "client c2.2#89:request",
      "client c2.2#90:request",
      "fault#3:failedSync",
    ],
  },
  {
    history: "2026-11-27: a failed read of a snapshot stopped the node as a fault of the library",
    mutant: "snapshot-read-error-as-it-came",
    seed: 6,
    nodes: 3,
    faults: ["readError", "partition", "snapshot"],
    node: { snapshotEntries: 4, trailingEntries: 0 },
    durationMs: 3518,
    decisions: ["client c1.1#7:request", "client c3.2#6:request", "fault#3:readError", "fault#7:readError"],
  },
  {
    history: "2026-11-27: a leader asked its disk for entries that it was only writing, and the read failed as a whole",
    mutant: "entries-read-before-durable",
    seed: 3,
    faults: [],
    node: { snapshotEntries: 4, trailingEntries: 0 },
    durationMs: 1095,
    decisions: [
      "client c4.1#1:request",
      "client c1.1#1:request",
      "client c3.2#1:request",
      "client c3.1#1:request",
      "client c2.2#1:request",
      "client c2.1#1:request",
      "client c4.1#2:request",
      "client c4.1#3:request",
      "client c1.1#2:request",
      "client c3.2#4:request",
      "client c1.1#4:request",
      "client c2.1#3:request",
      "client c3.1#4:request",
    ],
  },
];
