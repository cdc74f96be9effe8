/**
 * The lines of the feed: events of one group become one line, and only the newest
 * lines are kept. Pure.
 */

import type { Explanation } from "./explain.ts";

/** A line, with the time of its first event. */
export interface FeedLine {
  readonly id: number;
  readonly atMs: number;
  readonly said: Explanation;
}

/** The greatest distance between lines of one group, in time and in lines. */
const GROUP_MS = 1500;
const GROUP_LINES = 8;
export const LINES_KEPT = 40;

/** The lines, the newest last. */
export class FeedLines {
  readonly #lines: FeedLine[] = [];
  #nextId = 1;

  get lines(): readonly FeedLine[] {
    return this.#lines;
  }

  /** Adds an explanation, or makes it part of an existing line. */
  add(atMs: number, said: Explanation): void {
    const last = this.#lines.at(-1);
    if (last !== undefined && last.said.text === said.text && atMs - last.atMs < GROUP_MS) return;
    const { group } = said;
    if (group !== undefined) {
      const from = Math.max(0, this.#lines.length - GROUP_LINES);
      const at = this.#lines.findLastIndex((line, index) =>
        index >= from && line.said.group?.key === group.key && (group.lasting === true || atMs - line.atMs < GROUP_MS)
      );
      const found = this.#lines[at];
      if (found?.said.group !== undefined) {
        const parts = [...new Set([...found.said.group.parts, ...group.parts])];
        const text = group.say(parts);
        this.#lines[at] = { ...found, said: { ...said, text, group: { ...group, parts } } };
        return;
      }
    }
    this.#lines.push({ id: this.#nextId++, atMs, said });
    if (this.#lines.length > LINES_KEPT) this.#lines.shift();
  }
}
