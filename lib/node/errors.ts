/**
 * The errors that a {@linkcode RaftNode} ends requests with.
 */

import { RaftError, StorageError } from "../errors.ts";
import type { LeaderHint, Outcome, RaftErrorCode } from "../errors.ts";
import type { Refusal, Refused } from "../raft/types.ts";
import type { NodeContext } from "./context.ts";

/** Creates an error with the outcome of a request. */
export type MakeError = (outcome: Outcome) => RaftError;

/** Creates the error of a request that only the leader can serve. */
export function notLeader(leader: LeaderHint | null): RaftError {
  if (leader === null) {
    return new RaftError("no_leader", "this node knows no leader now", {
      hint: "Try again. If it lasts, a majority of the nodes does not answer.",
    });
  }
  return new RaftError("not_leader", `this node does not lead, "${leader.id}" does`, {
    leader,
    hint: "Ask the leader.",
  });
}

/** Creates the error of a request to a node that was removed from its cluster. */
export function notAMember(id: string): RaftError {
  return new RaftError("not_a_member", `node ${id} was removed from its cluster`, {
    hint: "Ask a member of the cluster.",
  });
}

const SOON = "Try again in a moment.";

/** The errors for the other refusals: code, message, which is completed by the refusal's detail, and hint. */
const REFUSALS: Readonly<
  Record<Exclude<Refusal, "not_leader" | "busy">, readonly [code: RaftErrorCode, message: string, hint?: string]>
> = {
  leadership_transfer: ["not_ready", "leadership is being handed over", SOON],
  membership_change_in_progress: [
    "membership_change_in_progress",
    "a membership change is not committed yet",
    "Wait until it is done, and try again.",
  ],
  not_ready: ["not_ready", "the leader has not committed an entry of its term yet", SOON],
  invalid_membership: ["invalid_argument", "the membership is not valid: "],
  other_data_folder: [
    "refused",
    "",
    "Remove the member first; once that is done, add it again with the new data folder.",
  ],
  learner_behind: ["not_ready", "", "Wait until it has caught up, and promote it then."],
  unknown_member: ["invalid_argument", "there is no such member"],
  not_a_voter: ["invalid_argument", "only a voter other than the leader can take leadership over"],
  silent_voter: ["not_ready", "", "Choose a voter that answers, or bring this one back first."],
  unchanged: ["refused", "nothing would change"],
};

/** Converts a refusal of the core to an error. */
export function refusal({ reason, detail }: Refused, leader: LeaderHint | null): RaftError {
  if (reason === "not_leader") return notLeader(leader);
  if (reason === "busy") return busy("too many bytes wait to be committed");
  const [code, message, hint = ""] = REFUSALS[reason];
  return new RaftError(code, message + detail, { hint });
}

/** Creates the error of a request refused because too much is under way. */
export function busy(what: string): RaftError {
  return new RaftError("busy", what, { hint: "Try again later, or send less at once." });
}

/** Creates the error of a request that was under way when its leader lost, or gave up, leadership. */
export function leadershipEnded(code: RaftErrorCode, message: string, outcome: Outcome, cause?: unknown): RaftError {
  const hint = outcome === "rejected" ? "Send it to the new leader." : "It may have been carried out, or may be yet.";
  return new RaftError(code, message, { outcome, hint, cause });
}

/** Creates the error of a request that was under way when the node lost its leadership. */
export const leadershipLost: MakeError = (outcome) =>
  leadershipEnded("leadership_lost", "the node lost its leadership while the request was under way", outcome);

/** Creates the error of a snapshot that is no longer needed. */
export function superseded(): RaftError {
  return new RaftError("busy", "a snapshot from the leader came first, or the node ended");
}

/** Stops a node because of its storage. */
export function stopForStorage(context: NodeContext, error: StorageError): void {
  context.events.emit("storageError", { error, consequence: "stopped" });
  context.stop(error);
}

/** Converts anything that a storage throws; an error that says nothing about the disk leaves it in doubt. */
export function asStorageError(cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  return new StorageError(`the storage failed: ${messageOf(cause)}`, { disk: "in_doubt", cause });
}

/** Returns the message of anything thrown. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
