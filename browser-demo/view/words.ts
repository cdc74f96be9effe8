/**
 * Small words that several parts of the view need.
 *
 * @module
 */

import type { NodeView } from "../source.ts";

/** Names in a row: "n1", "n1 and n2", "n1, n2 and n3". */
export function listOf(names: readonly string[]): string {
  if (names.length < 2) return names[0] ?? "";
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** With a capital at its beginning. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A reason as a sentence of its own. */
export function sentence(reason: string): string {
  return reason === "" || reason.endsWith(".") ? capital(reason) : `${capital(reason)}.`;
}

/** A time as one would say it: "80 ms", "1.3 s". */
export function duration(ms: number): string {
  if (ms < 1) return "under 1 ms";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** A number with its noun: "1 node", "3 nodes". */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Entries by their indexes: "entry 4", "entries 4–7". */
export function entries(from: number, to: number): string {
  return from === to ? `entry ${from}` : `entries ${from}–${to}`;
}

/** Whether a node is a learner in the membership that it knows. */
export function isLearnerView(view: NodeView): boolean {
  return view.membership.learners.includes(view.id);
}

/** What a node is now, in one word: its role while it runs, otherwise how it is. */
export function stateWord(view: NodeView): string {
  if (view.life !== "running") return view.life;
  if (view.role === "follower") return isLearnerView(view) ? "learner" : "follower";
  return view.role === "preCandidate" ? "asking" : view.role;
}

/** How a life reads in "n1 is …". */
export function lifeWords(view: NodeView): string {
  switch (view.life) {
    case "starting":
      return "still starting";
    case "running":
      return "running";
    case "paused":
      return "paused";
    case "stopped":
      return "stopped";
    case "killed":
      return "killed";
    case "away":
      return "away";
  }
}
