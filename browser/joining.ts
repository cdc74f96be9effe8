/**
 * The way of a node into a running cluster: it asks to be added.
 */

import type { AdminTransport } from "../lib/client/client_transport.ts";
import { ClusterAdmin } from "../lib/client/cluster_admin.ts";
import { RaftError } from "../lib/errors.ts";
import { systemClock } from "../lib/host.ts";
import type { NodeStatus } from "../lib/node/types.ts";
import { pause } from "../lib/pause.ts";

/** A node that wants to join. */
export interface JoiningNode {
  /** Returns its status. */
  status(): NodeStatus;
  /** Its address for other nodes. */
  readonly address: string;
  /** Returns the addresses of the nodes to ask now. */
  through(): readonly string[];
  /** Reaches those nodes. */
  readonly client: AdminTransport;
  /** Receives the error of each attempt that another one follows. */
  waiting(error: RaftError): void;
  readonly signal: AbortSignal;
  /** The longest wait for one node before another is asked. @default 10000 */
  readonly attemptTimeoutMs?: number;
}

const ASK_INTERVAL_MS = 250;

/** Reports whether the node's own membership names it, with its current data, in the role that it wants. */
function takesPart({ id, incarnation, members }: NodeStatus, as: "learner" | "voter"): boolean {
  return members.some((member) =>
    member.id === id && member.incarnation === incarnation && (as === "learner" || member.suffrage === "voter")
  );
}

/**
 * Asks to be added, until the node's own log shows that it takes part.
 *
 * @throws {RaftError} if the cluster refuses permanently; `aborted`
 */
export async function join(node: JoiningNode, as: "learner" | "voter"): Promise<void> {
  const { signal, address, client, attemptTimeoutMs = 10_000 } = node;
  const admin = new ClusterAdmin({ endpoints: () => node.through(), transport: client, attemptTimeoutMs });
  const options = { signal, timeoutMs: Infinity, onRetry: (error: RaftError) => node.waiting(error) };
  while (!takesPart(node.status(), as)) {
    if (signal.aborted) throw new RaftError("aborted", "the node was closed before it had joined");
    const { id, incarnation } = node.status();
    await admin.add({ id, address, incarnation, learner: as === "learner" }, options);
    if (!takesPart(node.status(), as)) await pause(systemClock, ASK_INTERVAL_MS, signal);
  }
}
