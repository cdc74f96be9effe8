/**
 * The plan of a seed's run: the number of nodes, limits, faults and their
 * frequency. It is drawn once, so that one seed has tiny segments and no faults, and
 * another five nodes on failing disks.
 */

import type { RaftNodeOptions } from "../lib/node/types.ts";
import type { SessionLimits } from "../lib/sessions/session_table.ts";
import type { Decisions, Stream } from "./decisions.ts";

/** Everything that may go wrong, and the operations that an operator requests meanwhile. */
export const FAULTS = [
  // The network, message by message.
  "loss",
  "duplication",
  "delay",
  "replay",
  "flip",
  // The network, for a while.
  "partition",
  "clog",
  // A leader that is paused, cut off from the other nodes but not from its clients, and then continues.
  "stranded",
  // Processes and machines.
  "crash",
  "powerFailure",
  "blackout",
  "pause",
  "suspend",
  // Clocks.
  "drift",
  "clockStep",
  "coalescing",
  // Disks.
  "slowDisk",
  "diskFull",
  "shortWrite",
  "failedWrite",
  "failedSync",
  "hangingWrite",
  "readError",
  "rot",
  "wipe",
  // Databases of browsers.
  "databaseLost",
  "secondTab",
  // Requests of an operator.
  "member",
  "joint",
  "replace",
  "transfer",
  "snapshot",
  // Between clients and nodes.
  "lostCall",
  "lateCall",
] as const;

/** The name of a fault, or of an operator's request. */
export type FaultKind = typeof FAULTS[number];

/** A fault of single messages. */
type MessageFault = "loss" | "duplication" | "delay" | "replay" | "flip";

/** A fault or request that happens from time to time. */
export type EpisodeKind = Exclude<FaultKind, MessageFault | "drift" | "lostCall" | "lateCall">;

/** A network, with the probabilities of faults for each message. */
export interface NetworkTraits extends Readonly<Record<MessageFault, number>> {
  readonly leastDelayUs: number;
  /** The factor by which some links may be slower than others, in each direction separately. */
  readonly unevenness: number;
  readonly spreadDelayUs: number;
}

export interface ClientTraits {
  readonly count: number;
  /** Gives each voter an additional client that asks only this voter, no matter which node leads. */
  readonly loyal: boolean;
  readonly keys: number;
  readonly thinkMs: number;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly readShare: number;
  readonly lostCall: number;
  readonly lateCall: number;
}

/** The member that lies. */
export interface LiarTraits {
  readonly name: string;
  /** The probability that a message of its node is replaced by a lie. */
  readonly lies: number;
  /** The probability that it sends one more message, which it has no right to. */
  readonly forgeries: number;
  /** Set if it also tells lies that have to be believed: then each node is checked for itself. */
  readonly deceives: boolean;
}

export interface Plan {
  /** The kinds of faults that may happen. */
  readonly faults: ReadonlySet<FaultKind>;
  readonly voters: number;
  readonly spares: number;
  readonly node: Partial<RaftNodeOptions> & { readonly electionTimeoutMs: number };
  readonly leaseReads: boolean;
  readonly segmentBytes: number;
  /** The share of machines whose nodes run in browsers, with their data in IndexedDB. */
  readonly browserShare: number;
  readonly sessions: SessionLimits;
  readonly network: NetworkTraits;
  readonly clients: ClientTraits;
  /** The member that lies; `null` if all tell the truth. */
  readonly liar: LiarTraits | null;
  /** Set if so many disks may rot that no quorum is left: then the cluster must halt. */
  readonly rotsBeyondQuorum: boolean;
  /** The largest drift of clocks, faster or slower, as a fraction. */
  readonly maxDrift: number;
  /** The mean time between two faults that happen from time to time. */
  readonly episodeGapMs: number;
}

export interface PlanOverrides {
  readonly nodes?: number;
  readonly node?: Partial<RaftNodeOptions>;
  readonly faults?: readonly FaultKind[];
  readonly liars?: boolean;
}

/** The share of seeds with a member that lies, and the fewest voters that it is one of: without it there must be others. */
const LIAR_SHARE = 1 / 8;
const LIAR_VOTERS = 3;

/** The share of seeds in which some nodes run in browsers, or all, and the faults that only those have. */
const BROWSER_SHARE = 1 / 8;
const IN_BROWSERS: ReadonlySet<FaultKind> = new Set(["databaseLost", "secondTab"]);

/** The drift that lease reads allow for, each way: two clocks together stay within RaftNodeOptions.maxClockDrift. */
const LEASE_DRIFT = 0.045;

/** A stream for each trait, so that a new one does not change the others. */
type Traits = (name: string) => Stream;

