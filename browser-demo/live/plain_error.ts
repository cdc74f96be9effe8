/**
 * Errors as they are told from a worker to its page, and from tab to tab.
 *
 * @module
 */

import { RaftError } from "../../mod.ts";
import type { Outcome, RaftErrorCode } from "../../mod.ts";

/** What a message can carry of an error. */
export interface PlainError {
  readonly code: RaftErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly outcome: Outcome;
}

/** For sending. What is no RaftError is a fault of the demo. */
export function toPlain(error: unknown): PlainError {
  if (error instanceof RaftError) {
    const { code, message, hint, outcome } = error;
    return { code, message, hint, outcome };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal", message, hint: "", outcome: "unknown" };
}

/** For throwing. */
export function fromPlain({ code, message, hint, outcome }: PlainError): RaftError {
  return new RaftError(code, message, { hint, outcome });
}
