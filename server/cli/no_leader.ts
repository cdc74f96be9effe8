/**
 * The reasons that servers without a leader give, once it is more than an election.
 */

import { RaftError } from "../../lib/errors.ts";
import { failureOf } from "./errors.ts";
import type { Session } from "./session.ts";

/** The longest wait for one server. */
const ANSWER_TIMEOUT_MS = 1000;
/** The most servers that are quoted. */
const MAX_REASONS = 3;

/** Returns the error; one that there is no leader with the reasons that the servers give. */
export async function explainNoLeader(session: Session, error: unknown): Promise<unknown> {
  const { io, endpoints } = session;
  const failure = failureOf(error, io.signal.aborted);
  if (failure.code !== "no_leader") return error;
  const answers = await Promise.allSettled(
    endpoints.map(async (endpoint) => {
      return await session.remote.status(endpoint, { signal: io.signal, timeoutMs: ANSWER_TIMEOUT_MS });
    }),
  );
  const reasons = answers.flatMap((answer) => {
    if (answer.status === "rejected" || answer.value.leader !== null) return [];
    const { id, reason } = answer.value;
    return reason === undefined ? [] : [`${id}: ${reason}.`];
  });
  if (reasons.length === 0) return error;
  const hint = ["This is more than an election.", ...reasons.slice(0, MAX_REASONS), "See: raft status"].join("\n");
  return new RaftError("no_leader", failure.message, { hint, outcome: failure.outcome, cause: error });
}
