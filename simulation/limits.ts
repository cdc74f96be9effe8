/**
 * The limits of a run: every option of the parts that run in the simulator, and
 * whether a plan varies it. An option that is missing here does not compile.
 */

import type { ForwardLimits } from "../hosting/forward_budget.ts";
import type { CoordinatorOptions } from "../lib/client/coordinator.ts";
import type { KeyValueOptions } from "../lib/kv/key_value.ts";
import type { RaftNodeOptions } from "../lib/node/types.ts";
import type { SessionLimits } from "../lib/sessions/session_table.ts";
import type { FileStorageOptions } from "../storage/file/file_storage.ts";
import type { Stream } from "./decisions.ts";

/** A stream for each trait, so that a new one does not change the others. */
export type Traits = (name: string) => Stream;

/** The limits of the parts, as far as a plan draws them. */
export interface Limits {
  readonly node: Partial<RaftNodeOptions>;
  readonly storage: Required<FileStorageOptions>;
  readonly sessions: SessionLimits;
  readonly keyValue: KeyValueOptions;
  /** The limits of the requests that a node forwards. */
  readonly forwards: ForwardLimits;
  /** The limits of each client. */
  readonly coordinator: Partial<CoordinatorOptions>;
}

/** The limits of the parts by their names. */
export type LimitedPart = keyof Limits;

/** The treatment of each option: `varied` by the plan, or the reason why it is not. */
type Treatments<Options> = Readonly<Record<keyof Options, string>>;

const VARIED = "varied";
const OF_THE_MACHINE = "a part of the machine, and not a limit";

/** All options of the parts that run in the simulator. */
export const TREATMENTS: {
  readonly node: Treatments<RaftNodeOptions>;
  readonly storage: Treatments<FileStorageOptions>;
  readonly sessions: Treatments<SessionLimits>;
  readonly keyValue: Treatments<KeyValueOptions>;
  readonly forwards: Treatments<ForwardLimits>;
  readonly coordinator: Treatments<CoordinatorOptions>;
} = {
  node: {
    id: OF_THE_MACHINE,
    address: OF_THE_MACHINE,
    stateMachine: OF_THE_MACHINE,
    storage: OF_THE_MACHINE,
    loaded: "servers load a storage before they start a node; the simulator leaves it to the node",
    transport: OF_THE_MACHINE,
    host: OF_THE_MACHINE,
    bootstrap: OF_THE_MACHINE,
    expectedClusterId: "there is one cluster, whose id a new node learns from its first message",
    incarnation: OF_THE_MACHINE,
    electionTimeoutMs: VARIED,
    heartbeatIntervalMs: VARIED,
    leaseReads: VARIED,
    maxClockDrift: VARIED,
    snapshotEntries: VARIED,
    snapshotBytes: VARIED,
    snapshotRatio: VARIED,
    maxLogBytes: VARIED,
    trailingEntries: VARIED,
    maxRetainedBytes: VARIED,
    snapshotBytesPerSecond: VARIED,
    snapshotChunkBytes: VARIED,
    maxBatchBytes: VARIED,
    maxInflightMessages: VARIED,
    maxInflightBytes: VARIED,
    maxUncommittedBytes: VARIED,
    maxCachedBytes: VARIED,
    maxCommandBytes: VARIED,
    storageStallTimeoutMs: VARIED,
  },
  storage: { segmentBytes: VARIED },
  sessions: {
    maxSessions: VARIED,
    maxIdleEntries: VARIED,
    maxOutstanding: VARIED,
    maxReplyBytes: VARIED,
    maxTotalReplyBytes: VARIED,
  },
  keyValue: { historyChanges: VARIED, historyBytes: VARIED },
  forwards: { maxForwardedRequests: VARIED, maxForwardedBytes: VARIED },
  coordinator: {
    endpoints: OF_THE_MACHINE,
    transport: OF_THE_MACHINE,
    host: OF_THE_MACHINE,
    timeoutMs: VARIED,
    attemptTimeoutMs: VARIED,
    session: "each client draws whether it has a session",
    raw: "each seed draws whether all clients send raw commands, and then no state machine is wrapped in Sessions",
    maxBatchCommands: VARIED,
    maxBatchBytes: VARIED,
    maxInflightCalls: VARIED,
    maxQueuedBytes: VARIED,
    minBackoffMs: VARIED,
    maxBackoffMs: VARIED,
    endpointOf: OF_THE_MACHINE,
  },
};

/** The share of seeds in which the rarer limits are small, too: each of them in half of these. */
const NARROW_SHARE = 0.3;

/**
 * Draws limits that are small enough to be reached in a short run.
 *
 * @param long set for a run that has the time to reach the rarer limits, too
 */
