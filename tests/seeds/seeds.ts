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
    node: { snapshotEntries: 4, trailingEntries: 0 },
    durationMs: 16601.046,
    decisions: ["fault#26:failedSync", "fault#27:joint", "fault#41:powerFailure"],
  },
  {
    history: "2026-11-27: a member that came again with an empty disk elected itself (raft/election_test.ts)",
    seed: 1,
    nodes: 1,
    faults: ["member", "replace", "joint"],
    durationMs: 4680.008,
    decisions: ["client c3.1#14:request", "client c4.2#14:request", "fault#1:joint", "fault#2:replace"],
  },
  {
    history:
      "2026-11-27: a follower in doubt of its disk waited for a snapshot for ever (cluster/disk_failure_test.ts)",
    seed: 34,
    nodes: 3,
    faults: ["failedSync", "partition", "snapshot", "crash"],
    node: { snapshotEntries: 4, trailingEntries: 0 },
    durationMs: 5000,
    decisions: [
      "client c2.2#1:request",
      "client c1.1#1:request",
      "client c2.1#13:request",
      "client c1.1#14:request",
      "fault#2:failedSync",
      "client c2.2#9:request",
      "client c1.1#16:request",
      "client c1.1#18:request",
      "client c2.2#11:request",
      "fault#3:failedSync",
    ],
  },
];
