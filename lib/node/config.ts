/**
 * Options, checked and with their defaults.
 */

import { RaftError } from "../errors.ts";
import { systemHost } from "../host.ts";
import type { RaftNodeOptions } from "./types.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** The largest chunk of a snapshot that a message may carry. */
export const MAX_CHUNK_BYTES = 256 * KIB;

type NumericOption = {
  [K in keyof RaftNodeOptions]-?: NonNullable<RaftNodeOptions[K]> extends number ? K : never;
}[keyof RaftNodeOptions];

/** The default and the least value of each number. */
const NUMBERS: Readonly<Record<NumericOption, readonly [byDefault: number, least: number]>> = {
  electionTimeoutMs: [1000, 1],
  heartbeatIntervalMs: [100, 1],
  maxClockDrift: [0.1, 0],
  snapshotEntries: [10_000, 0],
  snapshotBytes: [64 * MIB, 0],
  snapshotRatio: [1, 0],
  maxLogBytes: [1024 * MIB, 0],
  trailingEntries: [1000, 0],
  maxRetainedBytes: [512 * MIB, 0],
  snapshotBytesPerSecond: [64 * MIB, 0],
  snapshotChunkBytes: [MAX_CHUNK_BYTES, 1],
  maxBatchBytes: [512 * KIB, 1],
  maxInflightMessages: [128, 1],
  maxInflightBytes: [8 * MIB, 1],
  maxUncommittedBytes: [64 * MIB, 1],
  maxCachedBytes: [32 * MIB, 0],
  maxCommandBytes: [2 * MIB, 1],
  storageStallTimeoutMs: [30_000, 1],
};

/** {@linkcode RaftNodeOptions} with defaults, and values derived from them. */
export interface NodeConfig
  extends
    Required<Pick<RaftNodeOptions, "id" | "address" | "host" | "leaseReads">>,
    Readonly<Record<NumericOption, number>> {
  /** The duration of a lease from the sending of its round. */
  readonly leaseMs: number;
  readonly tickMs: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly storageStallTicks: number;
}

/** Checks options and fills in defaults. @throws {RaftError} `invalid_argument` that names the option */
export function resolveConfig(options: RaftNodeOptions): NodeConfig {
  const { id, address, host = systemHost(), leaseReads = false } = options;
  if (id === "") throw invalid("id", "must not be empty");
  const numbers = resolveNumbers(options);
  const { electionTimeoutMs, heartbeatIntervalMs, maxClockDrift } = numbers;
  if (heartbeatIntervalMs * 2 > electionTimeoutMs) {
    throw invalid("heartbeatIntervalMs", "must be at most half of electionTimeoutMs");
  }
  if (maxClockDrift >= 1) throw invalid("maxClockDrift", "must be below 1");
  const tickMs = Math.min(heartbeatIntervalMs / 2, electionTimeoutMs / 10);
  return {
    ...numbers,
    id,
    address,
    host,
    leaseReads,
    leaseMs: electionTimeoutMs * (1 - maxClockDrift),
    tickMs,
    // One tick more: the first may come right after the counting began (lib/raft/lease.ts).
    electionTicks: Math.ceil(electionTimeoutMs / tickMs) + 1,
    heartbeatTicks: Math.max(1, Math.round(heartbeatIntervalMs / tickMs)),
    snapshotChunkBytes: chunkBytes(numbers),
    storageStallTicks: Math.ceil(numbers.storageStallTimeoutMs / tickMs),
  };
}

/** Returns the size of chunks. At a low rate they are small: two in each election timeout, after which the sender doubts its peer. */
function chunkBytes(numbers: Readonly<Record<NumericOption, number>>): number {
  const { snapshotChunkBytes, snapshotBytesPerSecond, electionTimeoutMs } = numbers;
  const most = Math.min(snapshotChunkBytes, MAX_CHUNK_BYTES);
  if (snapshotBytesPerSecond === 0) return most;
  return Math.max(1, Math.min(most, Math.floor(snapshotBytesPerSecond * electionTimeoutMs / 2000)));
}

function resolveNumbers(options: RaftNodeOptions): Record<NumericOption, number> {
  const numbers: Record<string, number> = {};
  for (const [name, [byDefault, least]] of Object.entries(NUMBERS)) {
    const value = options[name as NumericOption] ?? byDefault;
    if (!Number.isFinite(value) || value < least) throw invalid(name, `must be a number from ${least}, not ${value}`);
    numbers[name] = value;
  }
  return numbers as Record<NumericOption, number>;
}

function invalid(name: string, problem: string): RaftError {
  return new RaftError("invalid_argument", `the option ${name} ${problem}`);
}
