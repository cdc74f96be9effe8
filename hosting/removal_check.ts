/**
 * A node without a leader asks the members that it knows whether it is still one of
 * them: a node that was removed while it was down receives nothing that would say so.
 */

import type { ClientTransport } from "../lib/client/client_transport.ts";
import type { Clock } from "../lib/clock.ts";
import type { RaftNode } from "../lib/node/mod.ts";
import { pause } from "../lib/pause.ts";

/** Options of {@linkcode watchRemoval}. Times in milliseconds. */
export interface RemovalCheckOptions {
  readonly node: Pick<RaftNode, "status" | "learn">;
  /** Asks the members. */
  readonly client: Pick<ClientTransport, "status">;
  readonly clock: Clock;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** The interval of its looks for a leader. @default 250 */
  readonly intervalMs?: number;
  /** The longest pause between two rounds of questions; the first one is `intervalMs`. @default 5000 */
  readonly maxPauseMs?: number;
}

/** The time that a member may take to answer. */
const ANSWER_TIMEOUT_MS = 2000;

/** Asks, at growing intervals, for as long as the node has no leader; until the signal fires. */
export async function watchRemoval(options: RemovalCheckOptions): Promise<void> {
  const { node, clock, signal, intervalMs = 250, maxPauseMs = 5000 } = options;
  let pauseMs = 0;
  let askedMs = -Infinity;
  while (!signal.aborted) {
    const { lifecycle, role, leader, clusterId } = node.status();
    if (lifecycle !== "running") return;
    if (role === "leader" || leader !== null || clusterId === "") pauseMs = 0;
    else if (clock.monotonicMs() - askedMs >= pauseMs) {
      await ask(options);
      askedMs = clock.monotonicMs();
      pauseMs = Math.min(maxPauseMs, Math.max(intervalMs, pauseMs * 2));
    }
    await pause(clock, intervalMs, signal);
  }
}

/** Asks each other member that this node knows for its status. */
async function ask({ node, client, signal }: RemovalCheckOptions): Promise<void> {
  const { id, members } = node.status();
  await Promise.all(
    members.filter((member) => member.id !== id).map(async ({ address }) => {
      try {
        const inTime = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
        node.learn(await client.status(address, { signal: inTime }));
      } catch {
        // A member that does not answer says nothing.
      }
    }),
  );
}
