/**
 * `deno task bench`: measures the parts, then a cluster of three processes, then the
 * same load on etcd if it is installed. `deno task bench memory` measures a log of a
 * million entries instead, `catch-up` members that need a snapshot while writes go on,
 * and `recovery` the start of a node with much to read. See docs/performance.md.
 */

import { cpus, totalmem } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { etcdVersion, loadEtcd } from "./etcd.ts";
import type { Load } from "./load.ts";
import { benchCatchUp } from "./catch_up.ts";
import { benchRecovery } from "./recovery.ts";
import { benchMemory } from "./memory.ts";
import * as parts from "./parts.ts";
import type { Loads } from "./processes.ts";
import { loadOwn, WRITERS } from "./processes.ts";
import type { Row } from "./table.ts";
import { number, printTable } from "./table.ts";

const USAGE = `deno task bench [parts] [cluster] [etcd] [--seconds 3]   all three, unless some are named
deno task bench memory [--entries 1000000] [--writers 256]
deno task bench catch-up [--state-mib 320] [--rate 2000]
deno task bench recovery [--log-mib 1024] [--value-bytes 100] [--keys 10000]

etcd is measured with the cluster, for the ratio; it must be on the PATH.`;

/** The largest number of operations of one load. */
const LIMIT = 200_000;

async function benchParts(ms: number): Promise<void> {
  const rows: Row[] = [await parts.core(ms)];
  for (const count of [1, 100]) rows.push(await parts.writeAheadLog(ms, count));
  for (const count of [1, 100]) rows.push(await parts.codec(ms, count));
  rows.push(await parts.keyValue(ms), ...await parts.sessions(ms), await parts.memoryCluster(ms / 1000));
  printTable("Parts, in one thread (commands of about 110 bytes)", rows);
}

function loadRows(
  what: string,
  who: string,
  loads: ReadonlyMap<number, Load>,
  than?: ReadonlyMap<number, Load>,
): Row[] {
  return WRITERS.map((count) => {
    const { perSecond, medianMs, p99Ms } = loads.get(count)!;
    const other = than?.get(count)?.perSecond;
    const ratio = other === undefined ? "" : `   ${number(perSecond / other)} of etcd's`;
    return {
      name: `${what}, ${count} ${who}${count === 1 ? "" : "s"}`,
      figure: `${number(perSecond)} /s`,
      note: `median ${number(medianMs)} ms, 99 % ${number(p99Ms)} ms${ratio}`,
    };
  });
}

function printLoads(title: string, { writes, reads }: Loads, than?: Loads): void {
  printTable(title, [
    ...loadRows("writes", "writer", writes, than?.writes),
    ...loadRows("linearizable reads", "reader", reads, than?.reads),
  ]);
}

async function benchClusters(seconds: number, own: boolean, etcd: boolean): Promise<void> {
  const version = etcd ? etcdVersion() : null;
  const theirs = version === null ? undefined : await loadEtcd(seconds, LIMIT);
  if (theirs !== undefined) printLoads(`etcd ${version}: three processes, gRPC`, theirs);
  else if (etcd) console.log("\netcd is not on the PATH; left out.");
  if (own) printLoads("Three processes, files, Connect; 100-byte values", await loadOwn(seconds, LIMIT), theirs);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "3" },
      entries: { type: "string", default: "1000000" },
      writers: { type: "string", default: "256" },
      "state-mib": { type: "string", default: "320" },
      rate: { type: "string", default: "2000" },
      "log-mib": { type: "string", default: "1024" },
      "value-bytes": { type: "string", default: "100" },
      keys: { type: "string", default: "10000" },
      help: { type: "boolean", default: false },
    },
  });
  const known = ["parts", "cluster", "etcd", "memory", "catch-up", "recovery"];
  const { help, ...texts } = values;
  const numbers = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Number(text)]));
  const { seconds, entries, writers } = numbers;
  if (
    help || !Object.values(numbers).every((value) => value > 0) || positionals.some((name) => !known.includes(name))
  ) {
    console.log(USAGE);
    return help ? 0 : 2;
  }
  const [cpu] = cpus();
  console.log(
    `${cpus().length} × ${cpu?.model.trim()}, ${number(totalmem() / 1024 ** 3)} GiB, Deno ${Deno.version.deno}`,
  );
  if (positionals.includes("memory")) {
    return await benchMemory({ entries: entries!, writers: writers!, clusters: [1, 3] }) ? 0 : 1;
  }
  if (positionals.includes("catch-up")) {
    await benchCatchUp({ stateMib: numbers["state-mib"]!, perSecond: numbers["rate"]! });
    return 0;
  }
  if (positionals.includes("recovery")) {
    await benchRecovery({ logMib: numbers["log-mib"]!, valueBytes: numbers["value-bytes"]!, keys: numbers["keys"]! });
    return 0;
  }
  const wanted = (name: string): boolean => positionals.length === 0 || positionals.includes(name);
  if (wanted("parts")) await benchParts(seconds! * 1000 / 3);
  if (wanted("cluster") || wanted("etcd")) await benchClusters(seconds!, wanted("cluster"), wanted("etcd"));
  return 0;
}

process.exit(await main());
