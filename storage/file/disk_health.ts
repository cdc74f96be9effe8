/**
 * Remembers that an fsync failed. The kernel may have dropped what it could not
 * write and reports that once; a second fsync that succeeds would prove nothing.
 * So from then on nothing is written or synced, until a restart reads what is
 * really there.
 *
 * @module
 */

import type { StorageError } from "../../lib/errors.ts";
import { failure } from "../log_rules.ts";
import { errorCode } from "./file_system.ts";

/** Whether the disk may still be written to; shared by all parts of a storage. */
export class DiskHealth {
  #doubt: string | null = null;

  /** Whether nobody knows what is on the disk. */
  get inDoubt(): boolean {
    return this.#doubt !== null;
  }

  /** @throws {StorageError} `in_doubt` after a failure that left the disk in doubt */
  check(): void {
    if (this.#doubt !== null) {
      throw failure(`the disk is in doubt since an earlier failure: ${this.#doubt}`, "in_doubt");
    }
  }

  /** Notes a failure after which nobody knows what is on the disk. */
  doubt(what: string, cause: unknown): StorageError {
    const error = failure(`${what} failed${reason(cause)}; the disk is in doubt`, "in_doubt", cause);
    this.#doubt ??= error.message;
    return error;
  }

  /** A failure that changed nothing on the disk. */
  unchanged(what: string, cause: unknown): StorageError {
    return failure(`${what} failed${reason(cause)}; the disk is unchanged`, "unchanged", cause);
  }
}

function reason(cause: unknown): string {
  const code = errorCode(cause);
  if (code === "ENOSPC") return ": no space left (ENOSPC)";
  if (code !== "") return ` (${code})`;
  return cause instanceof Error ? `: ${cause.message}` : "";
}
