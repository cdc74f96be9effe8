/**
 * `deno task bench memory`: measures a log of a million entries without snapshots.
 * Fails if a node takes more memory than its cache of entries and a fixed rest.
 */

import { Coordinator } from "../lib/client/mod.ts";
import { KeyValueClient } from "../lib/kv/client.ts";
import { ownCommand } from "../server/own_command.ts";
import type { Node } from "../tests/support/server_processes.ts";
import { eventually, Nodes } from "../tests/support/server_processes.ts";
import { createConnectClientTransport } from "../transport/connect/mod.ts";
import { residentBytes } from "./load.ts";
import type { Row } from "./table.ts";
import { number, printTable } from "./table.ts";

const MIB = 1024 * 1024;
/** The default of RaftNode's `maxCachedBytes`. */
const CACHE_MIB = 32;
const REST_MIB = 150;
const BOUND_MIB = CACHE_MIB + REST_MIB;
const VALUE = new Uint8Array(100).fill(7);
const KEYS = 1000;
const NO_SNAPSHOTS = ["--snapshot-entries", "0", "--snapshot-bytes", "0"];

export interface MemoryOptions {
  readonly entries: number;
  readonly writers: number;
  /** The sizes of the clusters, one after the other. */
  readonly clusters: readonly number[];
}

/** Measures; resolves with true if every node stayed within the bound. */
export async function benchMemory({ entries, writers, clusters }: MemoryOptions): Promise<boolean> {
  let within = true;
  for (const size of clusters) {
    await Nodes.run(Array.from({ length: size }, ownCommand), async (nodes) => {
      const rows: Row[] = [];
      const start = memoryOf(nodes);
      const seconds = await fill(nodes, entries, writers);
      const loaded = memoryOf(nodes);
      for (const [at, node] of nodes.all.entries()) {
        const mib = loaded[at]! / MIB;
        const note = `${mib <= BOUND_MIB ? "within" : "OVER"} ${BOUND_MIB} MiB; at the start ${
          number(start[at]! / MIB)
        }`;
        rows.push({ name: `resident memory of ${node.id}`, figure: `${number(mib)} MiB`, note });
        within &&= mib <= BOUND_MIB;
      }
      rows.push({ name: "load", figure: `${number(seconds)} s`, note: `${number(entries / seconds)} writes/s` });
      rows.push(...await restart(nodes, entries));
      const name = size === 1 ? "one node" : `${size} nodes`;
      printTable(
        `Memory, ${name}: ${number(entries)} entries of 100-byte values, ${writers} writers, no snapshots`,
        rows,
      );
    }, NO_SNAPSHOTS);
  }
  return within;
}

function memoryOf(nodes: Nodes): number[] {
  return nodes.all.map(({ pid }) => {
    const bytes = residentBytes(pid);
    if (bytes === null) throw new Error("resident memory is read from /proc, which this system doesn't have");
    return bytes;
  });
}

/** Writes the entries; returns the time in seconds, including followers. */
async function fill(nodes: Nodes, entries: number, writers: number): Promise<number> {
  await using client = new Coordinator({ endpoints: nodes.endpoints, transport: createConnectClientTransport() });
  const kv = new KeyValueClient(client);
  const start = performance.now();
  let n = 0;
  await Promise.all(Array.from({ length: writers }, async () => {
    while (n < entries) await kv.put(`key-${n++ % KEYS}`, VALUE);
  }));
  const seconds = (performance.now() - start) / 1000;
  for (const node of nodes.all) await applied(node, entries);
  return seconds;
}

async function applied(node: Node, entries: number): Promise<void> {
  const isThere = async (): Promise<boolean> => ((await node.status())?.appliedIndex ?? 0) >= entries;
  await eventually(`${node.id} has applied everything`, isThere, 600_000);
}

/** Kills all nodes, like `kill -9`, and starts them again. */
async function restart(nodes: Nodes, entries: number): Promise<Row[]> {
  await Promise.all(nodes.all.map((node) => node.end("SIGKILL")));
  const start = performance.now();
  const passed = (): string => `${number((performance.now() - start) / 1000)} s`;
  for (const node of nodes.all) nodes.start(node);
  const leader = await nodes.leader();
  const rows = [{ name: "restart to a leader", figure: passed() }];
  await applied(leader, entries);
  rows.push({ name: "restart to all applied", figure: passed() });
  for (const node of nodes.all) await applied(node, entries);
  const most = Math.max(...memoryOf(nodes)) / MIB;
  return [...rows, { name: "peak resident memory after it", figure: `${number(most)} MiB` }];
}
