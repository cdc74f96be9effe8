/**
 * The plan of a seed's run: the number of nodes, limits, faults and their
 * frequency. It is drawn once, so that one seed has tiny segments and no faults, and
 * another five nodes on failing disks.
 */

import type { RaftNodeOptions } from "../lib/node/types.ts";
import type { Decisions } from "./decisions.ts";
import { drawLargeLimits, drawLimits } from "./limits.ts";
import type { Limits, Traits } from "./limits.ts";

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
  // The life of a member: closed in order, moved to another address, removed and added again before it knows.
  "shutdown",
  "readdress",
  "readmit",
  // Files of a node that is down: damage that it must report, and changes that it must cope with.
  "fileDamage",
  "staleFile",
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
  /** Set if messages travel as bytes of the real codec, which takes a quarter of a run's time. */
  readonly encoded: boolean;
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
  /** The largest number of requests that a client has under way. */
  readonly lanes: number;
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

/** The load of a client that fills the state. */
export interface BulkTraits {
  readonly keys: number;
  /** The number of commands that it proposes together. */
  readonly burst: number;
  /** The largest size of most values; a few are larger. */
  readonly valueBytes: number;
}

/** The slowness of state machines: some calls take a while, and all others return at once. */
export interface SlowTraits {
  /** The longest time that a slow call takes. */
  readonly mostMs: number;
  /** The probability that a command or a query is slow. */
  readonly applies: number;
  /** The probability that a chunk of a snapshot is slow, when it is taken or restored. */
  readonly others: number;
}

/** The servers of nodes, which forward requests to the leader. */
export interface ForwardTraits {
  /** How long a server waits for a leader and its answer. */
  readonly timeoutMs: number;
  /** The share of clients that ask any node. */
  readonly clients: number;
  /** The probabilities that a call between two nodes is lost without a sign, is reset, or is late. */
  readonly lost: number;
  readonly resets: number;
  readonly late: number;
}

export interface Plan extends Limits {
  /** The kinds of faults that may happen. */
  readonly faults: ReadonlySet<FaultKind>;
  readonly voters: number;
  readonly spares: number;
  readonly node: Partial<RaftNodeOptions> & { readonly electionTimeoutMs: number };
  readonly leaseReads: boolean;
  /** The share of machines whose nodes run in browsers, with their data in IndexedDB. */
  readonly browserShare: number;
  /** Set if wall clocks may be set back. With lease reads no machine sleeps then. */
  readonly setsClocksBack: boolean;
  /** The load of a run with a state of megabytes; `null` in the others. */
  readonly bulk: BulkTraits | null;
  /** The slowness of state machines; `null` if they answer at once. */
  readonly slow: SlowTraits | null;
  /** Set if clients send raw commands, to state machines without sessions. */
  readonly raw: boolean;
  /** The servers of nodes; `null` if clients reach nodes directly, and none forwards a request. */
  readonly forwarding: ForwardTraits | null;
  readonly network: NetworkTraits;
  readonly clients: ClientTraits;
  /** The member that lies; `null` if all tell the truth. */
  readonly liar: LiarTraits | null;
  /** Set if so many disks may rot that no quorum is left: then the cluster must halt. */
  readonly rotsBeyondQuorum: boolean;
  /** The largest drift of clocks, faster or slower, as a fraction. */
  readonly maxDrift: number;
  /** The multiple of the usual duration. */
  readonly length: number;
  /** The mean time between two faults that happen from time to time. */
  readonly episodeGapMs: number;
}

export interface PlanOverrides {
  readonly nodes?: number;
  readonly node?: Partial<RaftNodeOptions>;
  readonly faults?: readonly FaultKind[];
  readonly liars?: boolean;
  readonly stateMachine?: unknown;
  readonly workload?: unknown;
}

/** The share of seeds with a member that lies, and the fewest voters that it is one of: without it there must be others. */
const LIAR_SHARE = 1 / 8;
const LIAR_VOTERS = 3;

