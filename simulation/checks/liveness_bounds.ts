/**
 * The bounds of liveness, in virtual microseconds, from the timeouts of a run's plan
 * and the speed of its network.
 */

import type { Plan } from "../plan.ts";

export interface LivenessBounds {
  /** From a well quorum, or the loss of its leader, to a leader. */
  readonly leader: number;
  /** From a well quorum to the first request that has to be answered: it should have a leader by then, and clients know it. */
  readonly settling: number;
  /** The number of terms in a well interval, beside those of transfers. */
  readonly terms: number;
  /** From the last moment at which a quorum can have answered to the end of the leadership. */
  readonly stranded: number;
  /** From a committed entry to a follower that knows of it. */
  readonly catchUp: number;
  /** The time that a number of entries adds that the follower lacks. */
  readonly backlogOf: (entries: number) => number;
  /** The time that the transfer of a snapshot adds, by its size. */
  readonly transferOf: (bytes: number) => number;
  /** The number of requests in a row that a client waits for in vain. */
  readonly unanswered: number;
  /** The duration of a call at a node. */
  readonly call: number;
  /** The duration of a request at a server, with its wait for the leader and the answer of that. */
  readonly forward: number;
}

/** The longest delay of a message that is delayed at random, or held back by a link: see network.ts and nemesis.ts. */
const DELAYED_US = 300_000;
const REPLAYED_US = 8_000_000;

/** The most bytes of an ordinary entry. */
const ENTRY_BYTES = 200;

/** The transfer under way may be of an older snapshot, after which the newest is needed, and meanwhile a newer one is taken. */
const TRANSFERS = 3;
/** The longest time from a server's deadline to its answer. */
const FORWARD_GRACE_US = 5000;
/** A snapshot is restored in chunks of this size. */
const RESTORED_BYTES = 64 * 1024;

export function boundsOf(plan: Plan): LivenessBounds {
  const { node, network, clients, sessions, coordinator, faults, slow, bulk, forwarding, maxDrift } = plan;
  const timeoutUs = node.electionTimeoutMs * 1000 / (1 - maxDrift);
  const { loss, delay, replay } = network;
  const hopUs = network.leastDelayUs * network.unevenness + network.spreadDelayUs;
  // A message that is lost or late costs a round of heartbeats, or of an election.
  const trouble = 1 + 10 * (loss + delay);
  const callTrouble = 1 + 10 * (clients.lostCall + clients.lateCall);
  const slowUs = slow === null ? 0 : 1000 * slow.mostMs;
  const isNarrow = [sessions, coordinator].some((limits) => Object.keys(limits).length > 0);
  // A client may know only addresses that members have left.
  const isImpeded = callTrouble > 1 || trouble > 1 || isNarrow || faults.has("readdress");
  const { snapshotChunkBytes = 262_144, snapshotBytesPerSecond = 0, storageStallTimeoutMs = 30_000 } = node;
  const transferUs = (bytes: number): number => {
    const chunks = Math.ceil(bytes / snapshotChunkBytes);
    const restoreUs = 2 * slowUs * (4 + bytes / RESTORED_BYTES) * (slow?.others ?? 0) + slowUs;
    const paceUs = snapshotBytesPerSecond === 0 ? 0 : 3 * bytes / snapshotBytesPerSecond * 1_000_000;
    // A chunk that is lost, or that another one overtakes, is sent again, perhaps only after an election timeout.
    const againUs = chunks * timeoutUs * (loss + (network.spreadDelayUs > 0 ? 0.3 : 0));
    return restoreUs + trouble * (4 * chunks * (hopUs + 2000) + againUs + paceUs);
  };
  const { maxBatchBytes = 262_144, maxInflightMessages = 128, maxInflightBytes = 8_388_608 } = node;
  const perBatch = Math.max(1, maxBatchBytes / ENTRY_BYTES);
  const perRoundTrip = Math.max(1, Math.min(perBatch * maxInflightMessages, maxInflightBytes / ENTRY_BYTES));
  return {
    leader: (18 + 4 * trouble) * timeoutUs + 20 * hopUs,
    settling: 6 * trouble * timeoutUs + 20 * hopUs,
    terms: 12,
    stranded: 3 * timeoutUs + 4 * hopUs + (delay > 0 ? DELAYED_US : 0) + (replay > 0 ? REPLAYED_US : 0),
    // Megabytes of entries take many batches.
    catchUp: ((5 + 2 * trouble) * timeoutUs + 20 * hopUs) * (bulk === null ? 1 : 3),
    backlogOf: (entries) => trouble * entries / perRoundTrip * (2 * hopUs + 2000),
    transferOf: (bytes) => TRANSFERS * transferUs(bytes),
    unanswered: slow !== null ? Infinity : isImpeded ? 10 : 2,
    forward: forwarding === null ? 0 : 1000 * forwarding.timeoutMs / (1 - maxDrift) + FORWARD_GRACE_US,
    // An answer waits for all commands before it.
    call: 20 * slowUs + 1000 * storageStallTimeoutMs / (1 - maxDrift) + trouble * (6 * timeoutUs + 20 * hopUs),
  };
}
