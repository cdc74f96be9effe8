/**
 * The start of a node that has much to read: a log of one size, then a snapshot of what
 * that log came to. The folder is written directly, without a cluster.
 */

import { encodePut } from "../lib/kv/commands.ts";
import type { Entry } from "../lib/raft/types.ts";
import { encodePlain } from "../lib/sessions/session_codec.ts";
import { ownCommand } from "../server/own_command.ts";
import { createFileStorage } from "../storage/file/mod.ts";
import { raftCommand } from "../tests/support/raft_command.ts";
import { eventually, Nodes } from "../tests/support/server_processes.ts";
import type { Node } from "../tests/support/server_processes.ts";
import { processorSeconds, residentBytes } from "./load.ts";
import type { Row } from "./table.ts";
import { number, printTable } from "./table.ts";

const MIB = 1024 * 1024;
/** An entry counts as its command and this. */
const ENTRY_BYTES = 32;
const BATCH_BYTES = 4 * MIB;
const PATIENCE_MS = 1_200_000;

/** Options of {@linkcode benchRecovery}. */
export interface RecoveryOptions {
  readonly logMib: number;
  readonly valueBytes: number;
  /** The number of different keys: the state is as large as so many values. */
  readonly keys: number;
}

/** Appends puts to the log of a node that is down, and returns the last index. */
async function writeLog({ data }: Node, { logMib, valueBytes, keys }: RecoveryOptions): Promise<number> {
  const storage = createFileStorage(data);
  const { lastIndex, hardState: { term } } = await storage.load();
  const encoder = new TextEncoder();
  const value = new Uint8Array(valueBytes).fill(7);
  let index = lastIndex;
  let sequence = 0;
  for (let total = 0; total < logMib * MIB;) {
    const entries: Entry[] = [];
    for (let bytes = 0; bytes < BATCH_BYTES;) {
      const command = encodePlain(encodePut(encoder.encode(`key-${index % keys}`), value));
      entries.push({ index: ++index, term, type: "command", data: command });
      bytes += command.length + ENTRY_BYTES;
      total += command.length + ENTRY_BYTES;
    }
    await storage.persist({ sequence: ++sequence, hardState: null, snapshot: null, entries });
  }
  await storage.close();
  return index;
}

/** Measures, in one process each time. */
export async function benchRecovery(options: RecoveryOptions): Promise<void> {
  const { logMib, valueBytes, keys } = options;
  const rows: Row[] = [];
  const start = async (nodes: Nodes, name: string, index: number): Promise<void> => {
    const [node] = nodes.all as [Node];
    const began = performance.now();
    nodes.start(node);
    await eventually(name, async () => ((await node.status())?.appliedIndex ?? 0) >= index, PATIENCE_MS);
    const figure = `${number((performance.now() - began) / 1000)} s`;
    const processor = `${number(processorSeconds(node.pid) ?? 0)} s of processor time`;
    rows.push({ name, figure, note: `${processor}, ${number((residentBytes(node.pid) ?? 0) / MIB)} MiB of memory` });
    console.log(name, figure, processor);
  };
  await Nodes.run([ownCommand()], async (nodes) => {
    const [node] = nodes.all as [Node];
    await node.end("SIGTERM");
    await start(nodes, "an empty log, until it is applied", 1);
    await node.end("SIGTERM");
    const index = await writeLog(node, options);
    await start(nodes, `${number(index)} entries of log, until they are applied`, index);
    await raftCommand(nodes, ["snapshot", "take", "--timeout-ms", `${PATIENCE_MS}`]);
    await node.end("SIGTERM");
    await start(nodes, `a snapshot of ${number(keys * valueBytes / MIB)} MiB, until it is restored`, index);
  }, ["--snapshot-entries", "0", "--snapshot-bytes", "0", "--max-log-bytes", "0"]);
  printTable(`Start of one node: ${logMib} MiB of log, values of ${number(valueBytes)} bytes`, rows);
}
