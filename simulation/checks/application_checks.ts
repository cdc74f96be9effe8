/**
 * What state machines are given and what they answer: the same commands in the
 * same order everywhere, each once, and in the end just what one machine gives
 * that is fed the committed log.
 *
 * @module
 */

import { crc32c } from "../../lib/crc32c.ts";
import type { SnapshotMeta } from "../../lib/raft/types.ts";
import type { AppliedCommand, StateMachine } from "../../lib/state_machine.ts";
import type { Run } from "../run.ts";
import type { KnownEntries } from "./known_entries.ts";
import type { Life } from "./protocol_checks.ts";

/** A life with what its state machine has. */
export interface ApplyingLife extends Life {
  /** The last command applied, or all that a restored snapshot covers. */
  lastApplied: number;
}

/** See the head of this file. */
export class ApplicationChecks {
  readonly #run: Run;
  readonly #entries: KnownEntries;
  /** By index: the checksum of the answer. */
  readonly #answers: number[] = [];
  /** By request: where it was carried out. */
  readonly #carriedOut = new Map<string, number>();
  /** Snapshots of each index: the checksum of their bytes. */
  readonly #snapshots = new Map<number, { readonly name: string; readonly checksum: number }>();

  constructor(run: Run, entries: KnownEntries) {
    this.#run = run;
    this.#entries = entries;
  }

  /** Where a request was carried out, if it was. */
  carriedOut(request: string): number | undefined {
    return this.#carriedOut.get(request);
  }

  /** A node is about to apply a command (figure 3, State Machine Safety). */
  applying(life: ApplyingLife, { index, term, data }: AppliedCommand): void {
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

  /** What it answered. */
  applied({ name }: Life, index: number, answer: Uint8Array): void {
    const checksum = crc32c(answer);
    this.#run.trace.mark("applied", index, checksum);
    const before = this.#answers[index];
    if (before === undefined) this.#answers[index] = checksum;
    else if (before !== checksum) {
      this.#run.report("state machine safety", `${name} answers entry ${index} in another way than others`);
    }
  }

  /** A request reached the user's state machine: at one place in the log only. */
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

  /** A node has taken a snapshot of its own state. */
  snapshotTaken({ name }: Life, { index, checksum }: SnapshotMeta): void {
    this.#run.trace.count("snapshot taken");
    const other = this.#snapshots.get(index);
    if (other === undefined) this.#snapshots.set(index, { name, checksum });
    else if (other.checksum !== checksum) {
      this.#run.report("snapshot equals replay", `${name} and ${other.name} have different snapshots at ${index}`);
    }
  }

  /**
   * Feeds the committed log to a state machine that never crashed, and compares.
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
          `entry ${index} was answered in another way than a replay of the log does`,
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

/** The checksum of a snapshot's bytes. */
export async function checksumOf(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let checksum = 0;
  for await (const chunk of chunks) checksum = crc32c(chunk, checksum);
  return checksum;
}
