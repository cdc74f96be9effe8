/**
 * Checks that nothing is left of requests once all have ended: counters of requests and
 * bytes in flight, at nodes and at clients. One that leaks makes a node or a client
 * refuse everything after days.
 */

import type { Coordinator } from "../../lib/client/coordinator.ts";
import { KeyValue } from "../../lib/kv/key_value.ts";
import type { ForwardBudget } from "../../hosting/forward_budget.ts";
import type { RaftNode } from "../../lib/node/raft_node.ts";

/** A client, as these checks see it. */
interface IdleClient {
  readonly name: string;
  readonly coordinator: Coordinator;
}

/** A machine, as these checks see it. */
interface IdleMachine {
  readonly name: string;
  /** `null` while it is down. */
  readonly node: RaftNode | null;
  /** `null` if it has no server. */
  readonly server: { readonly budget: ForwardBudget } | null;
  readonly application: unknown;
}

/** Returns what is left at a client that has no request under way; `null` if nothing is. */
export function leftAtClient({ name, coordinator }: IdleClient): string | null {
  return firstLeft(name, Object.entries(coordinator.inFlight));
}

/**
 * Returns what is left at a node that serves no request; `null` if nothing is.
 *
 * @param peers the peers that are well and have the whole log
 */
export function leftAtNode(
  { name, node, server, application }: IdleMachine,
  peers: ReadonlySet<string>,
): string | null {
  if (node === null) return null;
  const { snapshotTransfers, retainedBytes, ...requests } = node.inFlight();
  const left = Object.entries(requests);
  const view = node.inspect();
  const all = view.progress();
  for (const { id, inflightMessages, inflightBytes } of all) {
    if (peers.has(id)) left.push([`messages to ${id}`, inflightMessages], [`bytes to ${id}`, inflightBytes]);
  }
  // A member that does not answer may need a snapshot for ever.
  if (all.every(({ id }) => peers.has(id))) {
    left.push(["snapshot transfers", snapshotTransfers], ["retained bytes", retainedBytes]);
  }
  if (server !== null) {
    const { requests, bytes } = server.budget.counts;
    left.push(["forwarded requests", requests], ["bytes of forwarded requests", bytes]);
  }
  if (application instanceof KeyValue) left.push(["watchers", application.waitingWatchers]);
  return firstLeft(name, left);
}

/** Returns what is left at a node that has stopped itself; `null` if nothing is. */
export function leftAtStopped({ name, node }: Pick<IdleMachine, "name" | "node">): string | null {
  // A process may also be ended while its node runs.
  if (node === null || node.lifecycle === "running") return null;
  // A query that a slow state machine is answering ends a moment later.
  const { proposals, proposalBytes, adminRequests } = node.inFlight();
  return firstLeft(name, Object.entries({ proposals, proposalBytes, adminRequests }));
}

function firstLeft(name: string, counters: readonly (readonly [string, number])[]): string | null {
  const left = counters.find(([, number]) => number !== 0);
  return left === undefined ? null : `${name} is idle, and has ${left[1]} ${left[0]}`;
}
