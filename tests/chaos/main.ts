/**
 * `deno task chaos --minutes N`: runs real server processes under faults, while
 * clients record their answers; then checks that nothing was lost, and that all
 * answers are those of a single copy.
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Runtimes } from "../../tools/runtimes.ts";
import { runtimes as findRuntimes } from "../../tools/runtimes.ts";
import { compareCopies } from "../support/copies.ts";
import { numberIn, wholeIn } from "../support/number_options.ts";
import { commandOf } from "../support/server_processes.ts";
import { seededRandom } from "../support/virtual_host.ts";
import { ChaosCluster } from "./chaos_cluster.ts";
import { Clients, connect, readAll } from "./clients.ts";
import type { Fault } from "./faults.ts";
import { FAULTS } from "./faults.ts";
import { Nemesis } from "./nemesis.ts";
import type { Results } from "./report.ts";
import { isGood, progress, report } from "./report.ts";
import type { Verdict } from "./verdict.ts";
import { judge } from "./verdict.ts";

const USAGE = `deno task chaos [--minutes 1] [--nodes 5] [--clients 4] [--seed N] [--faults LIST] [--keep]

Real server processes on this machine are killed, paused, cut off from each other, slowed down, moved, replaced, lose
their power, and have disks that are full, hang or are slow, while clients read and write. Then everything that the
clients were told is checked.

  --minutes N   how long, fractions allowed (default: 1)
  --nodes N     servers, 3 to 9 (default: 5)
  --clients N   clients that follow the leader, 1 to 64 (default: 4); each node has one more, which asks it alone
  --runtimes LIST   of deno, node and bun (default: all three); the nodes begin in one after the other
  --keep        keep logs, data and histories even if all is well
  --faults LIST only these kinds, with commas: ${FAULTS.map(({ kind }) => kind).join(", ")}
  --seed N      chooses the faults (default: any); when they happen depends on the machine, too

Faults of disks need root and Linux, for a small file system a node; cut links need Linux. What is not possible is said, and left out.
Exit codes: 0 all is well, 1 something is not (the evidence is kept, and its folder printed), 2 usage, 130 interrupted.`;

const RUNTIMES = ["deno", "node", "bun"] as const;
type RuntimeName = typeof RUNTIMES[number];

const PROGRESS_MS = 5000;

interface Options {
  readonly minutes: number;
  readonly nodes: number;
  readonly clients: number;
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly runtimes: readonly RuntimeName[];
  readonly keep: boolean;
}

/** @returns the exit code if there is nothing to run */
function parse(args: readonly string[]): Options | 0 | 2 {
  const option = (value: string) => ({ type: "string", default: value }) as const;
  const anySeed = String(crypto.getRandomValues(new Uint32Array(1))[0]);
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        minutes: option("1"),
        nodes: option("5"),
        clients: option("4"),
        seed: option(anySeed),
        faults: option(FAULTS.map(({ kind }) => kind).join()),
        runtimes: option(RUNTIMES.join()),
        keep: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    return {
      minutes: numberIn("--minutes", values.minutes, 0.01, 10_000),
      nodes: wholeIn("--nodes", values.nodes, 3, 9),
      clients: wholeIn("--clients", values.clients, 1, 64),
      seed: wholeIn("--seed", values.seed, 0, 2 ** 32 - 1),
      keep: values.keep,
      faults: values.faults.split(",").map((kind) => faultNamed(kind.trim())),
      runtimes: values.runtimes.split(",").map((name) => runtimeNamed(name.trim())),
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 2;
  }
}

function faultNamed(kind: string): Fault {
  const fault = FAULTS.find((fault) => fault.kind === kind);
  if (fault === undefined) throw new Error(`--faults: ${JSON.stringify(kind)} is not a kind of fault.`);
  return fault;
}

function runtimeNamed(name: string): RuntimeName {
  const runtime = RUNTIMES.find((runtime) => runtime === name);
  if (runtime === undefined) throw new Error(`--runtimes: ${JSON.stringify(name)} is not a runtime.`);
  return runtime;
}

