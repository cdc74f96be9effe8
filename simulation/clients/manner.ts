/**
 * The manner in which a client asks: how consistent its reads are, how long it waits,
 * and whether it gives up earlier. It is drawn for each request, whatever the workload.
 */

import type { Consistency } from "../../lib/node/types.ts";
import type { Stream } from "../decisions.ts";
import type { Plan } from "../plan.ts";

export interface Manner {
  /** The consistency of a query. */
  readonly consistency: Consistency;
  readonly timeoutMs: number;
  /** The time after which the client aborts the request; `null` if it waits for the outcome. */
  readonly abortMs: number | null;
}

const STALE_SHARE = 0.15;
/** The share of requests that are aborted, and of those with a shorter timeout than usual. */
const ABORT_SHARE = 0.06;
const IMPATIENT_SHARE = 0.1;

export function drawManner(chance: Stream, { leaseReads, clients: { timeoutMs } }: Plan): Manner {
  const aborts = chance.chance(ABORT_SHARE);
  const impatient = chance.chance(IMPATIENT_SHARE);
  const unit = chance.unit();
  return {
    consistency: drawConsistency(chance, leaseReads),
    timeoutMs: impatient ? Math.ceil(timeoutMs * (0.1 + 0.9 * unit)) : timeoutMs,
    // Most of them early, while the request is on its way.
    abortMs: aborts ? Math.floor(timeoutMs * unit ** 3) : null,
  };
}

/** Without leases, a node serves a lease read as a linearizable one. */
function drawConsistency(chance: Stream, leaseReads: boolean): Consistency {
  if (chance.chance(STALE_SHARE)) return "stale";
  return chance.chance(leaseReads ? 0.8 : 0.1) ? "lease" : "linearizable";
}
