/**
 * The record of a cluster at this origin, beside its nodes' own data: how it was
 * founded, and which names are taken. All tabs share it.
 */

import { createStore, get, update } from "idb-keyval";
import type { NodeId } from "../../mod.ts";

/** The record of one cluster. */
export interface ClusterRecord {
  readonly name: string;
  readonly clusterId: string;
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** The nodes that found it together. */
  readonly founders: readonly NodeId[];
  /** Nodes whose disk was wiped, and that have not come back yet: they can only join, even founders. */
  readonly wiped: readonly NodeId[];
  /** The number of the newest name. */
  readonly lastNumber: number;
}

const FOUNDERS = 3;
/** Slow enough to watch, fast enough not to keep a visitor waiting. */
const ELECTION_TIMEOUT_MS = 1200;
/** The servers' default. */
const SERVER_ELECTION_TIMEOUT_MS = 1000;
/** Heartbeats per election timeout. */
const HEARTBEATS = 6;

/** The records of this origin. */
export const store = createStore("raft-demo", "clusters");

/** Returns a short random name of `bytes` bytes, to be read by people. */
function randomHex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns the name of this browser's own cluster. */
export async function defaultCluster(): Promise<string> {
  await update<string>("default", (name) => name ?? `demo-${randomHex(2)}`, store);
  return await get<string>("default", store) ?? "demo";
}

/** Returns the record of a cluster, or creates it in one transaction, so that two tabs never found the same cluster. */
export async function openRecord(
  name: string,
  beginning: Pick<ClusterRecord, "electionTimeoutMs" | "heartbeatIntervalMs" | "founders">,
): Promise<ClusterRecord> {
  return await change(name, (record) => {
    return record ?? { name, clusterId: `${name}-${randomHex(4)}`, wiped: [], lastNumber: FOUNDERS, ...beginning };
  });
}

/** Returns the beginning of a cluster of tabs. */
export function tabBeginning(electionTimeoutMs: number | null): Parameters<typeof openRecord>[1] {
  const timeoutMs = electionTimeoutMs ?? ELECTION_TIMEOUT_MS;
  return {
    electionTimeoutMs: timeoutMs,
    heartbeatIntervalMs: Math.round(timeoutMs / HEARTBEATS),
    founders: Array.from({ length: FOUNDERS }, (_, i) => `n${i + 1}`),
  };
}

/** Returns the record of a cluster of servers: nothing is founded here, and times are those of the servers. */
export function serverBeginning(electionTimeoutMs: number | null): Parameters<typeof openRecord>[1] {
  const timeoutMs = electionTimeoutMs ?? SERVER_ELECTION_TIMEOUT_MS;
  return { electionTimeoutMs: timeoutMs, heartbeatIntervalMs: Math.round(timeoutMs / 10), founders: [] };
}

/** Returns the record of a cluster that has one. */
export async function readRecord(name: string): Promise<ClusterRecord> {
  return await updateRecord(name, () => ({}));
}

/** Changes a record, and returns the new one. */
export async function updateRecord(
  name: string,
  edit: (record: ClusterRecord) => Partial<ClusterRecord>,
): Promise<ClusterRecord> {
  return await change(name, (record) => {
    if (record === undefined) throw new Error(`no record of the cluster ${name}`);
    return { ...record, ...edit(record) };
  });
}

/** Returns a name that no node of a cluster of tabs has had. */
export async function takeName({ name }: ClusterRecord): Promise<NodeId> {
  const { lastNumber } = await updateRecord(name, (record) => ({ lastNumber: record.lastNumber + 1 }));
  return `n${lastNumber}`;
}

/** Returns a name in a cluster of servers, whose tabs may be in several browsers without a shared record. */
export function randomName(taken: readonly NodeId[]): NodeId {
  for (;;) {
    const id = `t${randomHex(2).slice(1)}`;
    if (!taken.includes(id)) return id;
  }
}

async function change(
  name: string,
  edit: (record: ClusterRecord | undefined) => ClusterRecord,
): Promise<ClusterRecord> {
  let changed: ClusterRecord | undefined;
  await update<ClusterRecord>(`cluster ${name}`, (record) => changed = edit(record), store);
  return changed!;
}
