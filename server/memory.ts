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
/** The pauses for collections are at most a quarter of the time. */
const REST_FACTOR = 3;
/** A heap whose collection takes longer, in processor time, is one of a large state, and is left to the runtime: nodes must not pause. */
const LONG_MS = 200;
/** The time between two looks at the memory, far from the limit and near it. */
const CALM_INTERVAL_MS = 200;
const INTERVAL_MS = 20;

/** The process, as far as its memory is concerned. */
export interface MemoryProcess {
  /** Returns the resident memory in bytes. */
  residentBytes(): number;
  /** Collects all garbage before it returns. */
  collect(): void;
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
    if (bytes <= this.#softBytes) {
      this.#restsUntilMs = Math.min(this.#restsUntilMs, startMs);
      return bytes > this.#softBytes / 2 ? INTERVAL_MS : CALM_INTERVAL_MS;
    }
    if (bytes < this.#leastBytes + GROWTH_BYTES || startMs < this.#restsUntilMs) return INTERVAL_MS;
    const startCpuMs = this.#process.cpuMs();
    this.#process.collect();
    const endMs = this.#process.nowMs();
    // A machine that does other work at the same time makes it last longer, but no dearer.
    const tookMs = Math.min(endMs - startMs, this.#process.cpuMs() - startCpuMs);
    this.#leastBytes = bytes;
    this.#restsUntilMs = tookMs > LONG_MS ? Infinity : endMs + REST_FACTOR * tookMs;
    return INTERVAL_MS;
  }
}

/** Returns the function of this runtime that collects all garbage. */
function collector(): () => void {
  const bun = (globalThis as { readonly Bun?: { gc(force: true): void } }).Bun;
  if (bun !== undefined) return () => bun.gc(true);
  // A context that is made after the flag was set has the function; this one stays as it is.
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
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