export function drawPlan(decisions: Decisions, overrides: PlanOverrides): Plan {
  const of: Traits = (name) => decisions.stream(`plan ${name}`);
  const quiet = overrides.faults === undefined && of("quiet").chance(1 / 16);
  const allowed = new Set(quiet ? [] : overrides.faults ?? FAULTS);
  // Each seed has only some of the kinds: with all of them in all seeds, the frequent ones would hide the rest.
  const share = of("share").pick([0.3, 0.5, 0.8])!;
  const browserShare = of("browsers").chance(BROWSER_SHARE) ? of("browserShare").pick([0.4, 1])! : 0;
  const apt = (kind: FaultKind): boolean => browserShare > 0 || !IN_BROWSERS.has(kind);
  const has = new Set(FAULTS.filter((kind) => of(kind).chance(share) && allowed.has(kind) && apt(kind)));
  const leaseReads = of("leaseReads").chance(0.5);
  const electionTimeoutMs = of("electionTimeoutMs").between(300, 1000);
  const network = drawNetwork(of, has, electionTimeoutMs);
  const drawn = overrides.nodes ?? of("voters").pick([1, 2, 3, 3, 3, 3, 4, 5, 5, 6, 7])!;
  const voters = overrides.liars ? Math.max(drawn, LIAR_VOTERS) : drawn;
  return {
    faults: has,
    voters,
    liar: drawLiar(of, voters, overrides),
    spares: of("spares").below(3),
    leaseReads,
    node: {
      electionTimeoutMs,
      heartbeatIntervalMs: Math.floor(electionTimeoutMs / of("heartbeats").between(3, 6)),
      leaseReads,
      storageStallTimeoutMs: electionTimeoutMs * of("stall").between(3, 8),
      ...drawLimits(of),
      ...overrides.node,
    },
    browserShare,
    segmentBytes: of("segmentBytes").pick([600, 2000, 8000, 2 ** 20])!,
    sessions: of("sessions").chance(0.2) ? { maxSessions: of("maxSessions").between(2, 6), maxOutstanding: 8 } : {},
    network,
    clients: drawClients(of, has, electionTimeoutMs, network),
    maxDrift: !has.has("drift") ? 0 : leaseReads ? LEASE_DRIFT : of("maxDrift").pick([0.05, 0.3])!,
    rotsBeyondQuorum: has.has("rot") && of("rotsBeyondQuorum").chance(0.15),
    episodeGapMs: of("episodeGapMs").pick([300, 700, 1500, 3000])!,
  };
}

function drawLiar(of: Traits, voters: number, { faults, liars }: PlanOverrides): LiarTraits | null {
  const drawn = of("liar").chance(LIAR_SHARE) && faults === undefined;
  if (!(liars ?? drawn) || voters < LIAR_VOTERS) return null;
  return {
    name: `n${of("liar").between(1, voters)}`,
    lies: of("lies").pick([0.05, 0.3, 0.8])!,
    forgeries: of("forgeries").pick([0, 0.02, 0.2])!,
    deceives: of("deceives").chance(0.25),
  };
}

/** Draws limits that are small enough to be reached in a short run. */
function drawLimits(of: Traits): Partial<RaftNodeOptions> {
  return {
    snapshotEntries: of("snapshotEntries").pick([0, 15, 40, 120])!,
    // States and logs of a short run are small: only the number of entries counts.
    snapshotRatio: 0,
    maxRetainedBytes: of("maxRetainedBytes").pick([0, 0, 2000, 1_000_000])!,
    trailingEntries: of("trailingEntries").pick([0, 0, 5, 50])!,
    snapshotChunkBytes: of("snapshotChunkBytes").pick([64, 300, 2000, 262_144])!,
    snapshotBytesPerSecond: of("snapshotBytesPerSecond").pick([0, 0, 20_000])!,
    maxBatchBytes: of("maxBatchBytes").pick([60, 300, 5000])!,
    maxInflightMessages: of("maxInflightMessages").pick([1, 3, 128])!,
    maxInflightBytes: of("maxInflightBytes").pick([300, 3000, 1_000_000])!,
    maxUncommittedBytes: of("maxUncommittedBytes").pick([1000, 1_000_000])!,
    maxCachedBytes: of("maxCachedBytes").pick([0, 500, 100_000])!,
  };
}

function drawNetwork(of: Traits, has: ReadonlySet<FaultKind>, electionTimeoutMs: number): NetworkTraits {
  const rate = (kind: FaultKind, ...rates: readonly number[]) => has.has(kind) ? of(`${kind} rate`).pick(rates)! : 0;
  return {
    leastDelayUs: of("leastDelay").pick([100, 500, 2000])!,
    unevenness: of("unevenness").pick([1, 1, 5, 20])!,
    spreadDelayUs: of("spreadDelay").pick([0, 500, 3000, electionTimeoutMs * 50])!,
    loss: rate("loss", 0.005, 0.03, 0.1),
    duplication: rate("duplication", 0.01, 0.05),
    delay: rate("delay", 0.01, 0.05, 0.2),
    replay: rate("replay", 0.01, 0.03),
    flip: rate("flip", 0.005, 0.02),
  };
}

/** The number of hops from a request to its answer: to the leader, to a quorum and back, perhaps after another batch, and to the client. */
const REQUEST_HOPS = 6;

function drawClients(
  of: Traits,
  has: ReadonlySet<FaultKind>,
  electionTimeoutMs: number,
  { leastDelayUs, unevenness, spreadDelayUs }: NetworkTraits,
): ClientTraits {
  const count = of("clients").between(2, 5);
  // A client that waits for less time than an answer takes would retry forever, even in a healthy cluster.
  const leastAttemptMs = Math.ceil(REQUEST_HOPS * (leastDelayUs * unevenness + spreadDelayUs) / 1000);
  const attemptTimeoutMs = Math.floor(electionTimeoutMs * of("attemptTimeout").pick([0.3, 1, 2])!);
  return {
    count,
    loyal: of("loyal").chance(0.4),
    keys: of("keys").between(1, 6),
    // Without faults, they make this many requests a second together.
    thinkMs: Math.ceil(count * 1500 / of("requestRate").pick([50, 90, 130])!),
    timeoutMs: electionTimeoutMs * of("timeout").between(2, 6),
    attemptTimeoutMs: Math.max(attemptTimeoutMs, leastAttemptMs),
    readShare: of("readShare").pick([0.1, 0.3, 0.5])!,
    lostCall: has.has("lostCall") ? of("lostCall rate").pick([0.02, 0.1])! : 0,
    lateCall: has.has("lateCall") ? of("lateCall rate").pick([0.02, 0.1])! : 0,
  };
}