/** Runs faults and clients for some time, then repairs the cluster and stops the clients. */
async function unleash(cluster: ChaosCluster, { minutes, clients: count, seed, faults }: Options): Promise<Results> {
  const random = seededRandom(seed + 1);
  const endpointOf = (address: string) => cluster.endpointOf(address);
  const clients = new Clients({ endpoints: cluster.endpoints, endpointOf, random, clients: count });
  const nemesis = new Nemesis({ cluster, seed, faults, acknowledged: () => clients.acknowledged });
  const startMs = performance.now();
  const timer = setInterval(() => {
    console.log(progress(performance.now() - startMs, clients, nemesis));
  }, PROGRESS_MS);
  const problems: string[] = [];
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  await attempt("the cluster did not recover", () => nemesis.run(minutes * 60_000));
  clearInterval(timer);
  await clients.stop();
  let verdict: Verdict | null = null;
  await attempt("the end can't be checked", async () => {
    await cluster.healAll();
    await cluster.repair();
    verdict = await readAndJudge(cluster, clients);
  });
  await attempt("the nodes' copies", async () => {
    await cluster.settled();
    await compareCopies(cluster.nodes);
  });
  problems.push(...cluster.unexplained, ...clients.failures.map((failure) => `a client failed: ${failure}`));
  return { cluster, clients, nemesis, verdict, problems };
}

async function readAndJudge(cluster: ChaosCluster, { history, unique }: Clients): Promise<Verdict> {
  const endpointOf = (address: string) => cluster.endpointOf(address);
  await using reader = connect(
    { endpoints: cluster.endpoints, endpointOf },
    { timeoutMs: 60_000, attemptTimeoutMs: 5000 },
  );
  const call = performance.now();
  const held = await readAll(reader);
  return judge(history, unique, held, [call, performance.now()]);
}

async function keepEvidence({ cluster, clients, nemesis, verdict }: Results, text: string): Promise<string> {
  const kept = await cluster.keep();
  const lines = (items: readonly unknown[]): string => items.map((item) => `${JSON.stringify(item)}\n`).join("");
  writeFileSync(join(kept, "history.jsonl"), lines(clients.history));
  writeFileSync(join(kept, "unique.jsonl"), lines(clients.unique));
  writeFileSync(join(kept, "faults.jsonl"), lines(nemesis.events));
  writeFileSync(join(kept, "verdict.json"), JSON.stringify(verdict, null, 2));
  writeFileSync(join(kept, "report.txt"), `${text}\n`);
  return kept;
}

async function main(args: readonly string[]): Promise<number> {
  const options = parse(args);
  if (typeof options === "number") return options;
  const { minutes, nodes, clients, seed, runtimes } = options;
  const programs = runtimes.some((name) => name !== "deno") ? await findRuntimes() : { deno: Deno.execPath() };
  const commands = runtimes.map((name) => commandOf(name, (programs as Runtimes)[name]));
  const cluster = await ChaosCluster.make({ count: nodes, commands });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => void cluster.close().finally(() => Deno.exit(130)));
  }
  try {
    console.log(`${nodes} nodes, ${clients} clients, ${minutes} minutes, seed ${seed}; data in ${cluster.folder}`);
    const named = { links: "cut and slow links", disks: "faults of disks", runtimes: "changes of the runtime" };
    for (const [what, why] of cluster.impossible) {
      console.log(`${named[what]}: not possible here, left out: ${why}`);
    }
    try {
      await cluster.begin();
    } catch (error) {
      console.error(`${error instanceof Error ? error.message : error}\nThe evidence is in ${await cluster.keep()}`);
      return 1;
    }
    const results = await unleash(cluster, options);
    const text = report(results);
    console.log(text);
    const good = isGood(results);
    if (!good || options.keep) console.log(`\nThe evidence is in ${await keepEvidence(results, text)}`);
    return good ? 0 : 1;
  } finally {
    await cluster.close();
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
