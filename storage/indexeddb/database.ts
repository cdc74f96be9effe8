/// <reference lib="dom" />
/**
 * The connection to one database, as a store for idb-keyval whose transactions
 * are strict: a promise resolves when the transaction is complete, which is when
 * the operating system reports that the data is on the disk, and rejects otherwise.
 * (A browser without this option resolves as soon as the operating system has the
 * data, which a power failure may lose.)
 */

import { promisifyRequest, type UseStore } from "idb-keyval";
import { StorageError } from "../../lib/errors.ts";
import { failure, storageClosed } from "../log_rules.ts";
import { damaged, errorName, transactionFailure, unsupportedVersion } from "./database_errors.ts";
import { formatVersion, KeyRanges, storeName } from "./keys.ts";
import type { DatabasePlatform } from "./platform.ts";

async function openConnection(platform: DatabasePlatform, name: string): Promise<IDBDatabase> {
  const request = platform.databases().open(name, formatVersion);
  request.onupgradeneeded = (event) => {
    const store = request.result.createObjectStore(storeName);
    // Chromium deletes all databases of a site when it finds them damaged, and tells only the first to be opened again.
    const { dataLoss, dataLossMessage } = event as { readonly dataLoss?: string; readonly dataLossMessage?: string };
    if (dataLoss === "total") store.put(`${dataLossMessage}`, "lost");
  };
  try {
    return await promisifyRequest(request);
  } catch (error) {
    if (errorName(error) === "VersionError") throw unsupportedVersion(name, error);
    throw transactionFailure(name, "readonly", error);
  }
}

export async function deleteDatabase(platform: DatabasePlatform, name: string): Promise<void> {
  const request = platform.databases().deleteDatabase(name);
  await promisifyRequest(request).catch((error) => {
    throw transactionFailure(name, "readwrite", error);
  });
}

/** A connection, until it is closed or lost. */
export class Database {
  readonly name: string;
  readonly ranges: KeyRanges;
  /** Opens transactions, for the functions of idb-keyval, too. The callback makes requests, and awaits nothing else. */
  readonly store: UseStore = (mode, callback) => this.#run(mode, callback);
  readonly #connection: IDBDatabase;
  readonly #onLost: (error: StorageError) => void;
  /** Ends each transaction under way as failed. */
  readonly #underWay = new Set<(error: StorageError) => void>();
  /** The reason why nothing more is written. */
  #failed: StorageError | null = null;
  /** Set once nothing can be read either. */
  #lost = false;
  #closed = false;

  /** Takes over an open connection; see {@linkcode Database.open}. */
  constructor(name: string, connection: IDBDatabase, ranges: KeyRanges, onLost: (error: StorageError) => void) {
    this.name = name;
    this.ranges = ranges;
    this.#connection = connection;
    this.#onLost = onLost;
    // Another page deletes the database, which waits until all connections are closed.
    connection.onversionchange = () => this.lose("it is being deleted or upgraded");
    connection.onclose = () => {
      this.lose("the browser closed it, or deleted this site's data");
      for (const fail of this.#underWay) fail(this.#refusal());
    };
  }

  /**
   * Opens a database; creates it if it does not exist.
   *
   * @param onLost called once if it is closed or deleted under the node
   * @throws {StorageError} `unsupported_version`, or `storage`
   */
  static async open(
    platform: DatabasePlatform,
    name: string,
    onLost: (error: StorageError) => void,
  ): Promise<Database> {
    const connection = await openConnection(platform, name);
    if (!connection.objectStoreNames.contains(storeName)) {
      connection.close();
      throw damaged(name, `object store ${storeName}`, "it is missing");
    }
    return new Database(name, connection, new KeyRanges(platform.bound), onLost);
  }

  /** @throws {StorageError} `in_doubt`, once the database is lost or a commit has failed */
  check(): void {
    if (this.#failed !== null) throw this.#refusal();
  }

  /**
   * Gives up the database. The state of the node is unknown, so every write from now
   * on is refused as in doubt, and the node stops. A transaction under way still
   * completes.
   */
  lose(reason: string): void {
    if (this.#lost || this.#closed) return;
    this.#lost = true;
    this.#failed = failure(`database ${this.name} is lost: ${reason}`, "in_doubt", this.#failed ?? undefined);
    this.#connection.close();
    this.#onLost(this.#failed);
  }

  /** Closes the connection once its transactions have ended. */
  close(): void {
    this.#closed = true;
    this.#connection.close();
  }

  async #run<T>(mode: IDBTransactionMode, callback: (store: IDBObjectStore) => T | PromiseLike<T>): Promise<T> {
    if (this.#lost || mode !== "readonly") this.check();
    const transaction = this.#begin(mode);
    const ended = this.#ended(transaction, mode);
    const failed = ended.then(() => null, (error: StorageError) => error);
    try {
      const [result] = await Promise.all([callback(transaction.objectStore(storeName)), ended]);
      return result;
    } catch (cause) {
      abort(transaction);
      const outcome = await failed;
      if (cause instanceof StorageError) throw cause;
      // An abort by this class has no reason of its own, only a cause.
      throw outcome !== null && transaction.error !== null ? outcome : transactionFailure(this.name, mode, cause);
    }
  }

  #begin(mode: IDBTransactionMode): IDBTransaction {
    try {
      return this.#connection.transaction(storeName, mode, { durability: "strict" });
    } catch (cause) {
      if (this.#closed) throw storageClosed();
      // The connection is closing, and its event has not arrived yet.
      this.lose(`it accepts no transactions (${errorName(cause)})`);
      throw this.#refusal();
    }
  }

  /** Resolves when the transaction is complete, and rejects when it was aborted. */
  #ended(transaction: IDBTransaction, mode: IDBTransactionMode): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error: StorageError): void => {
        this.#underWay.delete(fail);
        if (error.disk === "in_doubt") this.#failed ??= error;
        reject(error);
      };
      this.#underWay.add(fail);
      // Listeners, because idb-keyval sets the handlers. A failed request aborts its transaction: errors arrive there.
      transaction.addEventListener("complete", () => {
        this.#underWay.delete(fail);
        resolve();
      });
      transaction.addEventListener("abort", () => fail(transactionFailure(this.name, mode, transaction.error)));
    });
  }

  #refusal(): StorageError {
    const reason = this.#failed?.message ?? "the browser closed the database";
    return failure(`the disk is in doubt since an earlier failure: ${reason}`, "in_doubt", this.#failed ?? undefined);
  }
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It has already ended.
  }
}
