/**
 * Reads on their way: confirmed by a quorum (dissertation §6.4), then served once
 * the state machine has caught up.
 *
 * @module
 */

import { abortedError } from "../errors.ts";
import type { RaftError } from "../errors.ts";
import type { Raft } from "../raft/mod.ts";
import type { ConfirmedRead, Refused } from "../raft/types.ts";
import { busy } from "./errors.ts";
import type { ReadResult } from "./types.ts";

/** A question that waits for its turn at the state machine. */
export interface PendingRead {
  readonly query: Uint8Array;
  /** Serve when applied up to here. */
  index: number;
  settled: boolean;
  settle(result: ReadResult): void;
  fail(error: RaftError): void;
}

/** Reads under way, at most; more are refused as `busy`. */
export const MAX_READS = 32_768;

/** Reads that their callers gave up, and that are kept nevertheless, at most. */
const MAX_GIVEN_UP = 1024;

/** Reads that wait: for the next turn, for a quorum, or for the state machine. All of a turn share one confirmation. */
export class Reads {
  #queued: PendingRead[] = [];
  readonly #rounds = new Map<number, readonly PendingRead[]>();
  /** Reads that may be served now, and those that wait for an index, ascending. */
  #due: PendingRead[] = [];
  #waiting: PendingRead[] = [];
  #count = 0;
  #lastId = 0;

  /** Reads that have not ended. */
  get count(): number {
    return this.#count;
  }

  /** Reads that are kept until the state machine gets to them: those, and a bounded number that were given up. */
  get held(): number {
    return this.#due.length + this.#waiting.length;
  }

  /** Whether a read may be served at this applied index. */
  hasDue(appliedIndex: number): boolean {
    const next = this.#waiting[0];
    return this.#due.length > 0 || (next !== undefined && next.index <= appliedIndex);
  }

  /**
   * Takes a read on.
   *
   * @param index where it may be served; `null` if a quorum has to say first
   */
  add(query: Uint8Array, index: number | null, signal: AbortSignal | undefined): Promise<ReadResult> {
    if (this.#count >= MAX_READS) return Promise.reject(busy("too many reads are under way"));
    return new Promise((resolve, reject) => {
      this.#count++;
      let detach: (() => void) | null = null;
      const finish = (end: () => void) => {
        if (read.settled) return;
        read.settled = true;
        detach?.();
        this.#count--;
        end();
      };
      const read: PendingRead = {
        query,
        index: index ?? 0,
        settled: false,
        settle: (result) => finish(() => resolve(result)),
        fail: (error) => finish(() => reject(error)),
      };
      if (signal !== undefined) {
        const onAbort = () => read.fail(abortedError(signal));
        signal.addEventListener("abort", onAbort, { once: true });
        detach = () => signal.removeEventListener("abort", onAbort);
      }
      if (index === null) this.#queued.push(read);
      else this.#ready(read);
    });
  }

  /** Asks the core once for all reads of this turn. */
  submit(target: Pick<Raft, "readIndex">, explain: (refused: Refused) => RaftError): void {
    if (this.#queued.length === 0) return;
    const batch = this.#queued;
    this.#queued = [];
    const id = ++this.#lastId;
    const refused = target.readIndex(id);
    if (refused === null) this.#rounds.set(id, batch);
    else for (const read of batch) read.fail(explain({ ok: false, reason: refused, detail: "" }));
  }

  /** A quorum has answered. */
  confirmed({ id, index }: ConfirmedRead): void {
    for (const read of this.#rounds.get(id) ?? []) {
      read.index = index;
      this.#ready(read);
    }
    this.#rounds.delete(id);
  }

  /** No quorum will answer. A read has no effect, so it is always `rejected`. */
  rejected(id: number, make: () => RaftError): void {
    for (const read of this.#rounds.get(id) ?? []) read.fail(make());
    this.#rounds.delete(id);
  }

  /** The reads that may be served at this applied index; each is given out once. */
  takeDue(appliedIndex: number): PendingRead[] {
    const due = this.#due;
    this.#due = [];
    let ripe = 0;
    while (ripe < this.#waiting.length && this.#waiting[ripe]!.index <= appliedIndex) ripe++;
    if (ripe > 0) due.push(...this.#waiting.splice(0, ripe));
    return due;
  }

  /** Ends everything. */
  endAll(make: () => RaftError): void {
    const all = [...this.#queued, ...this.#due, ...this.#waiting, ...[...this.#rounds.values()].flat()];
    this.#queued = [];
    this.#due = [];
    this.#waiting.length = 0;
    this.#rounds.clear();
    for (const read of all) read.fail(make());
  }

  /** Confirmed indexes never go down, as the commit index does not; a stale read waits for none. */
  #ready(read: PendingRead): void {
    if (read.index === 0) this.#due.push(read);
    else this.#waiting.push(read);
    if (this.held > 2 * this.#count + MAX_GIVEN_UP) this.#forgetGivenUp();
  }
  #forgetGivenUp(): void {
    this.#due = this.#due.filter((read) => !read.settled);
    this.#waiting = this.#waiting.filter((read) => !read.settled);
  }
}
