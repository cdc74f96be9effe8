/**
 * The cells of the log table: the state of one index at one node. Pure.
 */

import type { NodeId } from "../../mod.ts";
import type { EntryView, NodeView } from "../source.ts";
import { listOf } from "./words.ts";

/** The number of indexes shown at once. */
export const COLUMNS = 30;

/** One index of one log. */
export interface LogCell {
  /** `none`: after the end of the log; `compacted`: in the snapshot. */
  readonly what: "none" | "compacted" | "entry";
  /** 0 if there is no entry to show. */
  readonly term: number;
  readonly type: EntryView["type"] | "";
  readonly label: string;
  readonly committed: boolean;
  readonly applied: boolean;
  readonly durable: boolean;
  /** The snapshot ends here. */
  readonly boundary: boolean;
  /** The leader's progress of this node. */
  readonly match: boolean;
  readonly next: boolean;
}

/** Returns the first index to show: the newest entries, and one place for the next. */
export function firstColumn(nodes: Iterable<NodeView>): number {
  let last = 0;
  for (const { lastIndex } of nodes) last = Math.max(last, lastIndex);
  return Math.max(1, last + 2 - COLUMNS);
}

/** Returns the entry at an index; `undefined` if it is not in the view. */
export function entryAt(view: NodeView, index: number): EntryView | undefined {
  const first = view.entries[0]?.index;
  return first === undefined ? undefined : view.entries[index - first];
}

/** Returns the cell at an index. */
export function cellAt(view: NodeView, index: number, leader: NodeView | null): LogCell {
  const entry = entryAt(view, index);
  const progress = leader === null || leader.id === view.id
    ? undefined
    : leader.progress.find(({ id }) => id === view.id);
  const known = index <= view.lastIndex;
  return {
    what: !known ? "none" : entry === undefined || index < view.firstIndex ? "compacted" : "entry",
    term: known ? entry?.term ?? 0 : 0,
    type: known ? entry?.type ?? "" : "",
    label: known ? entry?.label ?? "" : "",
    committed: known && index <= view.commitIndex,
    applied: known && index <= view.appliedIndex,
    durable: known && index <= view.durableIndex,
    boundary: view.snapshot?.index === index,
    match: progress !== undefined && progress.matchIndex === index,
    next: progress !== undefined && progress.nextIndex === index,
  };
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
