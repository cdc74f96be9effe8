/**
 * Carries a request out where that is possible: here if this node leads, else at
 * the leader, one hop away.
 */

import type { Clock } from "../lib/clock.ts";
import { RaftError, retryOf } from "../lib/errors.ts";
import type { LeaderHint } from "../lib/errors.ts";
import { systemClock } from "../lib/host.ts";
import { notAMember } from "../lib/node/errors.ts";
import { pause } from "../lib/pause.ts";
import type { ForwardBudget } from "./forward_budget.ts";
import type { ServedNode } from "./served_node.ts";

/** The two ways to carry out one request. */
export interface Work<Result> {
  /** Carries it out at this node, which leads (or did a moment ago). */
  here(signal: AbortSignal): Promise<Result>;
  /** Carries it out at the leader, which must not forward it again. */
  there(leader: LeaderHint, signal: AbortSignal): Promise<Result>;
}

export interface AtLeaderOptions {
  /** The longest wait for a leader and its answer. */
  readonly timeoutMs: number;
  /** The longest wait for a leader alone. @default timeoutMs */
  readonly leaderTimeoutMs?: number;
  /** Reports whether another node forwarded this request: it goes no further then. */
  readonly forwarded?: boolean;
  /**
   * The errors without effect after which it tries again: only those that ask for another leader, or also those of an
   * unreachable or unready one. @default "any"
   */
  readonly retry?: "leader" | "any";
  /** The memory for requests that are not carried out here. @default unbounded */
  readonly budget?: ForwardBudget | undefined;
  /** The bytes that the request takes of it. @default 0 */
  readonly bytes?: number;
  /** Returns the reason why the node has no leader, if it is more than an election; see {@linkcode LeaderSearch}. */
  reason?(): string | undefined;
  /** @default the machine's own */
  readonly clock?: Clock;
  /** The caller's signal. */
  readonly signal?: AbortSignal | undefined;
}

/** The shortest and the longest interval between two looks for a new leader. */
const MIN_POLL_INTERVAL_MS = 25;
const MAX_POLL_INTERVAL_MS = 250;

/** Returns the time until the next look for a leader: many requests that wait for long must not cost much. */
function pollIntervalMs(waitedMs: number): number {
  return Math.min(Math.max(MIN_POLL_INTERVAL_MS, waitedMs / 4), MAX_POLL_INTERVAL_MS);
}

/**
 * Reports whether a request had no effect and has a chance with another leader.
 * No other request is ever sent twice: a write without a session could be applied twice.
 */
function mayTryAgain(error: unknown, retry: "leader" | "any"): boolean {
  if (!(error instanceof RaftError) || error.outcome === "unknown") return false;
  const kind = retryOf(error.code);
  return kind === "leader" || (retry === "any" && (kind === "elsewhere" || error.code === "not_ready"));
}

/** Converts an abort by this server's own deadline to a `timeout`, and keeps the outcome. */
function explained(error: unknown, deadline: AbortSignal, timeoutMs: number): unknown {
  if (!(error instanceof RaftError) || error.code !== "aborted" || !deadline.aborted) return error;
  return new RaftError("timeout", `no answer within ${timeoutMs} ms`, {
    outcome: error.outcome,
    hint: error.outcome === "unknown"
      ? "Read the value to see whether it was written, before you write again."
      : "Check that a majority of the nodes is up; their status shows it.",
    leader: error.leader,
    cause: error,
  });
}

/**
 * Carries out `work` at the leader. Waits for a leader while there is none, up to
 * the timeout; tries again only after an error that certainly had no effect.
 *
 * @throws {RaftError}
 */
export async function atLeader<Result>(
  node: Pick<ServedNode, "status">,
  work: Work<Result>,
  options: AtLeaderOptions,
): Promise<Result> {
  const { forwarded = false, retry = "any", timeoutMs, leaderTimeoutMs = timeoutMs, budget, bytes = 0 } = options;
  const { clock = systemClock } = options;
  const beganMs = clock.monotonicMs();
  let giveBack: (() => void) | null = null;
  const hold = (): void => {
    if (budget !== undefined) giveBack ??= budget.take(bytes);
  };
  // Not AbortSignal.timeout: its timer would outlive each request that ended in time.
  const controller = new AbortController();
  const deadline = new AbortController();
  const cancelTimer = clock.setTimer(timeoutMs, () => {
    deadline.abort();
    controller.abort();
  });
  const onAbort = (): void => controller.abort();
  options.signal?.addEventListener("abort", onAbort);
  if (options.signal?.aborted === true) controller.abort();
  try {
    for (;;) {
      try {
        return await once(node, work, { signal: controller.signal, forwarded, hold, reason: () => options.reason?.() });
      } catch (error) {
        // A node that has ended, or was removed, reports its own error.
        const { lifecycle, removed } = node.status();
        const waitedMs = clock.monotonicMs() - beganMs;
        const final = forwarded || !mayTryAgain(error, retry) || lifecycle !== "running" || removed ||
          waitedMs >= leaderTimeoutMs;
        if (final || controller.signal.aborted) throw error;
        await pause(clock, pollIntervalMs(waitedMs), controller.signal);
        if (controller.signal.aborted) throw error;
      }
    }
  } catch (error) {
    throw explained(error, deadline.signal, timeoutMs);
  } finally {
    (giveBack as (() => void) | null)?.();
    cancelTimer();
    options.signal?.removeEventListener("abort", onAbort);
  }
}

/** One attempt to carry out a request. */
interface Attempt extends Required<Pick<AtLeaderOptions, "forwarded" | "reason">> {
  readonly signal: AbortSignal;
  /** Takes the memory for a request that is not carried out here. */
  hold(): void;
}

async function once<Result>(
  node: Pick<ServedNode, "status">,
  work: Work<Result>,
  { signal, forwarded, hold, reason }: Attempt,
): Promise<Result> {
  const { id, leader, role, lifecycle, removed } = node.status();
  if (removed) throw notAMember(id);
  if (role === "leader" || lifecycle !== "running" || leader?.id === id) return await work.here(signal);
  if (!forwarded) hold();
  // A leader that is not in this node's membership has no address that a request may go to.
  if (leader === null || leader.address === "") throw noLeader(reason());
  if (forwarded) throw new RaftError("not_leader", `node ${id} does not lead`, { leader });
  return await work.there(leader, signal);
}

function noLeader(reason: string | undefined): RaftError {
  if (reason === undefined) {
    return new RaftError("no_leader", "no leader is known", {
      hint: "An election takes a few seconds while a majority of the nodes is up; their status shows it.",
    });
  }
  return new RaftError("no_leader", `no leader is known: ${reason}`, {
    hint: "This is more than an election. Ask another node, or bring those back that do not answer.",
  });
}
