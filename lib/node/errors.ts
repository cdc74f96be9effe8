/**
 * The errors that a {@linkcode RaftNode} ends requests with.
 */

import { RaftError, StorageError } from "../errors.ts";
import type { LeaderHint, Outcome } from "../errors.ts";
import type { Refused } from "../raft/types.ts";
import type { NodeContext } from "./context.ts";

/** Creates an error with the outcome of a request. */
export type MakeError = (outcome: Outcome) => RaftError;

/** Creates the error of a request that only the leader can serve. */
export function notLeader(leader: LeaderHint | null): RaftError {
  if (leader === null) {
    return new RaftError("no_leader", "this node knows no leader now", {
      hint: "Wait for an election, and try again.",
    });
  }
  return new RaftError("not_leader", `this node does not lead, "${leader.id}" does`, {
    leader,
    hint: "Ask the leader.",
  });
}

/** Converts a refusal of the core to an error. */
export function refusal({ reason, detail }: Refused, leader: LeaderHint | null): RaftError {
  switch (reason) {
    case "not_leader":
      return notLeader(leader);
    case "busy":
      return busy("too many bytes wait to be committed");
    case "leadership_transfer":
      return new RaftError("not_ready", "leadership is being handed over", { hint: "Try again in a moment." });
    case "membership_change_in_progress":
      return new RaftError("membership_change_in_progress", "a membership change is not committed yet", {
        hint: "Wait until it is done, and try again.",
      });
    case "not_ready":
      return new RaftError("not_ready", "the leader has not committed an entry of its term yet", {
        hint: "Try again in a moment.",
      });
    case "invalid_membership":
      return new RaftError("invalid_argument", `the membership is not valid: ${detail}`);
    case "other_data_folder":
      return new RaftError("refused", detail, {
        hint: "Remove the member first; once that is done, add it again with the new data folder.",
      });
    case "learner_behind":
      return new RaftError("not_ready", detail, { hint: "Wait until it has caught up, and promote it then." });
    case "unknown_member":
      return new RaftError("invalid_argument", "there is no such member");
    case "not_a_voter":
      return new RaftError("invalid_argument", "only a voter other than the leader can take leadership over");
    case "unchanged":
      return new RaftError("refused", "nothing would change");
  }
}

/** Creates the error of a request refused because too much is under way. */
export function busy(what: string): RaftError {
  return new RaftError("busy", what, { hint: "Try again later, or send less at once." });
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
