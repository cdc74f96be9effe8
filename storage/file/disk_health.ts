/**
 * A record of a failed fsync. The kernel may have dropped the bytes that it could
 * not write, and reports that only once; a second fsync that succeeds would prove
 * nothing. So from then on nothing is written or synced, until a restart reads
 * what is really on the disk.
 */

import type { StorageError } from "../../lib/errors.ts";
import { failure } from "../log_rules.ts";
import { errorCode } from "./file_system.ts";

/** The state of a disk, shared by all parts of a storage. */
export class DiskHealth {
  #doubt: string | null = null;

  /** True once the content of the disk is unknown. */
  get inDoubt(): boolean {
    return this.#doubt !== null;
  }

  /** @throws {StorageError} `in_doubt` after a failure that left the disk in doubt */
  check(): void {
    if (this.#doubt !== null) {
      throw failure(`the disk is in doubt since an earlier failure: ${this.#doubt}`, "in_doubt");
    }
  }

  /** Notes a failure that leaves the content of the disk unknown, and returns its error. */
  doubt(what: string, cause: unknown): StorageError {
    const error = failure(`${what} failed${reason(cause)}; the disk is in doubt`, "in_doubt", cause);
    this.#doubt ??= error.message;
    return error;
  }

  /** Creates the error of a failure that changed nothing on the disk. */
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
