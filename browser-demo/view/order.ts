/**
 * The order of what several nodes tell. Their clocks differ by a few milliseconds, and
 * a vote takes less: so an answer may seem older than its question. Pure.
 *
 * @module
 */

import type { Happening } from "../source.ts";

/** By how much clocks of one machine may differ. */
const SKEW_MS = 50;

/** By time, but what belongs to one election as an election goes. */
export function inOrder(happenings: readonly Happening[]): Happening[] {
  const sorted = [...happenings].sort((a, b) => a.atMs - b.atMs);
  const elections = new Map<string, number[]>();
  sorted.forEach((happening, index) => {
    const key = stepOf(happening)?.election;
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

/** Which step of whose election it is; `null` if it is none. */
function stepOf({ node, what }: Happening): { readonly election: string; readonly step: number } | null {
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
