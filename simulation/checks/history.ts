/**
 * The history of requests and answers of clients, checked against the committed log.
 * Since the order of commits is known, this takes one pass; the search of
 * linearizability/ does not need that order, and checks a sample of the runs.
 */

import { crc32c } from "../../lib/crc32c.ts";
import type { Consistency } from "../../lib/node/types.ts";
import type { StateMachine } from "../../lib/state_machine.ts";
import type { Request } from "../clients/workload.ts";
import type { Run } from "../run.ts";
import type { ApplicationChecks } from "./application_checks.ts";

/** A request of a client. Times are virtual microseconds. */
export interface HistoryRecord {
  readonly client: string;
  /** Unique in the run. */
  readonly request: string;
  /** The request as the workload made it. */
  readonly asked: Request;
  readonly callUs: number;
  /** The time by which it has to end: its timeout, or the moment of its abort. */
  readonly dueUs: number;
  /** The consistency of a query. */
  readonly consistency: Consistency;
  /** The time of the answer; `null` while the request is under way. */
  returnUs: number | null;
  outcome: "done" | "rejected" | "unknown";
  /** The log index of an executed command; for a query the last index that the answer reflects. */
  position: number;
  answer: Uint8Array | null;
  /** The process that served a query. */
  server: Server | null;
  /** The answer as the workload's own client understood it. */
  told: unknown;
}

/** A process of a node that answers; each restart is another. */
export interface Server {
  readonly actor: { readonly name: string };
}

/** The parts of a record that are known from the beginning. */
type Begun = Omit<HistoryRecord, "returnUs" | "outcome" | "position" | "answer" | "server" | "told">;

/** The longest time from the moment at which a request has to end to its end. */
const GRACE_US = 2000;

export class History {
  readonly records: HistoryRecord[] = [];
  readonly #open = new Set<HistoryRecord>();
  /** All requests by position, once all have ended; those that were not executed are at -1. */
  #positions: Map<number, HistoryRecord[]> | null = null;

  begin(record: Begun): HistoryRecord {
    const begun: HistoryRecord = {
      ...record,
      returnUs: null,
      outcome: "unknown",
      position: 0,
      answer: null,
      server: null,
      told: undefined,
    };
    this.records.push(begun);
    this.#open.add(begun);
    return begun;
  }

  /** Notes that a request has ended, with its outcome. */
  end(record: HistoryRecord, nowUs: number): void {
    record.returnUs = nowUs;
    this.#open.delete(record);
  }

  /** Checks that no request is under way that has timed out, or was aborted. */
  checkDue(run: Run): void {
    const { nowUs } = run.scheduler;
    for (const { client, asked: { text }, callUs, dueUs } of this.#open) {
      if (nowUs <= dueUs + GRACE_US) continue;
      const ms = (us: number): number => Math.round(us / 1000);
      run.report(
        "liveness",
        `"${text}" of ${client} is under way for ${ms(nowUs - callUs)} ms, and had to end after ${ms(dueUs - callUs)}`,
      );
      return;
    }
  }

  /** Checks outcomes: no acknowledged command is lost, and no rejected one was executed. */
  checkOutcomes(run: Run, application: ApplicationChecks, withoutEffect: readonly string[]): void {
    for (const request of withoutEffect) {
      const at = application.carriedOut(request);
      if (at !== undefined) run.report("outcomes are true", `a node aborted ${request}, which was executed at ${at}`);
    }
    for (const { asked: { type, text }, request, outcome, position, client } of this.records) {
      if (type !== "command") continue;
      const at = application.carriedOut(request);
      if (outcome === "rejected" && at !== undefined) {
        run.report(
          "outcomes are true",
          `${client} received that "${text}" had no effect, but it was executed at ${at}`,
        );
      }
      if (outcome !== "done" || at === position) continue;
      const where = at === undefined ? "it was not carried out" : `it was carried out at ${at}`;
      run.report(
        "nothing acknowledged is lost",
        `${client} received ${position} as the index of "${text}", but ${where}`,
      );
    }
  }

  /**
   * Checks the answers at one index against those of a state machine that applied the log alone.
   *
   * @param given its answer to the command at that index; `null` if there is none
   */
  async checkAnswers(run: Run, index: number, reference: StateMachine, given: Uint8Array | null): Promise<void> {
    this.#positions ??= Map.groupBy(this.records, ({ outcome, position }) => outcome === "done" ? position : -1);
    for (const { asked: { type, bytes, text }, answer, client } of this.#positions.get(index) ?? []) {
      const expected = type === "query" ? await reference.query(bytes) : given;
      if (expected !== null && answer !== null && crc32c(expected) === crc32c(answer)) continue;
      run.report("linearizability", `the answer to "${text}" of ${client} does not follow from the log up to ${index}`);
    }
  }

  /**
   * Checks the real-time order: a request that began after another had ended has a
   * later position, and a read reflects everything acknowledged or read before it began.
   * A stale read need not; but it is never older than another that the same process answered before.
   */
  checkOrder(run: Run): void {
    const done = this.records.filter(({ outcome, returnUs }) => outcome === "done" && returnUs !== null);
    checkOrder(run, done.filter(({ consistency }) => consistency !== "stale"));
    for (const [server, answers] of Map.groupBy(done, (record) => record.server)) {
      if (server !== null) checkOrder(run, answers);
    }
  }
}

/** Checks the real-time order of requests that were answered. */
function checkOrder(run: Run, done: readonly HistoryRecord[]): void {
  const ends = [...done].sort((a, b) => a.returnUs! - b.returnUs!);
  let ended = 0;
  let latest: HistoryRecord | null = null;
  for (const record of [...done].sort((a, b) => a.callUs - b.callUs)) {
    for (; ended < ends.length && ends[ended]!.returnUs! < record.callUs; ended++) {
      if (latest === null || ends[ended]!.position > latest.position) latest = ends[ended]!;
    }
    if (latest === null) continue;
    const isQuery = record.asked.type === "query";
    const holds = isQuery ? record.position >= latest.position : record.position > latest.position;
    if (holds) continue;
    const saw = isQuery ? "read the state of" : "stands at";
    run.report(
      "linearizability",
      `"${record.asked.text}" of ${record.client} ${saw} ${record.position}, ` +
        `and "${latest.asked.text}" of ${latest.client} had ended before with ${latest.position}`,
    );
    return;
  }
}