export function drawLimits(of: Traits, long: boolean): Limits {
  const narrow = of("narrow").chance(NARROW_SHARE) || long;
  /** Draws a limit that most seeds leave at its default. */
  const rarely = <Name extends string>(name: Name, ...values: readonly number[]): { readonly [N in Name]?: number } =>
    narrow && of(name).chance(0.5) ? { [name]: of(name).pick(values)! } as { [N in Name]: number } : {};
  const fewSessions = of("sessions").chance(0.2);
  return {
    node: {
      ...drawNodeLimits(of),
      ...rarely("snapshotBytes", 0, 1000, 10_000),
      ...rarely("snapshotRatio", 0.3, 1, 3),
      ...rarely("maxLogBytes", 0, 3000, 30_000),
      ...rarely("maxCommandBytes", 200, 1500),
    },
    storage: { segmentBytes: (narrow ? of("narrow segmentBytes") : of("segmentBytes")).pick(segmentSizes(narrow))! },
    sessions: {
      ...fewSessions ? { maxSessions: of("maxSessions").between(2, 6), maxOutstanding: 8 } : {},
      ...rarely("maxIdleEntries", 5, 40, 200),
      ...rarely("maxOutstanding", 1, 2, 8),
      ...rarely("maxReplyBytes", 1, 20),
      ...rarely("maxTotalReplyBytes", 200, 1000),
    },
    keyValue: { ...rarely("historyChanges", 1, 50), ...rarely("historyBytes", 100, 5000) },
    forwards: { ...rarely("maxForwardedRequests", 1, 2, 4), ...rarely("maxForwardedBytes", 1, 100, 3000) },
    coordinator: {
      ...rarely("maxBatchCommands", 1, 3),
      ...prefixed(rarely("client maxBatchBytes", 1, 100, 2000)),
      ...rarely("maxInflightCalls", 1, 4),
      ...rarely("maxQueuedBytes", 1, 200, 3000),
      ...rarely("minBackoffMs", 1, 200),
    },
  };
}

/** Segments of a few batches; in narrow seeds of one batch, or hardly more. */
function segmentSizes(narrow: boolean): readonly number[] {
  return narrow ? [1, 150, 300, 600] : [600, 2000, 8000, 2 ** 20];
}

/** The node has a limit of the same name, which is drawn by itself. */
function prefixed(drawn: { readonly "client maxBatchBytes"?: number }): Partial<CoordinatorOptions> {
  const maxBatchBytes = drawn["client maxBatchBytes"];
  return maxBatchBytes === undefined ? {} : { maxBatchBytes };
}

function drawNodeLimits(of: Traits): Partial<RaftNodeOptions> {
  return {
    snapshotEntries: of("snapshotEntries").pick([0, 15, 40, 120])!,
    // States and logs of a short run are small: in most seeds only the number of entries counts.
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

/** Draws limits of real sizes, or of a tenth of them, for states of megabytes. */
export function drawLargeLimits(of: Traits): Limits {
  const pick = (name: string, ...values: readonly number[]): number => of(`large ${name}`).pick(values)!;
  return {
    node: {
      snapshotEntries: pick("snapshotEntries", 0, 700, 2000),
      snapshotBytes: pick("snapshotBytes", 0, 300_000, 1_000_000),
      snapshotRatio: pick("snapshotRatio", 0, 0.3, 1),
      maxLogBytes: pick("maxLogBytes", 0, 2_000_000),
      maxRetainedBytes: pick("maxRetainedBytes", 0, 500_000, 512 * MIB),
      trailingEntries: pick("trailingEntries", 0, 200, 1000),
      // Chunks that overtake each other are sent again, some only after an election timeout: there must not be too many.
      snapshotChunkBytes: pick("snapshotChunkBytes", 100_000, 256 * KIB),
      snapshotBytesPerSecond: pick("snapshotBytesPerSecond", 0, 2 * MIB, 64 * MIB),
      maxBatchBytes: pick("maxBatchBytes", 30_000, 512 * KIB),
      maxInflightMessages: pick("maxInflightMessages", 4, 128),
      maxInflightBytes: pick("maxInflightBytes", 500_000, 8 * MIB),
      maxUncommittedBytes: pick("maxUncommittedBytes", MIB, 64 * MIB),
      // From the first of these on, entries are packed (lib/raft/entry_cache.ts).
      maxCachedBytes: pick("maxCachedBytes", 256 * KIB, 350_000, 32 * MIB),
    },
    storage: { segmentBytes: pick("segmentBytes", 100_000, MIB, 64 * MIB) },
    sessions: {},
    keyValue: {},
    forwards: {},
    coordinator: {},
  };
}

const KIB = 1024;
const MIB = 1024 * KIB;
