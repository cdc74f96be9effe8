/**
 * Descriptions of events, for people who read a story.
 */

import type { RaftEvent } from "../lib/raft/types.ts";
import type { Envelope } from "../lib/transport.ts";

/** Describes an event of the protocol and its reason; `null` for events that need no words. */
export function describeEvent(event: RaftEvent): string | null {
  switch (event.type) {
    case "electionStarted":
      return `${
        event.preVote ? "asks whether it would be elected" : "campaigns"
      } for term ${event.term} (${event.reason})`;
    case "voteGranted":
      return event.preVote ? null : `votes for ${event.to} in term ${event.term}`;
    case "voteDenied":
      return event.preVote ? null : `denies ${event.to} its vote in term ${event.term}: ${event.reason}`;
    case "roleChanged":
      return `becomes ${event.role} in term ${event.term}: ${event.reason}`;
    case "membershipChanged": {
      const { voters, outgoing, learners } = event.membership;
      const joint = outgoing.length > 0 ? `, jointly with ${outgoing}` : "";
      return `membership ${event.index} is ${event.reason}: voters ${voters}${joint}${
        learners.length > 0 ? `, learners ${learners}` : ""
      }`;
    }
    case "logTruncated":
      return `cuts its log from ${event.from} on`;
    case "transferStarted":
      return `hands leadership to ${event.to}`;
    default:
      return null;
  }
}

export function describeMessage({ from, to, message }: Envelope): string {
  const way = `${from} → ${to}`;
  switch (message.type) {
    case "AppendEntries": {
      const { entries, prevLogIndex, term, leaderCommit } = message;
      const what = entries.length === 0 ? "heartbeat" : `entries ${prevLogIndex + 1}–${prevLogIndex + entries.length}`;
      return `AppendEntries ${way} (term ${term}, ${what}, commit ${leaderCommit})`;
    }
    case "AppendEntriesResponse":
      return `AppendEntriesResponse ${way} (${message.success ? `has ${message.matchIndex}` : "refused"})`;
    default:
      return `${message.type} ${way} (term ${message.term})`;
  }
}
