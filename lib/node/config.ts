/**
 * Options, checked and with their defaults.
 */

import type { Host } from "../clock.ts";
import { RaftError } from "../errors.ts";
import { systemHost } from "../host.ts";
import type { RaftNodeOptions } from "./types.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** The largest chunk of a snapshot that a message may carry. */
export const MAX_CHUNK_BYTES = 256 * KIB;

/** {@linkcode RaftNodeOptions} with defaults, and values derived from them. */
export interface NodeConfig {
  readonly id: string;
  readonly address: string;
  readonly host: Host;
  readonly electionTimeoutMs: number;
  readonly leaseReads: boolean;
  /** The duration of a lease from the sending of its round. */
  readonly leaseMs: number;
  readonly tickMs: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly snapshotEntries: number;
  readonly snapshotBytes: number;
  readonly trailingEntries: number;
  readonly snapshotBytesPerSecond: number;
  readonly snapshotChunkBytes: number;
  readonly maxBatchBytes: number;
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
  readonly maxUncommittedBytes: number;
  readonly maxCachedBytes: number;
  readonly maxCommandBytes: number;
  readonly storageStallTicks: number;
}

/** Checks options and fills in defaults. @throws {RaftError} `invalid_argument` that names the option */
export function resolveConfig(options: RaftNodeOptions): NodeConfig {
  if (options.id === "") throw invalid("id", "must not be empty");
  const electionTimeoutMs = number(options, "electionTimeoutMs", 1000, 1);
  const heartbeatIntervalMs = number(options, "heartbeatIntervalMs", 100, 1);
  if (heartbeatIntervalMs * 2 > electionTimeoutMs) {
    throw invalid("heartbeatIntervalMs", "must be at most half of electionTimeoutMs");
  }
  const maxClockDrift = number(options, "maxClockDrift", 0.1, 0);
  if (maxClockDrift >= 1) throw invalid("maxClockDrift", "must be below 1");
  const tickMs = Math.min(heartbeatIntervalMs / 2, electionTimeoutMs / 10);
  return {
    id: options.id,
    address: options.address,
    host: options.host ?? systemHost(),
    electionTimeoutMs,
    leaseReads: options.leaseReads ?? false,
    leaseMs: electionTimeoutMs * (1 - maxClockDrift),
    tickMs,
    // One tick more: the first may come right after the counting began (lib/raft/lease.ts).
    electionTicks: Math.ceil(electionTimeoutMs / tickMs) + 1,
    heartbeatTicks: Math.max(1, Math.round(heartbeatIntervalMs / tickMs)),
    snapshotEntries: number(options, "snapshotEntries", 10_000, 0),
    snapshotBytes: number(options, "snapshotBytes", 64 * MIB, 0),
    trailingEntries: number(options, "trailingEntries", 1000, 0),
    snapshotBytesPerSecond: number(options, "snapshotBytesPerSecond", 64 * MIB, 0),
    snapshotChunkBytes: Math.min(number(options, "snapshotChunkBytes", MAX_CHUNK_BYTES, 1), MAX_CHUNK_BYTES),
    maxBatchBytes: number(options, "maxBatchBytes", 512 * KIB, 1),
    maxInflightMessages: number(options, "maxInflightMessages", 128, 1),
    maxInflightBytes: number(options, "maxInflightBytes", 8 * MIB, 1),
    maxUncommittedBytes: number(options, "maxUncommittedBytes", 64 * MIB, 1),
    maxCachedBytes: number(options, "maxCachedBytes", 32 * MIB, 0),
    maxCommandBytes: number(options, "maxCommandBytes", 2 * MIB, 1),
    storageStallTicks: Math.ceil(number(options, "storageStallTimeoutMs", 30_000, 1) / tickMs),
  };
}

type NumericOption = {
  [K in keyof RaftNodeOptions]-?: NonNullable<RaftNodeOptions[K]> extends number ? K : never;
}[keyof RaftNodeOptions];

function number(options: RaftNodeOptions, name: NumericOption, byDefault: number, least: number): number {
  const value = options[name] ?? byDefault;
  if (!Number.isFinite(value) || value < least) throw invalid(name, `must be a number from ${least}, not ${value}`);
  return value;
}

function invalid(name: string, problem: string): RaftError {
  return new RaftError("invalid_argument", `the option ${name} ${problem}`);
}
