/**
 * Liveness and readiness of a node.
 */

import type { NodeStatus } from "../lib/node/types.ts";

/** One condition of readiness. */
export interface Check {
  readonly name: "running" | "storage" | "member" | "leader" | "applied";
  readonly ok: boolean;
  /** The reason, if it does not hold; otherwise empty. */
  readonly detail: string;
}

/** The most committed entries that a ready node may still have to apply. */
const MAX_APPLY_LAG = 10_000;

function check(name: Check["name"], ok: boolean, detail: string): Check {
  return { name, ok, detail: ok ? "" : detail };
}

/** Reports whether the process should keep running; this never depends on other nodes. */
export function isAlive(status: NodeStatus): boolean {
  return status.lifecycle === "running";
}

/**
 * Returns the conditions of `/readyz`: whether this node can serve requests.
 *
 * @param reason the reason why the node takes no part in its cluster, if it is known
 */
export function readiness(status: NodeStatus, reason?: string): readonly Check[] {
  const lag = status.commitIndex - status.appliedIndex;
  return [
    check("running", status.lifecycle === "running", status.lifecycle),
    check("storage", status.storage.healthy, status.storage.error ?? "failed"),
    check(
      "member",
      !status.removed && status.members.some((member) => member.id === status.id),
      status.removed ? "removed from its cluster" : "not a member of a cluster (yet)",
    ),
    check("leader", status.leader !== null, reason ?? "no leader is known"),
    check("applied", lag <= MAX_APPLY_LAG, `${lag} committed entries are not applied yet`),
  ];
}

/** Returns the checks as text, a line each, in the style of Kubernetes. */
export function readinessText(checks: readonly Check[]): string {
  const lines = checks.map(({ name, ok, detail }) => ok ? `[+]${name} ok` : `[-]${name} failed: ${detail}`);
  lines.push(checks.every(({ ok }) => ok) ? "readyz check passed" : "readyz check failed");
  return lines.join("\n") + "\n";
}
