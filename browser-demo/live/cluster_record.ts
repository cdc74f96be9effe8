/**
 * What this origin remembers of a cluster, beside its nodes' own data: how it
 * began, and which names are taken. All tabs share it.
 *
 * @module
 */

import { createStore, get, update } from "idb-keyval";
import type { NodeId } from "../../mod.ts";

/** What is remembered. */
export interface ClusterRecord {
  readonly name: string;
  readonly clusterId: string;
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** Those who begin it, together. */
  readonly founders: readonly NodeId[];
  /** Nodes whose disk was wiped, and that have not come back yet: they can only join, founders too. */
  readonly wiped: readonly NodeId[];
  /** The number of the newest name. */
  readonly lastNumber: number;
}

const FOUNDERS = 3;
/** Slow enough to be watched, fast enough not to be waited for. */
const ELECTION_TIMEOUT_MS = 1200;
/** What servers are started with if nothing else is said. */
const SERVER_ELECTION_TIMEOUT_MS = 1000;
/** How many heartbeats are to fit in an election timeout. */
const HEARTBEATS = 6;

const store = createStore("raft-demo", "clusters");

/** A random name of `bytes` bytes. */
export function randomHex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The cluster of those who ask for none. */
export async function defaultCluster(): Promise<string> {
  await update<string>("default", (name) => name ?? `demo-${randomHex(2)}`, store);
  return await get<string>("default", store) ?? "demo";
}

/** The record of a cluster, which is made if there is none. In one transaction: two tabs never found the same twice. */
export async function openRecord(
  name: string,
  beginning: Pick<ClusterRecord, "electionTimeoutMs" | "heartbeatIntervalMs" | "founders">,
): Promise<ClusterRecord> {
  return await change(name, (record) => {
    return record ?? { name, clusterId: `${name}-${randomHex(4)}`, wiped: [], lastNumber: FOUNDERS, ...beginning };
  });
}

/** How a cluster of tabs begins. */
export function tabBeginning(electionTimeoutMs: number | null): Parameters<typeof openRecord>[1] {
  const timeoutMs = electionTimeoutMs ?? ELECTION_TIMEOUT_MS;
  return {
    electionTimeoutMs: timeoutMs,
    heartbeatIntervalMs: Math.round(timeoutMs / HEARTBEATS),
    founders: Array.from({ length: FOUNDERS }, (_, i) => `n${i + 1}`),
  };
}

/** What is to be known of a cluster of servers: nothing begins here, and times are the servers' own. */
export function serverBeginning(electionTimeoutMs: number | null): Parameters<typeof openRecord>[1] {
  const timeoutMs = electionTimeoutMs ?? SERVER_ELECTION_TIMEOUT_MS;
  return { electionTimeoutMs: timeoutMs, heartbeatIntervalMs: Math.round(timeoutMs / 10), founders: [] };
}

/** The record of a cluster that has one, as it is now. */
export async function readRecord(name: string): Promise<ClusterRecord> {
  return await updateRecord(name, () => ({}));
}

/** Changes a record, and gives it as it is now. */
export async function updateRecord(
  name: string,
  edit: (record: ClusterRecord) => Partial<ClusterRecord>,
): Promise<ClusterRecord> {
  return await change(name, (record) => {
    if (record === undefined) throw new Error(`the cluster ${name} was forgotten`);
    return { ...record, ...edit(record) };
  });
}

/** A name that no node of a cluster of tabs has had. */
export async function takeName({ name }: ClusterRecord): Promise<NodeId> {
  const { lastNumber } = await updateRecord(name, (record) => ({ lastNumber: record.lastNumber + 1 }));
  return `n${lastNumber}`;
}

/** A name in a cluster of servers, whose tabs are of many browsers that know nothing of each other. */
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
