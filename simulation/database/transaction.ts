/// <reference lib="dom" />
/**
 * Transactions over simulated databases, with the rules of IndexedDB: one accepts
 * requests only in the events that it causes, and commits by itself when none is
 * left; writing ones run alone, in the order of their creation; an aborted one has
 * changed nothing.
 */

import { cloneValue, sizeOf } from "./records.ts";
import type { Change, Changes, Key, KeyRange } from "./records.ts";
import type { DatabaseFault, Medium } from "./medium.ts";
import type { LiveTransaction, StoredDatabase } from "./stored_database.ts";

type Handler = (() => void) | null;

export function domError(name: string, message: string): DOMException {
  return new DOMException(message, name);
}

/** A request: its result, or its error. */
export class SimulatedRequest {
  result: unknown = undefined;
  error: DOMException | null = null;
  onsuccess: Handler = null;
  onerror: Handler = null;
  onupgradeneeded: ((event: { readonly dataLoss: string; readonly dataLossMessage: string }) => void) | null = null;
  onblocked: Handler = null;

  succeed(result: unknown): void {
    this.result = result;
    this.onsuccess?.();
  }

  fail(error: DOMException): void {
    this.error = error;
    this.onerror?.();
  }
}

/** One request of a transaction, until it is carried out. */
interface Queued {
  readonly request: SimulatedRequest;
  /** The bytes that it writes; `null` for a read. */
  readonly bytes: number | null;
  readonly act: () => unknown;
}

/** A live transaction, as its database sees it. */
export class SimulatedTransaction implements LiveTransaction {
  error: DOMException | null = null;
  readonly mode: IDBTransactionMode;
  readonly isStrict: boolean;
  readonly changes: Change[] = [];
  committing = false;
  readonly #stored: StoredDatabase;
  readonly #medium: Medium;
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #queue: Queued[] = [];
  /** The event in which it is active. */
  #activeAt: number;
  #started = false;
  #ended = false;
  /** Set once it accepts no more requests, because `commit` was called. */
  #sealed = false;
  /** Set if there is no room for what it has written, which the commit will find. */
  #overfull = false;

  constructor(stored: StoredDatabase, medium: Medium, mode: IDBTransactionMode, durability: string) {
    this.#stored = stored;
    this.#medium = medium;
    this.mode = mode;
    this.isStrict = durability === "strict";
    this.#activeAt = medium.step;
  }

  objectStore(name: string): SimulatedStore {
    if (this.#ended) throw domError("InvalidStateError", "the transaction has ended");
    return new SimulatedStore(this, this.#stored, name);
  }

  addEventListener(type: string, listener: () => void): void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
  }

  /** Commits without waiting for more requests. */
  commit(): void {
    this.#requireActive();
    this.#sealed = true;
  }

  abort(): void {
    if (this.#ended || this.committing || this.#sealed) {
      throw domError("InvalidStateError", "the transaction has ended");
    }
    this.end(null);
  }

  /** Adds a request; it is carried out later. */
  ask(bytes: number | null, act: () => unknown): SimulatedRequest {
    this.#requireActive();
    if (bytes !== null && this.mode === "readonly") throw domError("ReadOnlyError", "the transaction only reads");
    const request = new SimulatedRequest();
    this.#queue.push({ request, bytes, act });
    return request;
  }

  note(changes: Changes): void {
    this.changes.push(...changes);
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#turn();
  }

  /** Ends it without effect; `error` is the reason, unless the program wanted it. Returns what it would have changed. */
  end(error: DOMException | null): Changes {
    if (this.#ended) return [];
    this.#ended = true;
    this.error = error;
    const lost = this.#stored.records.revert(this.changes);
    this.changes.length = 0;
    this.#medium.soon(() => {
      for (const { request } of this.#queue.splice(0)) {
        request.fail(domError("AbortError", "the transaction was aborted, so the request cannot be fulfilled."));
      }
      this.#fire("abort");
    });
    this.#stored.ended(this);
    return lost;
  }

  /** Ends it without any event, as when the browser closes a connection; its commit may still take place. */
  vanish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#queue.length = 0;
    if (!this.committing || this.#medium.chance(0.5)) this.#stored.records.revert(this.changes);
    this.#stored.ended(this);
  }

  #requireActive(): void {
    if (!this.#ended && !this.committing && !this.#sealed && this.#activeAt === this.#medium.step) return;
    throw domError("TransactionInactiveError", "the transaction is not active");
  }

