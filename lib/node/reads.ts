/**
 * Reads under way: confirmed by a quorum (dissertation §6.4), then served once the
 * state machine has caught up.
 */

import type { RaftError } from "../errors.ts";
import { Pending } from "../pending.ts";
import type { Raft } from "../raft/mod.ts";
import type { ConfirmedRead, Refused } from "../raft/types.ts";
import { busy } from "./errors.ts";
import type { ReadResult } from "./types.ts";

/** A query that waits for its turn at the state machine. */
export interface PendingRead {
  readonly query: Uint8Array;
  /** The entry that must be applied before it is served. */
  index: number;
  readonly pending: Pending<ReadResult>;
}

/** The maximum number of reads under way; more are refused as `busy`. */
const MAX_READS = 32_768;

/** The maximum bytes of their queries; a single one may be larger. */
const MAX_QUERY_BYTES = 16 * 1024 * 1024;

/** The maximum number of aborted reads that are kept. */
const MAX_GIVEN_UP = 1024;

/** Reads that wait for the next turn, for a quorum, or for the state machine. The reads of a turn share one confirmation. */
export class Reads {
  readonly #queued: PendingRead[] = [];
  readonly #rounds = new Map<number, readonly PendingRead[]>();
  /** Reads that may be served now, and those that wait for an index, ascending. */
  #due: PendingRead[] = [];
  #waiting: PendingRead[] = [];
  #count = 0;
  #bytes = 0;
  #lastId = 0;

  /** The number of reads that have not ended. */
  get count(): number {
    return this.#count;
  }

  /** The bytes of their queries; zero when idle. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The number of reads that wait for the state machine, with a bounded number of aborted ones. */
  get held(): number {
    return this.#due.length + this.#waiting.length;
  }

  /** Reports whether a read may be served at this applied index. */
  hasDue(appliedIndex: number): boolean {
    const next = this.#waiting[0];
    return this.#due.length > 0 || (next !== undefined && next.index <= appliedIndex);
  }

  /**
   * Adds a read.
   *
   * @param index the applied index at which it may be served; `null` if a quorum has to confirm it first
   */
  add(query: Uint8Array, index: number | null, signal: AbortSignal | undefined): Promise<ReadResult> {
    if (this.#count >= MAX_READS) return Promise.reject(busy("too many reads are under way"));
    if (this.#count > 0 && this.#bytes + query.length > MAX_QUERY_BYTES) {
      return Promise.reject(busy("the queries of the reads under way are too large"));
    }
    this.#count++;
    this.#bytes += query.length;
    const onEnd = (): void => {
      this.#count--;
      this.#bytes -= query.length;
    };
    const pending = new Pending<ReadResult>({ signals: [signal], outcome: "rejected", onEnd });
    const read: PendingRead = { query, index: index ?? 0, pending };
    if (index === null) this.#queued.push(read);
    else this.#ready(read);
    return pending.promise;
  }

  /** Begins one confirmation for all reads of this turn. */
  submit(target: Pick<Raft, "readIndex">, explain: (refused: Refused) => RaftError): void {
    if (this.#queued.length === 0) return;
    const batch = this.#queued.splice(0);
    const id = ++this.#lastId;
    const refused = target.readIndex(id);
    if (refused === null) this.#rounds.set(id, batch);
    else for (const { pending } of batch) pending.reject(explain({ ok: false, reason: refused, detail: "" }));
  }

  /** Releases reads that a quorum has confirmed. */
  confirmed({ id, index }: ConfirmedRead): void {
    for (const read of this.#rounds.get(id) ?? []) {
      read.index = index;
      this.#ready(read);
    }
    this.#rounds.delete(id);
  }

  /** Ends reads that no quorum will confirm. A read has no effect, so it is always `rejected`. */
  rejected(id: number, make: () => RaftError): void {
    for (const { pending } of this.#rounds.get(id) ?? []) pending.reject(make());
    this.#rounds.delete(id);
  }

  /** Returns the reads that may be served at this applied index, each once. */
  takeDue(appliedIndex: number): PendingRead[] {
    const due = this.#due.splice(0);
    let ripe = 0;
    while (ripe < this.#waiting.length && this.#waiting[ripe]!.index <= appliedIndex) ripe++;
    if (ripe > 0) due.push(...this.#waiting.splice(0, ripe));
    return due;
  }

  /** Ends all reads. */
  endAll(make: () => RaftError): void {
    const all = [...this.#queued, ...this.#due, ...this.#waiting, ...[...this.#rounds.values()].flat()];
    this.#queued.length = this.#due.length = this.#waiting.length = 0;
    this.#rounds.clear();
    for (const { pending } of all) pending.reject(make());
  }

  /** Queues a read for the state machine. Confirmed indexes never go down, since the commit index does not; a stale read has none. */
  #ready(read: PendingRead): void {
    if (read.index === 0) this.#due.push(read);
    else this.#waiting.push(read);
    if (this.held > 2 * this.#count + MAX_GIVEN_UP) this.#forgetGivenUp();
  }

  #forgetGivenUp(): void {
    this.#due = this.#due.filter(({ pending }) => !pending.settled);
    this.#waiting = this.#waiting.filter(({ pending }) => !pending.settled);
  }
}
