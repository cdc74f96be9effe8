/**
 * The errors that name a file.
 */

import { StorageError } from "../../lib/errors.ts";
import { failure } from "../log_rules.ts";
import { errorCode } from "./file_system.ts";

/** Creates the error of a file that does not hold what was written to it. */
export function damaged(path: string, offset: number, reason: string, cause?: unknown): StorageError {
  return new StorageError(`${path} is damaged at offset ${offset}: ${reason}`, {
    disk: "unchanged",
    code: "damaged",
    cause,
    hint: "Nothing was changed. Remove the node from the cluster, and add one with an empty folder. Don't restore an " +
      "older copy of this folder: it lacks the votes and entries that the node has acknowledged since.",
  });
}

/** Creates the error of a file that a newer version has written. */
export function unsupportedVersion(path: string, what: string): StorageError {
  return new StorageError(`${path} has ${what}, which this version does not support`, {
    disk: "unchanged",
    code: "unsupported_version",
    hint: "Nothing was changed. Use the version of the program that wrote the folder.",
  });
}

/** Converts the error of reading a file; one that is a StorageError already is returned unchanged. */
export function readFailure(path: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  return failure(`reading ${path} failed (${errorCode(cause)})`, "unchanged", cause);
}
