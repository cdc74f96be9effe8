/**
 * Checks of state machines: they receive the same commands in the same order, each
 * once, and in the end have answered like one machine that applied the committed log.
 */

import { crc32c } from "../../lib/crc32c.ts";
import type { SnapshotMeta } from "../../lib/raft/types.ts";
import type { AppliedCommand, StateMachine } from "../../lib/state_machine.ts";
import type { Run } from "../run.ts";
import type { KnownEntries } from "./known_entries.ts";
import type { Life } from "./life.ts";

export class ApplicationChecks {
  readonly #run: Run;
  readonly #entries: KnownEntries;
  /** The checksum of the answer, by index. */
  readonly #answers: number[] = [];
  /** The index at which a request was executed, by request. */
  readonly #carriedOut = new Map<string, number>();
  /** The checksum of snapshots, by index. */
  readonly #snapshots = new Map<number, { readonly name: string; readonly checksum: number }>();

  constructor(run: Run, entries: KnownEntries) {
    this.#run = run;
    this.#entries = entries;
  }

  carriedOut(request: string): number | undefined {
    return this.#carriedOut.get(request);
  }

  /** Reports whether all up to this index are committed. */
  isCommitted(index: number): boolean {
    return index <= this.#entries.commitIndex;
  }

  /** Checks a command that a node is about to apply (figure 3, State Machine Safety). */
  applying(life: Life, { index, term, data }: AppliedCommand): void {
    const { name, record } = life;
    const broken = (what: string): void => this.#run.report("state machine safety", `${name} applies ${what}`);
    const known = this.#entries.committed(index);
    if (known === undefined) return broken(`entry ${index}, which is not committed`);
    if (known.entry.term !== term || known.checksum !== crc32c(data)) broken(`another command at ${index}`);
    if (!record.has(index, term)) broken(`entry ${index}, which is not on its own disk`);
    const { lastApplied } = life;
    if (index <= lastApplied) broken(`entry ${index} after entry ${lastApplied}`);
    for (let i = lastApplied + 1; i < index; i++) {
      if (this.#entries.committed(i)?.entry.type === "command") broken(`entry ${index} without entry ${i}`);
    }
    life.lastApplied = index;
  }

  applied({ name }: Life, index: number, answer: Uint8Array): void {
    const checksum = crc32c(answer);
    this.#run.trace.mark("applied", index, checksum);
    const before = this.#answers[index];
    if (before === undefined) this.#answers[index] = checksum;
    else if (before !== checksum) {
      this.#run.report("state machine safety", `${name} answers entry ${index} differently than others`);
    }
  }

  /** Reports a call that began before the one under way had ended. */
  overlapped({ name }: Life, call: string): void {
    this.#run.report("state machine safety", `${name} calls ${call} while another call is under way`);
  }

  /** Checks that a request reaches the user's state machine at only one index. */
  ran({ name }: Life, request: string, index: number): void {
    const before = this.#carriedOut.get(request);
    if (before === undefined) this.#carriedOut.set(request, index);
    else if (before !== index) {
      this.#run.report(
        "exactly once",
        `${name} carries out request ${request} at ${index}, and it was at ${before} already`,
      );
    }
  }

  /** Checks a snapshot that a node has taken of its own state. */
  snapshotTaken({ name }: Life, { index, checksum }: SnapshotMeta): void {
    this.#run.trace.count("snapshot taken");
    const other = this.#snapshots.get(index);
    if (other === undefined) this.#snapshots.set(index, { name, checksum });
    else if (other.checksum !== checksum) {
      this.#run.report("snapshot equals replay", `${name} and ${other.name} have different snapshots at ${index}`);
    }
  }

  /**
   * Applies the committed log to a state machine that never crashed, and compares answers and snapshots.
   *
   * @param each called after each index with the answer to its command, if it has one
   */
  async replay(
    reference: StateMachine,
    each: (index: number, answer: Uint8Array | null) => Promise<void>,
  ): Promise<void> {
    for (let index = 1; index <= this.#entries.commitIndex; index++) {
      const { entry } = this.#entries.committed(index)!;
      const answer = entry.type === "command" ? await reference.apply(entry) : null;
      const given = this.#answers[index];
      if (answer !== null && given !== undefined && given !== crc32c(answer)) {
        this.#run.report(
          "state machine safety",
          `the answer to entry ${index} differs from that of a replay of the log`,
        );
      }
      await each(index, answer);
      const snapshot = this.#snapshots.get(index);
      if (snapshot === undefined) continue;
      if (await checksumOf(reference.snapshot()) === snapshot.checksum) continue;
      this.#run.report(
        "snapshot equals replay",
        `the snapshot of ${snapshot.name} at ${index} is not what a replay gives`,
      );
    }
  }
}

export async function checksumOf(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let checksum = 0;
  for await (const chunk of chunks) checksum = crc32c(chunk, checksum);
  return checksum;
}