  /** Carries out the requests that there are by then; commits when there are none. */
  #turn(): void {
    this.#medium.perform(this.mode === "readonly" ? "read" : "write", (fault) => {
      if (this.#ended) return;
      this.#activeAt = this.#medium.step;
      this.#carryOut(fault);
      if (this.#sealed) this.#next();
      else this.#medium.soon(() => this.#next());
    });
  }

  #next(): void {
    if (this.#ended) return;
    if (this.#queue.length === 0) this.#commit();
    else this.#turn();
  }

  #carryOut(fault: DatabaseFault | null): void {
    // With a fault, the last request fails: those before it have to be taken back.
    const failing = fault === null ? undefined : this.#queue.at(-1);
    for (const queued of this.#queue.splice(0)) {
      const { request, bytes, act } = queued;
      if (this.#ended) {
        request.fail(domError("AbortError", "the transaction was aborted, so the request cannot be fulfilled."));
        continue;
      }
      const error = queued === failing ? domError("UnknownError", "Internal error.") : this.#refusal(bytes ?? 0);
      if (error !== null) {
        request.fail(error);
        this.end(error);
        continue;
      }
      try {
        request.succeed(act());
      } catch (thrown) {
        this.end(domError("AbortError", `an exception in a handler: ${thrown}`));
      }
    }
  }

  /** Returns the error of a write that exceeds the quota; it may be found only by the commit. */
  #refusal(bytes: number): DOMException | null {
    if (bytes === 0 || this.#overfull || this.#medium.hasRoom(bytes)) return null;
    this.#overfull = this.#medium.chance(0.3);
    return this.#overfull ? null : domError("QuotaExceededError", "The quota has been exceeded.");
  }

  #commit(): void {
    this.committing = true;
    if (this.mode === "readonly") return this.#complete();
    const finish = (fault: DatabaseFault | null): void => {
      if (this.#ended) return;
      if (fault === null && !this.#overfull) return this.#complete();
      const error = this.#overfull
        ? domError("QuotaExceededError", "Encountered full disk while committing transaction.")
        : domError("UnknownError", "Internal error committing transaction.");
      this.#stored.commitFailed(this.end(error));
    };
    if (this.isStrict || this.#overfull) return this.#medium.perform("commit", finish);
    // A relaxed one is complete before it is durable.
    this.#stored.unflushed.push(this.changes);
    this.#complete();
  }

  #complete(): void {
    this.#ended = true;
    if (this.isStrict && this.mode !== "readonly") this.#stored.unflushed.length = 0;
    this.#fire("complete");
    this.#stored.ended(this);
  }

  #fire(type: string): void {
    for (const listener of this.#listeners.get(type) ?? []) listener();
  }
}

/** An object store, in a transaction. */
export class SimulatedStore {
  readonly transaction: SimulatedTransaction;
  readonly #stored: StoredDatabase;

  constructor(transaction: SimulatedTransaction, stored: StoredDatabase, name: string) {
    if (!stored.storeNames.has(name)) throw domError("NotFoundError", `there is no object store ${name}`);
    this.transaction = transaction;
    this.#stored = stored;
  }

  put(value: unknown, key: Key): SimulatedRequest {
    const stored = cloneValue(value);
    return this.transaction.ask(sizeOf(value), () => {
      this.transaction.note([this.#stored.records.put(key, stored)]);
      return key;
    });
  }

  delete(query: Key | KeyRange): SimulatedRequest {
    return this.transaction.ask(0, () => void this.transaction.note(this.#stored.records.delete(rangeOf(query))));
  }

  get(key: Key): SimulatedRequest {
    return this.transaction.ask(null, () => cloneValue(this.#stored.records.get(key)));
  }

  getAll(query: KeyRange, count = Infinity): SimulatedRequest {
    return this.transaction.ask(null, () => this.#stored.records.values(query).slice(0, count).map(cloneValue));
  }

  getAllKeys(query: KeyRange): SimulatedRequest {
    return this.transaction.ask(null, () => this.#stored.records.keys(query));
  }

  count(query: KeyRange): SimulatedRequest {
    return this.transaction.ask(null, () => this.#stored.records.keys(query).length);
  }

  openKeyCursor(query: KeyRange, direction: IDBCursorDirection): SimulatedRequest {
    return this.transaction.ask(null, () => {
      const keys = this.#stored.records.keys(query);
      const key = direction === "prev" ? keys.at(-1) : keys[0];
      return key === undefined ? null : { key };
    });
  }
}

function rangeOf(query: Key | KeyRange): KeyRange {
  return typeof query === "object" && "lower" in query ? query : { lower: query, upper: query };
}
