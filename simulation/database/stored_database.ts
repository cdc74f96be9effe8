/**
 * A database on a machine's disk, which outlives the processes that use it.
 *
 * @module
 */

import { Records } from "./records.ts";
import type { Changes } from "./records.ts";
import type { Medium } from "./medium.ts";

/** A transaction that has not ended. */
export interface LiveTransaction {
  readonly mode: string;
  /** Its changes so far. */
  readonly changes: Changes;
  /** Set once its changes are being made durable. */
  readonly committing: boolean;
  /** Begins, if it has not; called once the transactions before it allow it. */
  start(): void;
}

/** A connection that is open, or has transactions. */
export interface LiveConnection {
  /** The process that opened it, by its medium. */
  readonly medium: Medium;
  /** True once it was closed by either side. */
  readonly isClosed: boolean;
  onversionchange: (() => void) | null;
  transactionEnded(transaction: LiveTransaction): void;
  /** Acts like a browser that closes the connection: transactions end, with or without an event. */
  forceClose(): void;
}

export class StoredDatabase {
  version = 0;
  /** Set once the browser has deleted it, because it found damage; it reports that when it is opened again. */
  lostAll = false;
  readonly storeNames = new Set<string>();
  readonly records = new Records();
  readonly connections = new Set<LiveConnection>();
  /** The changes of complete transactions that are not durable, oldest first. */
  readonly unflushed: Changes[] = [];
  /** The transactions that have not ended, oldest first. */
  #live: LiveTransaction[] = [];
  /** The changes of a commit that failed, which may appear after the next start. */
  #doubtful: Changes | null = null;
  readonly #onDoubt: () => void;

  /** @param onDoubt called for a write after a failed commit */
  constructor(onDoubt: () => void) {
    this.#onDoubt = onDoubt;
  }

  /** Adds a transaction, which starts when those before it allow it. */
  begin(transaction: LiveTransaction): void {
    if (this.#doubtful !== null && transaction.mode !== "readonly") this.#onDoubt();
    this.#live.push(transaction);
    this.#startNext();
  }

  ended(transaction: LiveTransaction): void {
    this.#live = this.#live.filter((other) => other !== transaction);
    for (const connection of this.connections) connection.transactionEnded(transaction);
    this.#startNext();
  }

  /** Notes changes that the disk may have, although they were taken back. */
  commitFailed(changes: Changes): void {
    this.#doubtful = changes;
  }

  /**
   * Acts like the end of the processes that had it open: transactions under way leave no trace, except for one
   * whose commit had begun, which survives as a whole or not at all.
   *
   * @param survives decides on one whose commit had begun
   * @param losesPower true if a transaction that was complete, but not strict, may be lost
   */
  restart(survives: () => boolean, losesPower: boolean): void {
    const live = this.#live;
    this.#live = [];
    this.connections.clear();
    const writing = live.find(({ changes }) => changes.length > 0);
    const committed = writing !== undefined && writing.committing && survives();
    if (writing !== undefined && !committed) this.records.revert(writing.changes);
    if (losesPower && !committed) {
      const kept = this.unflushed.findIndex(() => !survives());
      for (const changes of kept < 0 ? [] : this.unflushed.slice(kept).toReversed()) this.records.revert(changes);
    }
    this.unflushed.length = 0;
    if (this.#doubtful !== null && survives()) this.records.revert(this.#doubtful);
    this.#doubtful = null;
  }

  /** Removes everything. */
  clear(): void {
    this.version = 0;
    this.storeNames.clear();
    this.records.delete({ lower: -Infinity, upper: [[]] });
    this.unflushed.length = 0;
    this.#doubtful = null;
  }

  #startNext(): void {
    let isFirst = true;
    for (const transaction of this.#live) {
      const isReading = transaction.mode === "readonly";
      if (!isFirst && !isReading) return;
      transaction.start();
      if (!isReading) return;
      isFirst = false;
    }
  }
}
