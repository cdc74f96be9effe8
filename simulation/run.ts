/**
 * The state that all parts of one run share: time, random decisions, the trace, and
 * the first violation.
 */

import { Decisions } from "./decisions.ts";
import type { ProtocolTrace } from "./protocol_trace.ts";
import { Trace } from "./trace.ts";
import { Scheduler } from "./scheduler.ts";

/** A violation of a rule. */
export interface Violation {
  /** The stable name of the rule. */
  readonly invariant: Invariant;
  /** The node and its fault, for people. */
  readonly message: string;
  /** The time, in virtual milliseconds. */
  readonly atMs: number;
}

/** All rules that are checked. docs/verification.md explains each. */
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
  "a database is for one tab",
  "no unexplained stop",
  "bad messages are refused",
  "forwarding is bounded",
  "nothing leaks",
] as const;

/** The rules that each node keeps by itself, no matter what it was told. An entry that it acknowledges may be replaced in the same turn, before the answer leaves. */
export const OWN_RULES: ReadonlySet<Invariant> = new Set<Invariant>([
  "monotone term and commit",
  "one vote a term",
  "a dead process is silent",
  "a disk in doubt is left alone",
  "no unexplained stop",
  "bad messages are refused",
  "nothing leaks",
]);

/** The name of a rule that is checked. */
export type Invariant = typeof INVARIANTS[number];

export class Run {
  readonly scheduler = new Scheduler(() =>
    this.report("liveness", "the task queue never becomes empty, and no time passes")
  );
  readonly decisions: Decisions;
  readonly trace: Trace;
  /** The events for a model checker; `null` unless they are recorded. */
  protocol: ProtocolTrace | null = null;
  /** Set once bits were flipped on a disk: other nodes may find damage in data from there. */
  rotten = false;
  /** Set once the faults are over: no message or call is lost, delayed or damaged at random, and no request left out. */
  calm = false;
  /** The only rules that a member lets hold that deceives others; `null` for all. */
  rulesLeft: ReadonlySet<Invariant> | null = null;
  /** The first violation; `null` as long as all rules hold. */
  violation: Violation | null = null;

  constructor(seed: number, kept: ReadonlySet<string> | null, record: boolean) {
    this.decisions = new Decisions(seed, kept);
    this.trace = new Trace(() => this.scheduler.nowUs, record);
  }

  /** Notes a violation; the run ends after this event. */
  report(invariant: Invariant, message: string): void {
    if (this.violation !== null || this.rulesLeft?.has(invariant) === false) return;
    this.violation = { invariant, message, atMs: this.scheduler.nowMs };
    this.trace.describe("check", `${invariant} is violated: ${message}`);
    this.scheduler.stopped = true;
  }

  /** Reports a violation unless `holds`. */
  require(holds: boolean, invariant: Invariant, message: () => string): void {
    if (!holds) this.report(invariant, message());
  }
}
