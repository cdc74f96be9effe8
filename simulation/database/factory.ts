/// <reference lib="dom" />
/**
 * The databases of one browser profile, as a process of it sees them: opening with
 * its upgrade, deletion, and connections that the browser may close.
 */

import type { DatabaseFault, Medium } from "./medium.ts";
import { cloneValue } from "./records.ts";
import type { Key } from "./records.ts";
import { StoredDatabase } from "./stored_database.ts";
import type { LiveConnection, LiveTransaction } from "./stored_database.ts";
import { domError, SimulatedRequest, SimulatedTransaction } from "./transaction.ts";

/** Databases by name, on one disk. */
export class DatabaseFolder {
  readonly #stored = new Map<string, StoredDatabase>();
  readonly #onDoubt: () => void;

  /** @param onDoubt called for a write after a failed commit */
  constructor(onDoubt: () => void) {
    this.#onDoubt = onDoubt;
  }

  get all(): StoredDatabase[] {
    return [...this.#stored.values()];
  }

  of(name: string): StoredDatabase {
    let stored = this.#stored.get(name);
    if (stored === undefined) this.#stored.set(name, stored = new StoredDatabase(this.#onDoubt));
    return stored;
  }
}

export class SimulatedConnection implements LiveConnection {
  onversionchange: (() => void) | null = null;
  onclose: (() => void) | null = null;
  readonly #stored: StoredDatabase;
  readonly #medium: Medium;
  readonly #transactions = new Set<SimulatedTransaction>();
  #closed = false;

  constructor(stored: StoredDatabase, medium: Medium) {
    this.#stored = stored;
    this.#medium = medium;
    stored.connections.add(this);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get medium(): Medium {
    return this.#medium;
  }

  get objectStoreNames(): { contains(name: string): boolean } {
    return { contains: (name) => this.#stored.storeNames.has(name) };
  }

  /** The object stores, and their first records, that an upgrade under way creates. */
  readonly created = new Map<string, Map<Key, unknown>>();

  createObjectStore(name: string): { put(value: unknown, key: Key): void } {
    const records = new Map<Key, unknown>();
    this.created.set(name, records);
    return { put: (value, key) => void records.set(key, cloneValue(value)) };
  }

  transaction(
    store: string,
    mode: IDBTransactionMode,
    { durability = "default" }: { durability?: string } = {},
  ): SimulatedTransaction {
    if (this.#closed) throw domError("InvalidStateError", "The database connection is closing.");
    if (!this.#stored.storeNames.has(store)) throw domError("NotFoundError", `there is no object store ${store}`);
    const transaction = new SimulatedTransaction(this.#stored, this.#medium, mode, durability);
    this.#transactions.add(transaction);
    this.#stored.begin(transaction);
    return transaction;
  }

  /** Closes the connection once its transactions have ended. */
  close(): void {
    this.#closed = true;
    if (this.#transactions.size === 0) this.#stored.connections.delete(this);
  }

  transactionEnded(transaction: LiveTransaction): void {
    if (this.#transactions.delete(transaction as SimulatedTransaction) && this.#closed) this.close();
  }

  forceClose(): void {
    this.#closed = true;
    for (const transaction of [...this.#transactions]) {
      if (transaction.committing || this.#medium.chance(0.5)) transaction.vanish();
      else transaction.end(domError("AbortError", "the connection was closed"));
    }
    this.close();
    this.#medium.soon(() => this.onclose?.());
  }
}

/** The `indexedDB` of one process. */
export class SimulatedFactory {
  readonly #folder: DatabaseFolder;
  readonly #medium: Medium;

  constructor(folder: DatabaseFolder, medium: Medium) {
    this.#folder = folder;
    this.#medium = medium;
  }

  open(name: string, version: number): SimulatedRequest {
    const request = new SimulatedRequest();
    this.#medium.perform("open", (fault) => {
      if (fault !== null) return request.fail(openError(fault));
      const stored = this.#folder.of(name);
      if (version < stored.version) {
        return request.fail(domError("VersionError", "the requested version is less than the existing one"));
      }
      if (version === stored.version) return request.succeed(new SimulatedConnection(stored, this.#medium));
      whenUnused(stored, this.#medium, () => this.#upgrade(request, stored, version));
    });
    return request;
  }

  deleteDatabase(name: string): SimulatedRequest {
    const request = new SimulatedRequest();
    this.#medium.perform("open", (fault) => {
      if (fault !== null) return request.fail(openError(fault));
      const stored = this.#folder.of(name);
      whenUnused(stored, this.#medium, () => {
        stored.clear();
        request.succeed(undefined);
      });
    });
    return request;
  }

  /** Upgrades a database in one transaction, which a crash undoes. */
  #upgrade(request: SimulatedRequest, stored: StoredDatabase, version: number): void {
    const connection = new SimulatedConnection(stored, this.#medium);
    request.result = connection;
    // An event of Chromium has these properties.
    request.onupgradeneeded?.(
      stored.lostAll ? { dataLoss: "total", dataLossMessage: "Corruption" } : { dataLoss: "none", dataLossMessage: "" },
    );
    this.#medium.perform("commit", (fault) => {
      if (fault !== null) {
        connection.close();
        return request.fail(openError(fault));
      }
      for (const [store, records] of connection.created) {
        stored.storeNames.add(store);
        for (const [key, value] of records) stored.records.put(key, value);
      }
      stored.version = version;
      stored.lostAll = false;
      request.succeed(connection);
    });
  }
}

function openError(fault: DatabaseFault): DOMException {
  return fault === "quota"
    ? domError("QuotaExceededError", "The quota has been exceeded.")
    : domError("UnknownError", "Internal error opening backing store for indexedDB.open.");
}

/** Asks every connection to close, and calls `then` when none is left. */
function whenUnused(stored: StoredDatabase, medium: Medium, then: () => void): void {
  for (const connection of [...stored.connections]) connection.onversionchange?.();
  const look = (): void => stored.connections.size === 0 ? then() : medium.soon(look);
  look();
}
