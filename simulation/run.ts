/**
 * What all parts of one run share: time, chance, the trace, and the first rule
 * that was broken.
 *
 * @module
 */

import { Decisions } from "./decisions.ts";
import { Trace } from "./trace.ts";
import { Scheduler } from "./scheduler.ts";

/** A rule that was broken. */
export interface Violation {
  /** Which rule; a stable name. */
  readonly invariant: Invariant;
  /** Who did what. */
  readonly message: string;
  /** When, in virtual milliseconds. */
  readonly atMs: number;
}

/** Everything that is checked. docs/verification.md explains each. */
export const INVARIANTS = [
  "election safety",
  "leader append-only",
  "log matching",
  "leader completeness",
  "state machine safety",
  "monotone term and commit",
  "one vote a term",
  "durable acknowledgements",
  "durable commits",
  "durable storage",
  "one membership change at a time",
  "membership of a snapshot",
  "snapshot equals replay",
  "exactly once",
  "outcomes are true",
  "linearizability",
  "nothing acknowledged is lost",
  "liveness",
  "a dead process is silent",
  "a disk in doubt is left alone",
  "no unexplained stop",
  "bad messages are refused",
] as const;

/** The name of something that is checked. */
export type Invariant = typeof INVARIANTS[number];

/** One run. */
export class Run {
  readonly scheduler = new Scheduler(() =>
    this.report("liveness", "tasks follow tasks without end, and no time passes")
  );
  readonly decisions: Decisions;
  readonly trace: Trace;
  /** Whether bits were flipped on a disk: what comes from there may be found damaged elsewhere. */
  rotten = false;
  #violation: Violation | null = null;

  constructor(seed: number, kept: ReadonlySet<string> | null, record: boolean) {
    this.decisions = new Decisions(seed, kept);
    this.trace = new Trace(() => this.scheduler.nowUs, record);
  }

  /** The first rule that was broken; `null` as long as all hold. */
  get violation(): Violation | null {
    return this.#violation;
  }

  /** A rule is broken: the run ends after this event. */
  report(invariant: Invariant, message: string): void {
    if (this.#violation !== null) return;
    this.#violation = { invariant, message, atMs: this.scheduler.nowMs };
    this.trace.tell("check", `${invariant} is violated: ${message}`);
    this.scheduler.stop();
  }

  /** Reports unless `holds`. */
  require(holds: boolean, invariant: Invariant, message: () => string): void {
    if (!holds) this.report(invariant, message());
  }
}
