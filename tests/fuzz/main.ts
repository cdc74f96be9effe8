/**
 * `deno task fuzz --minutes N --seed N`: sends seeded, odd inputs to the servers of a real
 * cluster, and checks that it goes on, and that clients beside it were told the truth.
 *
 * @module
 */

import { cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtimes as findRuntimes } from "../../tools/runtimes.ts";
import { commandOf, Nodes } from "../support/server_processes.ts";
import type { Options } from "./options.ts";
import { parse } from "./options.ts";
import { progress, report } from "./report.ts";
import type { Results } from "./trial.ts";
import { Trial } from "./trial.ts";

const PROGRESS_MS = 5000;

/** Copies everything that explains a result to a folder that stays; returns the folder. */
function keepEvidence(nodes: Nodes, { fuzzer, clients }: Results, text: string): string {
  const kept = mkdtempSync(join(tmpdir(), "raft-fuzz-kept-"));
  for (const { id, data, output } of nodes.all) {
    cpSync(data, join(kept, id), { recursive: true, filter: (path) => !path.endsWith(".sock") });
    writeFileSync(join(kept, `${id}.log`), output);
  }
  const lines = (items: readonly unknown[]): string => items.map((item) => `${JSON.stringify(item)}\n`).join("");
  writeFileSync(join(kept, "inputs.jsonl"), lines(fuzzer.last));
  writeFileSync(join(kept, "history.jsonl"), lines(clients.history));
  writeFileSync(join(kept, "unique.jsonl"), lines(clients.unique));
  writeFileSync(join(kept, "report.txt"), `${text}\n`);
  return kept;
}

async function fuzz(nodes: Nodes, options: Options, signal: AbortSignal): Promise<boolean> {
  const trial = new Trial(nodes, options);
  const startMs = performance.now();
  const timer = setInterval(() => {
    console.log(progress(performance.now() - startMs, trial.fuzzer, trial.clients, trial.guard));
  }, PROGRESS_MS);
  let results: Results;
  try {
    results = await trial.run(signal);
  } finally {
    clearInterval(timer);
  }
  const text = report(results);
  console.log(text);
  const good = results.problems.length === 0 && results.verdicts.length === 2;
  if (signal.aborted) return false;
  if (!good || options.keep) {
    await Promise.all(nodes.all.map((node) => node.end("SIGKILL")));
    console.log(`\nThe evidence is in ${keepEvidence(nodes, results, text)}`);
  }
  return good;
}

async function main(args: readonly string[]): Promise<number> {
  const options = parse(args);
  if (typeof options === "number") return options;
  const { minutes, seed, only, runtimes } = options;
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => interrupted.abort());
  const extent = only === null ? `${minutes} minutes` : `inputs ${only[0]} to ${only[1]}`;
  console.log(`${runtimes.join(", ")}; ${extent}, seed ${seed}`);
  const programs = await findRuntimes();
  let good = false;
  try {
    await Nodes.run(runtimes.map((runtime) => commandOf(runtime, programs[runtime])), async (nodes) => {
      good = await fuzz(nodes, options, interrupted.signal);
    });
  } catch (error) {
    if (!interrupted.signal.aborted) console.error(error instanceof Error ? error.message : error);
  }
  if (interrupted.signal.aborted) return 130;
  return good ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
