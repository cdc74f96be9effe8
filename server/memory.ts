/**
 * The garbage of a server's process. Bodies and answers are large, short-lived and outside of the engines' heaps, which
 * collect them late: under a flood of 8 MB requests a node whose budgets allow for 100 MB took up to 900.
 */

import process from "node:process";
import { runInNewContext } from "node:vm";
import { setFlagsFromString } from "node:v8";

const MIB = 1024 * 1024;

/** The growth since the last collection that is worth another. */
const GROWTH_BYTES = 32 * MIB;
/** Above the soft limit by this factor, pages are given back, too: 150 MiB of empty ones were seen beside 40 in use. */
const THOROUGH_FACTOR = 1.5;
/**
 * The pauses for collections are at most a quarter of the time; those for long ones, in processor time, a hundredth. A
 * heap that takes longer still is one of a large state, and nodes must not pause: it is left to the runtime until the
 * process is well below the limit.
 */
const REST_FACTOR = 3;
const LONG_MS = 200;
const LONG_REST_FACTOR = 100;
const TOO_LONG_MS = 800;
/** The time between two looks at the memory, far from the limit and near it. */
const CALM_INTERVAL_MS = 200;
const INTERVAL_MS = 20;

/** The process, as far as its memory is concerned. */
export interface MemoryProcess {
  /** Returns the resident memory in bytes. */
  residentBytes(): number;
  /**
   * Collects all garbage before it returns.
   *
   * @param thorough set to give back the pages that are empty then, which takes several times as long
   */
  collect(thorough: boolean): void;
  /** Returns the time in milliseconds. */
  nowMs(): number;
  /** Returns the processor time that the process has used, in milliseconds. */
  cpuMs(): number;
}

/** Collects garbage early once a process takes more memory than a soft limit, like Go's `GOMEMLIMIT`. */
export class EarlyCollection {
  readonly #softBytes: number;
  readonly #process: MemoryProcess;
  /** The least memory since the last collection: some is given back after it. */
  #leastBytes = 0;
  #restsUntilMs = 0;

  /** @param softBytes the memory above which garbage is collected */
  constructor(softBytes: number, memory: MemoryProcess) {
    this.#softBytes = softBytes;
    this.#process = memory;
  }

  /** Collects if it is time to. Returns the time until the next look, in milliseconds. */
  look(): number {
    const bytes = this.#process.residentBytes();
    const startMs = this.#process.nowMs();
    this.#leastBytes = Math.min(this.#leastBytes, bytes);
    if (bytes <= this.#softBytes / 2) {
      if (this.#restsUntilMs === Infinity) this.#restsUntilMs = startMs;
      return CALM_INTERVAL_MS;
    }
    const due = bytes > this.#softBytes && bytes >= this.#leastBytes + GROWTH_BYTES && startMs >= this.#restsUntilMs;
    if (!due) return INTERVAL_MS;
    const startCpuMs = this.#process.cpuMs();
    this.#process.collect(bytes > THOROUGH_FACTOR * this.#softBytes);
    const endMs = this.#process.nowMs();
    // A machine that does other work at the same time makes it last longer, but no dearer.
    const tookMs = Math.min(endMs - startMs, this.#process.cpuMs() - startCpuMs);
    this.#leastBytes = bytes;
    const factor = tookMs > TOO_LONG_MS ? Infinity : tookMs > LONG_MS ? LONG_REST_FACTOR : REST_FACTOR;
    this.#restsUntilMs = endMs + factor * tookMs;
    return INTERVAL_MS;
  }
}

/** Returns the function of this runtime that collects all garbage. */
function collector(): (thorough: boolean) => void {
  const bun = (globalThis as { readonly Bun?: { gc(force: true): void } }).Bun;
  if (bun !== undefined) return () => bun.gc(true);
  // A context that is made after the flag was set has the function; this one stays as it is.
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: Readonly<Record<string, string>>) => void;
  return (thorough) => collect({ type: "major", execution: "sync", flavor: thorough ? "last-resort" : "regular" });
}

/** Watches over the memory of this process until it ends; does nothing if `softBytes` is 0. */
export function collectEarly(softBytes: number): void {
  if (softBytes === 0) return;
  const early = new EarlyCollection(softBytes, {
    residentBytes: () => process.memoryUsage.rss(),
    collect: collector(),
    nowMs: () => performance.now(),
    cpuMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
  });
  const look = (): void => void setTimeout(look, early.look()).unref();
  look();
}
