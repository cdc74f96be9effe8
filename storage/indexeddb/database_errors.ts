/**
 * The errors that name a database.
 */

import { StorageError } from "../../lib/errors.ts";
import { failure } from "../log_rules.ts";

/** Returns the DOM's name of an error; empty if it has none. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

/** Creates the error of a record that does not hold what was written to it. */
export function damaged(database: string, record: string, reason: string): StorageError {
  return new StorageError(`database ${database} is damaged at ${record}: ${reason}`, {
    disk: "unchanged",
    code: "damaged",
    hint: "Nothing was changed. Remove the node from the cluster, delete its database, and add it as a new node.",
  });
}

/** Creates the error of a database that the browser has deleted because it found it damaged. */
export function deletedByBrowser(database: string, reason: string): StorageError {
  const message =
    `the browser found this site's databases damaged, and deleted ${database} with all its data: ${reason}`;
  return new StorageError(message, {
    disk: "unchanged",
    code: "damaged",
    hint: "The data of this site's other nodes are gone, too. " +
      "Remove the node from the cluster, delete its database, and add it as a new node.",
  });
}

/** Creates the error of a database that a newer version has written. */
export function unsupportedVersion(database: string, cause: unknown): StorageError {
  return new StorageError(`database ${database} has a format that this version does not support`, {
    disk: "unchanged",
    code: "unsupported_version",
    hint: "Nothing was changed. Load the newest version of this page, in every tab.",
    cause,
  });
}

/** Creates the error of a node that runs in another tab or worker. */
export function locked(database: string): StorageError {
  return new StorageError(`the storage is locked: another tab or worker has ${database} open`, {
    disk: "unchanged",
    code: "locked",
    hint: "Close that tab, or give this one a node id of its own; a duplicated tab has the id of its original.",
  });
}

/** Creates the error of a browser that lacks a required feature. */
export function missing(what: string, why: string): StorageError {
  return new StorageError(`this browser or page has no ${what}, ${why}`, {
    disk: "unchanged",
    hint: "Serve the page over https, or from localhost: browsers withhold it from pages that are not secure.",
  });
}

/**
 * Creates the error of a failed transaction. By the rules of IndexedDB an aborted
 * one has changed nothing. The exception is a failed commit of the browser itself
 * (`UnknownError`): after an I/O error the batch may reappear with the next start,
 * and Chromium reports the same when it deletes the database in the middle of a
 * write. If the device is full by then, it reports that as a quota, too; a write
 * beyond the quota is refused before the commit.
 */
export function transactionFailure(database: string, mode: IDBTransactionMode, cause: unknown): StorageError {
  const name = errorName(cause);
  const what = mode === "readonly" ? "reading" : "writing to";
  const failedCommit = name === "UnknownError" || (name === "QuotaExceededError" && /committing/.test(why(cause)));
  if (mode !== "readonly" && failedCommit) {
    const message = `${what} database ${database} failed; the disk is in doubt: ${why(cause)}`;
    return failure(message, "in_doubt", cause);
  }
  if (name === "QuotaExceededError") {
    const message = `${what} database ${database} failed: the browser gives this site no more space (${name})`;
    const hint = "Free space on this device, or have the page ask for more: navigator.storage.persist().";
    return new StorageError(message, { disk: "unchanged", hint, cause });
  }
  const reason = cause instanceof Error ? why(cause) : "the browser aborted the transaction without a reason";
  return failure(`${what} database ${database} failed; the disk is unchanged: ${reason}`, "unchanged", cause);
}

function why(cause: unknown): string {
  const { message = "" } = cause as { readonly message?: string };
  return `${message.replace(/\.$/, "") || "no reason given"} (${errorName(cause)})`;
}
