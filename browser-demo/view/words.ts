/**
 * Words and phrases for several parts of the view.
 */

import { sentence } from "../../lib/sentence.ts";
import { RaftError } from "../../mod.ts";
import type { NodeId } from "../../mod.ts";
import type { NodeView } from "../source.ts";

/** Returns names in a row: "n1", "n1 and n2", "n1, n2 and n3". */
export function listOf(names: readonly string[]): string {
  if (names.length < 2) return names[0] ?? "";
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** Compares names of nodes: n2 comes before n10. */
export function byName(a: NodeId, b: NodeId): number {
  return a.localeCompare(b, "en", { numeric: true });
}

/** Returns an error as sentences: the message, and advice. */
export function errorWords(error: unknown): { readonly message: string; readonly hint: string } {
  const { message, hint, outcome } = error instanceof RaftError ? error : RaftError.from(error, "internal", "rejected");
  const unknown = outcome === "unknown" ? "It may have been carried out nevertheless. " : "";
  return { message: sentence(message), hint: `${unknown}${sentence(hint)}`.trim() };
}

/** Returns a time in words: "80 ms", "1.3 s". */
export function duration(ms: number): string {
  if (ms < 1) return "under 1 ms";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Returns a number with its noun: "1 node", "3 nodes". */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Returns entries by their indexes: "entry 4", "entries 4–7". */
export function entries(from: number, to: number): string {
  return from === to ? `entry ${from}` : `entries ${from}–${to}`;
}

/** Reports whether a node is a learner in its own membership. */
export function isLearnerView(view: NodeView): boolean {
  return view.membership.learners.includes(view.id);
}

/** Returns a node's state in one word: its role while it runs, otherwise its life. */
export function stateWord(view: NodeView): string {
  if (view.life !== "running") return view.life;
  if (view.role === "follower") return isLearnerView(view) ? "learner" : "follower";
  return view.role === "preCandidate" ? "pre-candidate" : view.role;
}
