/**
 * The exit codes of the server and of the command line.
 */

import type { RaftErrorCode } from "../lib/errors.ts";
import { RaftError } from "../lib/errors.ts";

/** The exit codes. They are part of the public interface and never change their meaning. */
export const EXIT = {
  /** Done as requested. */
  done: 0,
  /** Failed, for a reason without a code of its own. */
  failed: 1,
  /** The command line is invalid. */
  usage: 2,
  /** No server answered. */
  unreachable: 3,
  /** Servers answered, but there is no leader or no quorum. */
  noLeader: 4,
  /** The node is unhealthy, or stopped because of its storage. */
  unhealthy: 5,
  /** A safety check refused it. */
  refused: 6,
  /** A write may or may not have been carried out. */
  unknown: 7,
  /** Interrupted by Ctrl-C. */
  interrupted: 130,
} as const;

/** One of {@linkcode EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_ERROR: Partial<Record<RaftErrorCode, ExitCode>> = {
  not_leader: EXIT.noLeader,
  no_leader: EXIT.noLeader,
  leadership_lost: EXIT.noLeader,
  not_ready: EXIT.noLeader,
  unreachable: EXIT.unreachable,
  timeout: EXIT.noLeader,
  aborted: EXIT.interrupted,
  stopped: EXIT.unhealthy,
  not_a_member: EXIT.unhealthy,
  storage: EXIT.unhealthy,
  damaged: EXIT.unhealthy,
  locked: EXIT.refused,
  unsupported_version: EXIT.refused,
  identity_mismatch: EXIT.refused,
  membership_change_in_progress: EXIT.refused,
  refused: EXIT.refused,
  session_expired: EXIT.unknown,
  invalid_argument: EXIT.failed,
};

/**
 * Returns the exit code for an error. An unknown outcome comes first: a script
 * must not take it for a failure without effect.
 */
export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof RaftError)) return EXIT.failed;
  if (error.outcome === "unknown") return EXIT.unknown;
  return BY_ERROR[error.code] ?? EXIT.failed;
}
