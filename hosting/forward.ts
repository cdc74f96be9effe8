/**
 * Carries a request out where it can be: here if this node leads, else at the
 * leader, one hop away.
 *
 * @module
 */

import { RaftError } from "../lib/errors.ts";
import type { LeaderHint, RaftErrorCode } from "../lib/errors.ts";
import { pause } from "./pause.ts";
import type { ServedNode } from "./served_node.ts";

/** How one request is carried out, here and elsewhere. */
export interface Work<Result> {
  /** At this node, which leads (or did a moment ago). */
  here(signal: AbortSignal): Promise<Result>;
  /** At the leader; it must not pass the request on again. */
  there(leader: LeaderHint, signal: AbortSignal): Promise<Result>;
}

/** Options of {@linkcode atLeader}. */
export interface AtLeaderOptions {
  /** How long to wait for a leader and its answer. */
  readonly timeoutMs: number;
  /** Another node passed this request on: it ends here. */
  readonly forwarded?: boolean;
  /** Errors after which it is tried again, as long as it had no effect. @default those that pass with an election */
  readonly tryAgainAfter?: readonly RaftErrorCode[];
  /** The caller's. */
  readonly signal?: AbortSignal | undefined;
}

/** How often to look for a new leader while there is none. */
const LOOK_INTERVAL_MS = 25;

/**
 * Without effect, and likely to go better with another leader. Nothing else is
 * ever sent twice: a write without a session could be applied twice.
 */
function mayTryAgain(error: unknown, codes: readonly RaftErrorCode[]): error is RaftError {
  return error instanceof RaftError && error.outcome === "rejected" && codes.includes(error.code);
}

const PASSING: readonly RaftErrorCode[] = ["not_leader", "no_leader", "unreachable", "leadership_lost", "not_ready"];

/** Says `timeout` where it was this server's deadline that ended the work, and keeps the outcome. */
function explained(error: unknown, deadline: AbortSignal, timeoutMs: number): unknown {
  if (!(error instanceof RaftError) || error.code !== "aborted" || !deadline.aborted) return error;
  return new RaftError("timeout", `No answer within ${timeoutMs} ms.`, {
    outcome: error.outcome,
    hint: error.outcome === "unknown"
      ? "Read the value to see whether it was written, before you write again."
      : "Is a majority of the nodes up? Their status tells.",
    ...(error.leader === undefined ? {} : { leader: error.leader }),
    cause: error,
  });
}

/**
 * Carries out `work` at the leader. Waits for one while there is none, up to the
 * timeout; tries again only what surely had no effect.
 *
 * @throws {RaftError}
 */
export async function atLeader<Result>(
  node: Pick<ServedNode, "status">,
  work: Work<Result>,
  options: AtLeaderOptions,
): Promise<Result> {
  // Not AbortSignal.timeout: its timer would live on after each request that ended in time.
  const controller = new AbortController();
  const deadline = new AbortController();
  const timer = setTimeout(() => {
    deadline.abort();
    controller.abort();
  }, options.timeoutMs);
  const onAbort = (): void => controller.abort();
  options.signal?.addEventListener("abort", onAbort);
  if (options.signal?.aborted === true) controller.abort();
  try {
    for (;;) {
      try {
        return await once(node, work, controller.signal, options.forwarded === true);
      } catch (error) {
        if (
          !mayTryAgain(error, options.tryAgainAfter ?? PASSING) || options.forwarded === true ||
          controller.signal.aborted
        ) throw error;
        await pause(LOOK_INTERVAL_MS, controller.signal);
        if (controller.signal.aborted) throw error;
      }
    }
  } catch (error) {
    throw explained(error, deadline.signal, options.timeoutMs);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
  }
}

async function once<Result>(
  node: Pick<ServedNode, "status">,
  work: Work<Result>,
  signal: AbortSignal,
  forwarded: boolean,
): Promise<Result> {
  const { id, leader, role, lifecycle } = node.status();
  // A stopped node has an error of its own to tell.
  if (role === "leader" || lifecycle !== "running" || leader?.id === id) return await work.here(signal);
  if (leader === null) {
    throw new RaftError("no_leader", "No leader is known.", {
      hint: "An election takes a few seconds at most while a majority of the nodes is up. Their status tells.",
    });
  }
  if (forwarded) throw new RaftError("not_leader", `${id} does not lead.`, { leader });
  return await work.there(leader, signal);
}
