/**
 * Load on a cluster: writers that each wait for their last write.
 */

import { readFileSync } from "node:fs";

/** A function that executes one operation; `n` counts them. */
export type Operation = (n: number) => Promise<unknown>;

export interface Load {
  readonly perSecond: number;
  readonly medianMs: number;
  /** The 99th percentile of the latency. */
  readonly p99Ms: number;
}

/** Runs `operation` from `writers` at once for `seconds`, or until `limit` operations have begun, after a quarter of that to warm up. */
export async function load(writers: number, seconds: number, limit: number, operation: Operation): Promise<Load> {
  const warmUp = performance.now() + seconds * 250;
  let n = 0;
  let done = 0;
  const times: number[] = [];
  let end = warmUp;
  let stop = Math.ceil(limit / 4);
  const writer = async (): Promise<void> => {
    while (n < stop && performance.now() < end) {
      const start = performance.now();
      await operation(n++);
      done++;
      times.push(performance.now() - start);
    }
  };
  const all = () => Promise.all(Array.from({ length: writers }, writer));
  await all();
  done = 0;
  times.length = 0;
  stop = n + limit;
  const start = performance.now();
  end = start + seconds * 1000;
  await all();
  const perSecond = done / ((performance.now() - start) / 1000);
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return { perSecond, medianMs: at(0.5), p99Ms: at(0.99) };
}

/** Returns the resident memory of a process in bytes; `null` on systems without /proc. */
export function residentBytes(pid: number | undefined): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kib = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
    return kib === undefined ? null : Number(kib) * 1024;
  } catch {
    return null;
  }
}

/** Returns the processor time of a process in seconds; `null` on systems without /proc. */
export function processorSeconds(pid: number | undefined): number | null {
  try {
    const [, rest = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
    const fields = rest.split(" ").map(Number);
    // The fields 14 and 15, in ticks of which Linux has 100 a second for programs.
    return (fields[11]! + fields[12]!) / 100;
  } catch {
    return null;
  }
}
