/**
 * How a node gets into a cluster that runs: it asks to be added.
 *
 * @module
 */

import { isRetryable, RaftError } from "../lib/errors.ts";
import { systemClock } from "../lib/host.ts";
import { pause } from "../lib/pause.ts";
import type { NodeStatus } from "../lib/node/types.ts";
import { AdminService } from "../transport/wire/gen/raft/v1/admin_pb.ts";
import { callUnary } from "../transport/packet/packet_client.ts";
import type { CallSender } from "../transport/packet/packet_client.ts";

/** What {@linkcode join} needs. */
export interface JoiningNode {
  /** The account of the node that joins. */
  status(): NodeStatus;
  /** Where others reach it. */
  readonly address: string;
  /** The addresses of those to ask now. */
  through(): readonly string[];
  /** Reaches those who are asked. */
  readonly transport: { readonly call: CallSender };
  /** Told of what goes wrong, while it is tried again. */
  waiting(error: RaftError): void;
  readonly signal: AbortSignal;
  /** How long to wait for one before another is asked. @default 10000 */
  readonly attemptTimeoutMs?: number;
}

const ASK_INTERVAL_MS = 250;

/** One that knows no leader holds a request for longer, while another may know. To ask again goes on where it ended. */
const ATTEMPT_TIMEOUT_MS = 10_000;

/** Whether the membership that the node has names it, its data included, as it wants to be. */
function takesPart({ id, incarnation, members }: NodeStatus, as: "learner" | "voter"): boolean {
  return members.some((member) =>
    member.id === id && member.incarnation === incarnation && (as === "learner" || member.suffrage === "voter")
  );
}

/**
 * Asks one node after the other to add this one, until its own log says that it
 * takes part. Whoever is asked passes the request on to the leader.
 *
 * @throws {RaftError} what the cluster refuses for good; `aborted`
 */
export async function join(node: JoiningNode, as: "learner" | "voter"): Promise<void> {
  const { signal, transport, address, attemptTimeoutMs = ATTEMPT_TIMEOUT_MS } = node;
  for (let turn = 0; !takesPart(node.status(), as); turn++) {
    if (signal.aborted) throw new RaftError("aborted", "the node was closed before it had joined");
    const { id, incarnation } = node.status();
    const request = { id, address, incarnation, learner: as === "learner" };
    const through = node.through();
    const to = through[turn % through.length];
    try {
      if (to === undefined) throw new RaftError("unreachable", "No member of the cluster has answered yet.");
      const late = AbortSignal.any([signal, AbortSignal.timeout(attemptTimeoutMs)]);
      await callUnary(transport, AdminService.method.addMember, to, request, { signal: late });
    } catch (error) {
      // A page's client answers `unsupported`; the next one may be a node.
      if (!(error instanceof RaftError) || !(isRetryable(error, true) || error.code === "unsupported")) throw error;
      node.waiting(error);
    }
    if (!takesPart(node.status(), as)) await pause(systemClock, ASK_INTERVAL_MS, signal);
  }
}
