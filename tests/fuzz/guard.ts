/**
 * Watches the servers of a run: none ends, hangs, grows or complains of itself.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import type { Node } from "../support/server_processes.ts";
import { pause } from "./raw_socket.ts";
import type { World } from "./world.ts";

/** Options of a {@linkcode Guard}. */
export interface GuardOptions {
  readonly nodes: readonly Node[];
  readonly world: World;
  /** The limit of resident memory, in MiB. */
  readonly maxMib: number;
  /** The longest time without an answer, in milliseconds. */
  readonly stallMs: number;
  /** Returns how long clients have been without an answer, in milliseconds. */
  clientGapMs(): number;
  /** Receives each problem. */
  problem(what: string): void;
}

/** Lines that no input may cause: faults of the server itself, and stacks. */
const FAULTS: readonly RegExp[] = [
  /\binternal\b/i,
  /\binvariant\b/i,
  /a rule of the protocol is broken/,
  /unexpected error/i,
  /\buncaught\b|\bunhandled\b|\bpanicked\b|segmentation fault|out of memory/i,
  /^\s+at .+[:(]\d+/,
];

const LOOK_MS = 300;

/** Returns the lines of a log that show a fault of the server. */
export function faultyLines(log: string): string[] {
  return log.split("\n").filter((line) => FAULTS.some((fault) => fault.test(line)));
}

/** Returns the most memory that a process has had resident, in MiB; 0 if the system doesn't tell. */
export function peakMib(pid: number | undefined): number {
  try {
    const match = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Math.round(Number(match?.[1] ?? 0) / 1024);
  } catch {
    // It has ended, which is reported, or there is no /proc.
    return 0;
  }
}

/** Watches until it is stopped. */
export class Guard {
  readonly #options: GuardOptions;
  readonly #peaks = new Map<string, number>();
  /** How much of each log was read. */
  readonly #read = new Map<string, number>();
  readonly #reported = new Set<string>();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** The most memory that each node has had, in MiB. */
  get peaks(): ReadonlyMap<string, number> {
    return this.#peaks;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { nodes, world, stallMs } = this.#options;
    for (const node of nodes) {
      void node.exited.then((code) => {
        if (!signal.aborted) this.#report(`${node.id} ended`, `with exit code ${code}`);
      });
    }
    while (!signal.aborted) {
      await world.look(stallMs / 3);
      this.check();
      await pause(LOOK_MS);
    }
  }

  /** Looks at everything once. */
  check(): void {
    const { nodes, world, maxMib, stallMs, clientGapMs } = this.#options;
    for (const { id, pid, output } of nodes) {
      const mib = Math.max(peakMib(pid), this.#peaks.get(id) ?? 0);
      this.#peaks.set(id, mib);
      if (mib > maxMib) this.#report(`${id} had more than ${maxMib} MiB of memory`, `${mib} MiB`);
      // Up to the last whole line.
      const [from, to] = [this.#read.get(id) ?? 0, output.lastIndexOf("\n") + 1];
      this.#read.set(id, Math.max(from, to));
      for (const line of faultyLines(output.slice(from, Math.max(from, to)))) {
        this.#report(`${id} logged a fault of its own`, line);
      }
      const view = world.view(id);
      if (view !== undefined && view.lifecycle !== "running") this.#report(`${id} is ${view.lifecycle}`, "");
    }
    const gapMs = clientGapMs();
    if (gapMs > stallMs) this.#report("clients are not served", `for ${Math.round(gapMs)} ms`);
    const { id, ms } = world.quietest;
    if (ms > stallMs) this.#report(`${id} does not answer /status`, `for ${Math.round(ms)} ms`);
  }

  /** Reports each kind of problem once. */
  #report(what: string, more: string): void {
    if (this.#reported.has(what)) return;
    this.#reported.add(what);
    this.#options.problem(more === "" ? what : `${what}: ${more}`);
  }
}
