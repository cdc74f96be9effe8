/**
 * Leader leases (dissertation §6.4.1): a leader answers reads without a round of
 * heartbeats while no other leader can have been elected.
 *
 * The argument, part by part:
 *
 * - **The promise.** A node that receives an AppendEntries or InstallSnapshot from
 *   the leader of its term ignores vote requests for a minimum election timeout
 *   from then on (leader stickiness, §4.2.3): {@linkcode promisedToLeader}. It
 *   ignores the request's term too, so that a newer term seen elsewhere does not
 *   cut the promise short.
 * - **From the sending.** A quorum that acknowledged a heartbeat round made its
 *   promises after the round was sent. So the lease runs from the *sending* of the
 *   newest acknowledged round, and ends before the first of these promises can.
 *   Every later election needs a vote of that quorum, hence none succeeds within
 *   the lease. lib/node/lease.ts measures it.
 * - **Drift.** The lease is shorter than the minimum election timeout by the
 *   fraction that clocks may drift apart (`maxClockDrift`). It ends by whichever of
 *   the monotonic and the wall clock shows more time: the former may stop while
 *   the machine sleeps, the latter may be set back.
 * - **One tick more.** Followers count their promise in ticks, and the first tick
 *   may come right after the message. So `electionTicks` is one more than the
 *   minimum election timeout has ticks (lib/node/config.ts).
 * - **Restart.** A restarted node does not know what it promised before it
 *   crashed. It grants no vote for one minimum election timeout:
 *   {@linkcode mayHavePromised}.
 * - **Transfer.** A campaign by TimeoutNow overrides the promise (§3.10), and a
 *   TimeoutNow may arrive late, after the transfer was given up. So a leader has
 *   no lease during a transfer, nor in the rest of a term in which a TimeoutNow was sent.
 * - **The first commit.** As with ReadIndex, a new leader serves nothing before an
 *   entry of its own term has committed (§8).
 */

import type { State } from "./state.ts";

/** Reports whether this leader may answer reads from a lease, provided that the lease has not run out. */
export function mayServeLease(state: State): boolean {
  const { leadership } = state;
  return leadership !== null && leadership.transferTo === null && !leadership.timeoutNowSent && state.committedInTerm;
}

/** Reports whether this node is the leader, or received a message from one less than a minimum election timeout ago, and so must not vote. */
export function promisedToLeader(state: State): boolean {
  return state.role === "leader" || state.ticksSinceLeader < state.config.electionTicks;
}

/** Reports whether a promise from before the last restart may still be in force. */
export function mayHavePromised(state: State): boolean {
  return state.graceTicks > 0;
}
