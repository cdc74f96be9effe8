/**
 * Messages in a few words.
 */

import type { Message } from "../../mod.ts";

/** A message as the view shows it. */
export interface MessageWords {
  readonly label: string;
  readonly heartbeat: boolean;
  readonly refusal: boolean;
}

/** Describes a message. */
export function describeMessage(message: Message): MessageWords {
  const plain = { heartbeat: false, refusal: false };
  switch (message.type) {
    case "RequestVote":
      return { ...plain, label: message.preVote ? `would you vote in term ${message.term}?` : "vote for me" };
    case "RequestVoteResponse":
      return { ...plain, refusal: !message.voteGranted, label: voteWords(message.preVote, message.voteGranted) };
    case "AppendEntries": {
      const count = message.entries.length;
      if (count === 0) return { ...plain, heartbeat: true, label: "heartbeat" };
      const first = message.prevLogIndex + 1;
      return {
        ...plain,
        label: count === 1 ? `entry ${first}` : `entries ${first} to ${message.prevLogIndex + count}`,
      };
    }
    case "AppendEntriesResponse":
      if (!message.success) return { ...plain, refusal: true, label: `no match at ${message.prevLogIndex}` };
      return { ...plain, label: `has all up to ${message.matchIndex}` };
    case "InstallSnapshot":
      return { ...plain, label: `snapshot up to ${message.snapshot.index}, byte ${message.offset}` };
    case "InstallSnapshotResponse":
      return { ...plain, refusal: message.status === "failed", label: `snapshot ${message.status}` };
    case "TimeoutNow":
      return { ...plain, label: "take over" };
  }
}

function voteWords(preVote: boolean, granted: boolean): string {
  if (preVote) return granted ? "I would" : "I would not";
  return granted ? "you have my vote" : "no vote";
}
