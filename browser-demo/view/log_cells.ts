/**
 * The cells of the log table: the state of one index at one node. Pure.
 */

import type { NodeId } from "../../mod.ts";
import type { EntryView, NodeView } from "../source.ts";
import { listOf } from "./words.ts";

/** The number of indexes shown at once. */
export const COLUMNS = 30;

/** Returns the first index to show: the newest entries, and one place for the next. */
export function firstColumn(nodes: readonly NodeView[]): number {
  return Math.max(1, ...nodes.map(({ lastIndex }) => lastIndex + 2 - COLUMNS));
}

/** Returns the entry at an index; `undefined` if it is not in the view. */
export function entryAt(view: NodeView, index: number): EntryView | undefined {
  const first = view.entries[0]?.index;
  return first === undefined ? undefined : view.entries[index - first];
}

/** Returns the cell at an index: what it shows, and its marks. */
export function cellAt(view: NodeView, index: number, leader: NodeView | null) {
  const known = index <= view.lastIndex;
  const entry = known ? entryAt(view, index) : undefined;
  const compacted = known && (entry === undefined || index < view.firstIndex);
  // The leader's progress of this node.
  const progress = leader?.id === view.id ? undefined : leader?.progress.find(({ id }) => id === view.id);
  return {
    what: compacted ? "compacted" : known ? "entry" : "none",
    term: entry?.term ?? 0,
    type: entry?.type ?? "",
    label: entry?.label ?? "",
    committed: known && index <= view.commitIndex,
    applied: known && index <= view.appliedIndex,
    durable: known && index <= view.durableIndex,
    /** The snapshot ends here. */
    boundary: view.snapshot?.index === index,
    match: progress?.matchIndex === index,
    next: progress?.nextIndex === index,
  } as const;
}

/** Describes an entry in a few words. */
export function entryWords({ type, label }: Pick<EntryView, "type" | "label">): string {
  if (label !== "") return type === "membership" ? `membership ${label}` : label;
  return type === "noop"
    ? "a leader's first, empty entry"
    : type === "membership"
    ? "a change of the membership"
    : "a command";
}

/** Describes an index in all logs. */
export function indexWords(nodes: readonly NodeView[], leader: NodeView | null, index: number): string {
  const holders = new Map<string, { entry: EntryView; ids: NodeId[] }>();
  for (const view of nodes) {
    const entry = index <= view.lastIndex ? entryAt(view, index) : undefined;
    if (entry === undefined) continue;
    const key = `${entry.term} ${entry.type} ${entry.label}`;
    const found = holders.get(key) ?? { entry, ids: [] };
    found.ids.push(view.id);
    holders.set(key, found);
  }
  if (holders.size === 0) {
    const compacted = nodes.some(({ snapshot }) => snapshot !== null && snapshot.index >= index);
    return compacted ? `Entry ${index} is part of a snapshot.` : `There is no entry ${index} yet.`;
  }
  const each = [...holders.values()].map(({ entry, ids }) =>
    `${entryWords(entry)} (term ${entry.term}), in the ${ids.length === 1 ? "log" : "logs"} of ${listOf(ids)}`
  );
  const commit = leader?.commitIndex ?? Math.max(0, ...nodes.map(({ commitIndex }) => commitIndex));
  return `Entry ${index}: ${each.join("; or ")}. ${index <= commit ? "Committed." : "Not committed."}`;
}
