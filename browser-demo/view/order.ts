/**
 * The order of events of several nodes. Their clocks differ by a few milliseconds,
 * and a vote takes less: an answer may seem older than its request. Pure.
 */

import type { ClusterEvent } from "../source.ts";

/** The greatest difference between clocks of one machine. */
const SKEW_MS = 50;

/** Sorts events by time, and the events of one election by its steps. */
export function inOrder(events: readonly ClusterEvent[]): ClusterEvent[] {
  const sorted = [...events].sort((a, b) => a.atMs - b.atMs);
  const elections = new Map<string, number[]>();
  sorted.forEach((event, index) => {
    const key = stepOf(event)?.election;
    if (key !== undefined) elections.set(key, [...elections.get(key) ?? [], index]);
  });
  for (const places of elections.values()) {
    // A node may campaign in one term again and again.
    while (places.length > 0) {
      const first = sorted[places[0]!]!.atMs;
      const later = places.findIndex((place) => sorted[place]!.atMs - first > SKEW_MS);
      const round = places.splice(0, later < 0 ? places.length : later);
      const steps = round.map((place) => sorted[place]!).sort((a, b) => stepOf(a)!.step - stepOf(b)!.step);
      round.forEach((place, index) => sorted[place] = steps[index]!);
    }
  }
  return sorted;
}

/** Returns the election and step that an event belongs to; `null` if it belongs to none. */
function stepOf({ node, what }: ClusterEvent): { readonly election: string; readonly step: number } | null {
  switch (what.type) {
    case "electionStarted":
      return { election: `${node} ${what.term}`, step: what.preVote ? 0 : 2 };
    case "voteGranted":
    case "voteDenied":
      return { election: `${what.to} ${what.term}`, step: what.preVote ? 1 : 3 };
    case "roleChanged":
      return what.role === "leader" ? { election: `${node} ${what.term}`, step: 4 } : null;
    case "leaderChanged":
      return what.leader === null ? null : { election: `${what.leader} ${what.term}`, step: 5 };
    default:
      return null;
  }
}