/** The share of seeds in which some nodes run in browsers, or all, and the faults that only those have. */
const BROWSER_SHARE = 1 / 8;
const IN_BROWSERS: ReadonlySet<FaultKind> = new Set(["databaseLost", "secondTab"]);
/** The share of seeds with a state of megabytes and limits of real sizes, which take many times as long as others. */
const LARGE_SHARE = 1 / 16;
/** The share of seeds that last several times as long, so that what leaks slowly reaches a small limit. */
const LONG_SHARE = 1 / 32;
const LONG_TIMES = 4;
/** The share of seeds with slow state machines. */
const SLOW_SHARE = 1 / 6;
/** The share of seeds with raw commands. */
const RAW_SHARE = 1 / 10;
/** The share of seeds in which nodes have servers that forward requests. */
const FORWARD_SHARE = 1 / 8;
/** The commands that are executed in a second, at most, in seeds of small states. */
const COMMANDS_PER_SECOND = 130;

/** The default of RaftNodeOptions.maxClockDrift. */
const DEFAULT_CLOCK_DRIFT = 0.1;

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
  // A wall clock that is set back could hide a sleep from a lease, so with leases there is one or the other.
  const setsClocksBack = !leaseReads || of("setsClocksBack").chance(0.5);
  if (leaseReads && setsClocksBack) has.delete("suspend");
  const electionTimeoutMs = of("electionTimeoutMs").between(300, 1000);
  // Two clocks together drift up to the stated bound, and no further.
  const maxClockDrift = of("maxClockDrift").pick([0.02, DEFAULT_CLOCK_DRIFT, 0.3])!;
  const drawn = overrides.nodes ?? of("voters").pick([1, 2, 3, 3, 3, 3, 4, 5, 5, 6, 7])!;
  const voters = overrides.liars ? Math.max(drawn, LIAR_VOTERS) : drawn;
  const liar = drawLiar(of, voters, overrides);
  const network = drawNetwork(of, has, electionTimeoutMs, liar);
  const clients = drawClients(of, has, electionTimeoutMs, voters, network);
  const bulk = drawBulk(of, overrides);
  const length = bulk === null && of("length").chance(LONG_SHARE) ? LONG_TIMES : 1;
  const limits = bulk === null ? drawLimits(of, length > 1) : drawLargeLimits(of);
  return {
    faults: has,
    voters,
    liar,
    spares: of("spares").below(3),
    leaseReads,
    setsClocksBack,
    bulk,
    slow: drawSlow(of, overrides),
    raw: drawRaw(of, overrides),
    forwarding: drawForwarding(of, has, clients, overrides),
    ...limits,
    node: {
      electionTimeoutMs,
      heartbeatIntervalMs: Math.floor(electionTimeoutMs / of("heartbeats").between(3, 6)),
      leaseReads,
      maxClockDrift,
      storageStallTimeoutMs: electionTimeoutMs * of("stall").between(3, 8),
      ...limits.node,
      ...overrides.node,
    },
    browserShare,
    network,
    clients,
    maxDrift: !has.has("drift") ? 0 : leaseReads ? maxClockDrift / 2 : of("maxDrift").pick([0.05, 0.3])!,
    rotsBeyondQuorum: has.has("rot") && of("rotsBeyondQuorum").chance(0.15),
    length,
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

/** Draws the load of a large run; like a liar, only if the run has everything that a seed may have. */
function drawBulk(of: Traits, { faults, node, stateMachine, workload }: PlanOverrides): BulkTraits | null {
  const large = of("large").chance(LARGE_SHARE);
  if (!large || [faults, node, stateMachine, workload].some((override) => override !== undefined)) return null;
  return {
    keys: of("bulk keys").pick([2000, 5000])!,
    burst: of("bulk burst").pick([30, 100, 300])!,
    valueBytes: of("bulk valueBytes").pick([300, 1200])!,
  };
}

function drawSlow(of: Traits, { faults }: PlanOverrides): SlowTraits | null {
  if (!of("slow").chance(SLOW_SHARE) || faults !== undefined) return null;
  const mostMs = of("slow mostMs").pick([30, 300, 3000])!;
  // The share of the time in which a state machine is busy, so that it can follow.
  const load = of("slow load").pick([0.1, 0.4, 0.8])!;
  return {
    mostMs,
    applies: Math.min(1, load / (COMMANDS_PER_SECOND * mostMs / 2000)),
    others: of("slow others").pick([0.05, 0.5])!,
  };
}

/** Draws whether commands are raw; never with a workload of one's own, whose clients rely on sessions. */
function drawRaw(of: Traits, { stateMachine, workload }: PlanOverrides): boolean {
  return of("raw").chance(RAW_SHARE) && stateMachine === undefined && workload === undefined;
}

function drawForwarding(
  of: Traits,
  has: ReadonlySet<FaultKind>,
  { attemptTimeoutMs }: ClientTraits,
  { faults }: PlanOverrides,
): ForwardTraits | null {
  if (!of("forwarding").chance(FORWARD_SHARE) || faults !== undefined) return null;
  const rate = (kind: FaultKind, name: string) => has.has(kind) ? of(`forwarding ${name}`).pick([0, 0.02, 0.1])! : 0;
  return {
    timeoutMs: Math.ceil(attemptTimeoutMs * of("forwarding timeoutMs").pick([0.7, 1.5, 4])!),
    clients: of("forwarding clients").pick([0.5, 1])!,
    lost: rate("lostCall", "lost"),
    resets: rate("lostCall", "resets") * 2,
    late: rate("lateCall", "late"),
  };
}

/** The share of seeds whose messages are encoded, so that bits can flip in them; beside those with a liar, whose lies may be malformed. */
const ENCODED_SHARE = 1 / 4;

function drawNetwork(
  of: Traits,
  has: ReadonlySet<FaultKind>,
  electionTimeoutMs: number,
  liar: LiarTraits | null,
): NetworkTraits {
  const rate = (kind: FaultKind, ...rates: readonly number[]) => has.has(kind) ? of(`${kind} rate`).pick(rates)! : 0;
  const encoded = of("encoded").chance(ENCODED_SHARE) || liar !== null;
  return {
    leastDelayUs: of("leastDelay").pick([100, 500, 2000])!,
    unevenness: of("unevenness").pick([1, 1, 5, 20])!,
    spreadDelayUs: of("spreadDelay").pick([0, 500, 3000, electionTimeoutMs * 50])!,
    loss: rate("loss", 0.005, 0.03, 0.1),
    duplication: rate("duplication", 0.01, 0.05),
    delay: rate("delay", 0.01, 0.05, 0.2),
    replay: rate("replay", 0.01, 0.03),
    flip: encoded ? rate("flip", 0.005, 0.02) : 0,
    encoded,
  };
}

/** The largest number of requests that a client has under way, in most seeds and in the others. */
const LANES = 2;
const MOST_LANES = 6;
/** The number of hops from a request to its answer: to the leader, to a quorum and back, perhaps after another batch, and to the client. */
const REQUEST_HOPS = 6;

function drawClients(
  of: Traits,
  has: ReadonlySet<FaultKind>,
  electionTimeoutMs: number,
  voters: number,
  { leastDelayUs, unevenness, spreadDelayUs }: NetworkTraits,
): ClientTraits {
  const count = of("clients").between(2, 5);
  const loyal = of("loyal").chance(0.4);
  const together = loyal ? count + voters : count;
  const lanes = of("lanes").chance(0.2) ? MOST_LANES : LANES;
  // A client that waits for less time than an answer takes would retry forever, even in a healthy cluster.
  const leastAttemptMs = Math.ceil(REQUEST_HOPS * (leastDelayUs * unevenness + spreadDelayUs) / 1000);
  const attemptTimeoutMs = Math.floor(electionTimeoutMs * of("attemptTimeout").pick([0.3, 1, 2])!);
  return {
    count,
    loyal,
    keys: of("keys").between(1, 6),
    // Without faults, they make this many requests a second together.
    thinkMs: Math.ceil(together * 1500 / of("requestRate").pick([50, 90, 130])! * lanes / LANES),
    timeoutMs: electionTimeoutMs * of("timeout").between(2, 6),
    attemptTimeoutMs: Math.max(attemptTimeoutMs, leastAttemptMs),
    readShare: of("readShare").pick([0.1, 0.3, 0.5])!,
    lanes,
    lostCall: has.has("lostCall") ? of("lostCall rate").pick([0.02, 0.1])! : 0,
    lateCall: has.has("lateCall") ? of("lateCall rate").pick([0.02, 0.1])! : 0,
  };
}
