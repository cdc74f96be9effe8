/**
 * Whether a node lives, and whether it is of use.
 *
 * @module
 */

import type { NodeStatus } from "../lib/node/types.ts";

/** One thing that must be so. */
export interface Check {
  readonly name: "running" | "storage" | "member" | "leader" | "applied";
  readonly ok: boolean;
  /** Why not, in a few words; empty if it is so. */
  readonly detail: string;
}

/** Committed entries that may wait to be applied before a node counts as behind. */
const MAX_APPLY_LAG = 10_000;

function check(name: Check["name"], ok: boolean, detail: string): Check {
  return { name, ok, detail: ok ? "" : detail };
}

/** Whether the process should go on: this never depends on other nodes. */
export function isAlive(status: NodeStatus): boolean {
  return status.lifecycle === "running";
}

/** What `/readyz` looks at: whether requests sent here can be served. */
export function readiness(status: NodeStatus): readonly Check[] {
  const lag = status.commitIndex - status.appliedIndex;
  return [
    check("running", status.lifecycle === "running", status.lifecycle),
    check("storage", status.storage.healthy, status.storage.error ?? "failed"),
    check("member", status.members.some((member) => member.id === status.id), "not a member of a cluster (yet)"),
    check("leader", status.leader !== null, "no leader is known"),
    check("applied", lag <= MAX_APPLY_LAG, `${lag} committed entries are not applied yet`),
  ];
}

/** The checks as text, a line each, as Kubernetes has them. */
export function readinessText(checks: readonly Check[]): string {
  const lines = checks.map(({ name, ok, detail }) => ok ? `[+]${name} ok` : `[-]${name} failed: ${detail}`);
  lines.push(checks.every(({ ok }) => ok) ? "readyz check passed" : "readyz check failed");
  return lines.join("\n") + "\n";
}
