/**
 * Nodes and messages as tables: the picture in words.
 */

import type { MessageView, NodeView } from "../source.ts";
import { h, setText } from "./dom.ts";
import type { Topic } from "./model.ts";
import { Part } from "./part.ts";
import { duration, stateWord } from "./words.ts";

const MESSAGES_SHOWN = 12;

/**
 * A table with a caption, a row of headings, and rows of texts, each named by its first. Cells are kept and only
 * changes are written, so that a screen reader keeps its place.
 */
class TextTable {
  readonly element: HTMLTableElement;
  readonly #body = h("tbody");
  readonly #columns: number;

  constructor(caption: string, columns: readonly string[]) {
    this.#columns = columns.length;
    this.element = h(
      "table",
      { class: "facts-table" },
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, ...columns.map((column) => h("th", { scope: "col" }, column)))),
      this.#body,
    );
  }

  /** Shows these rows. */
  show(rows: readonly (readonly string[])[]): void {
    while (this.#body.rows.length > rows.length) this.#body.deleteRow(-1);
    rows.forEach((texts, at) => {
      const row = this.#body.rows[at] ?? this.#body.appendChild(this.#row());
      texts.forEach((text, column) => {
        const cell = row.cells[column];
        if (cell !== undefined) setText(cell, text);
      });
    });
  }

  #row(): HTMLTableRowElement {
    const rest = Array.from({ length: this.#columns - 1 }, () => h("td"));
    return h("tr", {}, h("th", { scope: "row" }), ...rest);
  }
}

/** `<raft-tables>` */
export class Tables extends Part {
  readonly topics = ["nodes", "messages", "values"] as const;
  override readonly everyMs = 600;
  readonly #nodes = new TextTable("Nodes", [
    ...["Node", "Runs", "State", "Term", "Voted for", "Leader", "Campaigns in", "Votes", "Log", "Durable", "Committed"],
    ...["Applied", "Snapshot", "Value"],
  ]);
  readonly #messages = new TextTable("Newest messages", ["From", "To", "Message", "Term", "Says", "Fate"]);

  build(): void {
    const scroller = (label: string, table: HTMLElement): HTMLElement =>
      h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": label }, table);
    this.append(
      h("h2", {}, "In tables"),
      scroller("Nodes as a table", this.#nodes.element),
      scroller("Messages as a table", this.#messages.element),
    );
  }

  update(changed: ReadonlySet<Topic>): void {
    if (changed.has("nodes") || changed.has("values")) {
      this.#nodes.show(this.model.views().map((view) => this.#nodeRow(view)));
    }
    if (changed.has("messages")) {
      this.#messages.show(this.model.messages.slice(-MESSAGES_SHOWN).reverse().map(messageRow));
    }
  }

  #nodeRow(view: NodeView): string[] {
    const { votes, electionTimer, snapshot } = view;
    const value = this.model.values.get(view.id);
    const left = electionTimer === null ? null : Math.max(0, electionTimer.dueMs - this.context.source.now());
    return [
      view.id,
      view.home,
      stateWord(view),
      String(view.term),
      view.votedFor ?? "–",
      view.leader ?? "unknown",
      left === null || view.life !== "running" ? "–" : left === 0 ? "now" : duration(left),
      votes.map(({ from, granted }) => `${from} ${granted ? "yes" : "no"}`).join(", ") || "–",
      `${view.firstIndex}–${view.lastIndex}`,
      String(view.durableIndex),
      String(view.commitIndex),
      String(view.appliedIndex),
      snapshot === null ? "–" : `up to ${snapshot.index}`,
      value === undefined ? "–" : value === null ? "none" : `${this.model.watchedKey} = ${value}`,
    ];
  }
}

function messageRow({ from, to, type, term, label, fate }: MessageView): string[] {
  return [from, to, type, String(term), label, fate];
}
