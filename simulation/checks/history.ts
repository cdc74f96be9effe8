/**
 * What clients asked and were told, checked against the committed log. Where the
 * order of commits is known this takes one pass; the search of linearizability/
 * needs no such knowledge, and checks a sample.
 *
 * @module
 */

import { crc32c } from "../../lib/crc32c.ts";
import { decodeReply } from "../../lib/sessions/mod.ts";
import type { StateMachine } from "../../lib/state_machine.ts";
import type { Request } from "../clients/workload.ts";
import type { Run } from "../run.ts";
import type { ApplicationChecks } from "./application_checks.ts";

/** A request of a client. Times are virtual microseconds. */
export interface HistoryRecord {
  readonly client: string;
  /** Unique in the run. */
  readonly request: string;
  readonly kind: "command" | "query";
  readonly bytes: Uint8Array;
  /** For people. */
  readonly text: string;
  /** The request as the workload made it. */
  readonly asked: Request;
  readonly callUs: number;
  /** `null` while it is under way. */
  returnUs: number | null;
  outcome: "done" | "rejected" | "unknown";
  /** Of a command that was done: its log index; of a query: the last index that the answer reflects. */
  position: number;
  answer: Uint8Array | null;
}

/** All that clients asked. */
export class History {
  readonly records: HistoryRecord[] = [];
  #positions: Map<number, HistoryRecord[]> | null = null;

  /** A client asks. */
  begin(record: Omit<HistoryRecord, "returnUs" | "outcome" | "position" | "answer">): HistoryRecord {
    const begun: HistoryRecord = { ...record, returnUs: null, outcome: "unknown", position: 0, answer: null };
    this.records.push(begun);
    return begun;
  }

  /** Outcomes against what was carried out: nothing acknowledged is lost, nothing rejected was done. */
  checkOutcomes(run: Run, application: ApplicationChecks): void {
    for (const { kind, request, outcome, position, client, text } of this.records) {
      if (kind !== "command") continue;
      const at = application.carriedOut(request);
      if (outcome === "rejected" && at !== undefined) {
        run.report(
          "outcomes are true",
          `${client} was told that "${text}" had no effect, and it was carried out at ${at}`,
        );
      }
      if (outcome !== "done" || at === position) continue;
      const where = at === undefined ? "it was not carried out" : `it was carried out at ${at}`;
      run.report("nothing acknowledged is lost", `${client} was told that "${text}" is at ${position}, and ${where}`);
    }
  }

  /** The answers at one place of the log, against those of a state machine that was fed the log alone. */
  async checkAnswers(run: Run, index: number, reference: StateMachine, reply: Uint8Array | null): Promise<void> {
    for (const { kind, bytes, answer, client, text } of this.#byPosition().get(index) ?? []) {
      const expected = kind === "query" ? await reference.query(bytes) : reply === null ? null : resultOf(reply);
      if (expected !== null && answer !== null && crc32c(expected) === crc32c(answer)) continue;
      run.report("linearizability", `"${text}" of ${client} was not answered as the log up to ${index} says`);
    }
  }

  /** Made once all have ended. */
  #byPosition(): Map<number, HistoryRecord[]> {
    if (this.#positions !== null) return this.#positions;
    const positions = this.#positions = new Map<number, HistoryRecord[]>();
    for (const record of this.records) {
      if (record.outcome !== "done") continue;
      const others = positions.get(record.position);
      if (others === undefined) positions.set(record.position, [record]);
      else others.push(record);
    }
    return positions;
  }

  /**
   * Real-time order: what began after another had ended stands after it, and a
   * read sees all that was acknowledged, or read, before it began.
   */
  checkOrder(run: Run): void {
    const done = this.records.filter(({ outcome, returnUs }) => outcome === "done" && returnUs !== null);
    const ends = [...done].sort((a, b) => a.returnUs! - b.returnUs!);
    let ended = 0;
    let latest: HistoryRecord | null = null;
    for (const record of [...done].sort((a, b) => a.callUs - b.callUs)) {
      for (; ended < ends.length && ends[ended]!.returnUs! < record.callUs; ended++) {
        if (latest === null || ends[ended]!.position > latest.position) latest = ends[ended]!;
      }
      if (latest === null) continue;
      const holds = record.kind === "query" ? record.position >= latest.position : record.position > latest.position;
      if (holds) continue;
      const saw = record.kind === "query" ? "read the state of" : "stands at";
      run.report(
        "linearizability",
        `"${record.text}" of ${record.client} ${saw} ${record.position}, ` +
          `and "${latest.text}" of ${latest.client} had ended before with ${latest.position}`,
      );
      return;
    }
  }
}

/** The user's part of what a state machine with sessions answers. */
function resultOf(reply: Uint8Array): Uint8Array | null {
  const decoded = decodeReply(reply);
  return decoded.type === "applied" ? decoded.result : null;
}
