/**
 * The logs side by side: a row for each node, a column for each index.
 */

import type { NodeId } from "../../mod.ts";
import type { NodeView } from "../source.ts";
import { externalLink, h, setAttribute, setText } from "./dom.ts";
import { explainWaiting } from "./explain_state.ts";
import { cellAt, COLUMNS, entryWords, firstColumn, indexWords } from "./log_cells.ts";
import type { LogCell } from "./log_cells.ts";
import type { Topic } from "./model.ts";
import { Part } from "./part.ts";
import { stateWord } from "./words.ts";

/** An entry that waits for this long is explained: most are committed sooner. */
const PATIENCE_MS = 600;

const MIN_COLUMNS = 6;

/** The row of one node. */
class LogRow {
  readonly element = h("tr");
  readonly #id = h("strong");
  readonly #role = h("span", { class: "role" });
  readonly #cursors = h("span", { class: "cursors" });
  readonly #cells = Array.from({ length: COLUMNS }, () => {
    const [box, marks] = [h("span", { class: "box" }), h("span", { class: "marks" })];
    return { element: h("td", {}, box, marks), box, marks, shown: "" };
  });

  constructor(id: NodeId) {
    const head = h("th", { scope: "row" }, h("span", { class: "who" }, this.#id, " ", this.#role), this.#cursors);
    this.element.append(head, ...this.#cells.map(({ element }) => element));
    setText(this.#id, id);
  }

  update(view: NodeView, leader: NodeView | null, from: number, newest: number, selected: number | null): void {
    setAttribute(this.element, "data-state", stateWord(view));
    setText(this.#role, stateWord(view));
    setText(this.#cursors, `commit ${view.commitIndex} · applied ${view.appliedIndex}`);
    this.#cells.forEach((cell, column) => {
      const index = from + column;
      const now = cellAt(view, index, leader);
      const marked = selected === index;
      setAttribute(cell.element, "hidden", isBeyond(column, index, newest) ? "" : null);
      const key = `${index}${marked} ${Object.values(now).join()}`;
      if (key === cell.shown) return;
      cell.shown = key;
      show(cell, now, index, marked);
    });
  }
}

function show(
  { element, box, marks }: { element: HTMLElement; box: HTMLElement; marks: HTMLElement },
  cell: LogCell,
  index: number,
  marked: boolean,
): void {
  const flags = [
    cell.what,
    cell.committed ? "committed" : "",
    cell.applied ? "applied" : "",
    cell.durable ? "durable" : "",
    cell.boundary ? "boundary" : "",
    cell.type,
    marked ? "marked" : "",
  ];
  setAttribute(element, "class", flags.filter((flag) => flag !== "").join(" "));
  // The golden angle: neighbouring terms look different, and few look alike.
  element.style.setProperty("--hue", String(Math.round((cell.term * 137.5 + 90) % 360)));
  setText(box, cell.what === "entry" ? String(cell.term) : cell.what === "compacted" ? "·" : "");
  setText(marks, `${cell.match ? "m" : ""}${cell.next ? "n" : ""}`);
  const state = cell.applied ? "applied" : cell.committed ? "committed" : cell.durable ? "durable" : "in memory";
  const title = cell.what === "entry"
    ? `${index}: ${
      entryWords({ type: cell.type === "" ? "command" : cell.type, label: cell.label })
    }, term ${cell.term}, ${state}`
    : cell.what === "compacted"
    ? `${index}: in the snapshot`
    : null;
  setAttribute(element, "title", title);
}

/** Reports whether a column is still empty: a short log is a narrow table. */
function isBeyond(column: number, index: number, newest: number): boolean {
  return column >= MIN_COLUMNS && index > newest + 1;
}

/** `<raft-log-table>` */
export class LogTable extends Part {
  readonly topics = ["nodes", "links"] as const;
  override readonly everyMs = 100;
  readonly #rows = new Map<NodeId, LogRow>();
  readonly #body = h("tbody");
  readonly #heads = Array.from({ length: COLUMNS }, () => h("button", { type: "button", tabindex: -1 }));
  readonly #detail = h("p", { class: "entry-words" });
  readonly #why = h("p", { class: "why" });
  #from = 1;
  #selected: number | null = null;
  #waitingFor = 0;
  #waitingSinceMs = 0;

  build(): void {
    const head = h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Node"),
        ...this.#heads.map((one) => h("th", { scope: "col" }, one)),
      ),
    );
    const table = h(
      "table",
      { class: "log" },
      h("caption", { class: "visually-hidden" }, "The newest entries of each log"),
      head,
      this.#body,
    );
    this.#heads.forEach((one, column) => {
      one.addEventListener("click", () => this.#select(this.#from + column));
      one.addEventListener("keydown", (event) => this.#move(event, column));
    });
    this.append(
      h("h2", {}, "The logs"),
      h(
        "div",
        { class: "scroller", role: "region", tabindex: 0, "aria-label": "Logs side by side" },
        h("div", {}, table),
      ),
      this.#detail,
      this.#why,
      logLegend(),
    );
  }

  update(_changed: ReadonlySet<Topic>): void {
    const ids = this.model.ids();
    const views = this.model.views();
    const leader = this.model.leader();
    this.#from = firstColumn(views);
    this.#arrangeRows(ids);
    this.#showHeads(views);
    const newest = Math.max(0, ...views.map(({ lastIndex }) => lastIndex));
    for (const view of views) this.#rows.get(view.id)?.update(view, leader, this.#from, newest, this.#selected);
    const shown = this.#selected ?? newest;
    setText(this.#detail, shown === 0 ? "The logs are empty." : indexWords(views, leader, shown));
    this.#showWhy(leader);
  }

  #arrangeRows(ids: readonly NodeId[]): void {
    for (const [id, row] of this.#rows) {
      if (ids.includes(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
    ids.forEach((id, at) => {
      if (this.#rows.has(id)) return;
      const row = new LogRow(id);
      this.#rows.set(id, row);
      this.#body.insertBefore(row.element, this.#body.rows[at] ?? null);
    });
  }

  #showHeads(views: readonly NodeView[]): void {
    const newest = Math.max(0, ...views.map(({ lastIndex }) => lastIndex));
    const reachable = this.#selected ?? newest;
    this.#heads.forEach((one, column) => {
      const index = this.#from + column;
      setText(one, String(index));
      if (one.parentElement !== null) {
        setAttribute(one.parentElement, "hidden", isBeyond(column, index, newest) ? "" : null);
      }
      setAttribute(one, "aria-label", `Entry ${index}`);
      setAttribute(one, "aria-pressed", String(this.#selected === index));
      // One stop of the tab key; the arrow keys go along the row.
      const stop = index === reachable ||
        (column === 0 && (reachable < this.#from || reachable >= this.#from + COLUMNS));
      setAttribute(one, "tabindex", stop ? "0" : "-1");
    });
  }

  #showWhy(leader: NodeView | null): void {
    const waiting = leader === null ? null : explainWaiting(this.model, leader, this.#waitingIndex(leader));
    const nowMs = this.context.source.now();
    if (waiting === null) this.#waitingFor = 0;
    else if (waiting.index !== this.#waitingFor) [this.#waitingFor, this.#waitingSinceMs] = [waiting.index, nowMs];
    if (waiting === null || nowMs - this.#waitingSinceMs < PATIENCE_MS) {
      if (waiting !== null) this.model.touch("nodes");
      if (this.#why.childElementCount > 0) this.#why.replaceChildren();
      return;
    }
    if (this.#why.firstElementChild?.textContent === waiting.text) return;
    const { label, url } = waiting.section;
    this.#why.replaceChildren(h("span", {}, waiting.text), " ", externalLink(label, url));
  }

  #waitingIndex(leader: NodeView): number {
    const selected = this.#selected;
    return selected !== null && selected > leader.commitIndex && selected <= leader.lastIndex
      ? selected
      : leader.commitIndex + 1;
  }

  #select(index: number): void {
    this.#selected = this.#selected === index ? null : index;
    this.model.touch("nodes");
  }

  #move(event: KeyboardEvent, column: number): void {
    const step = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(COLUMNS - 1, column + step));
    this.#selected = this.#from + next;
    this.#heads[next]?.focus();
    this.model.touch("nodes");
  }
}

function logLegend(): HTMLUListElement {
  const sample = (kind: string, text: string, inside: string, mark = ""): HTMLLIElement =>
    h(
      "li",
      {},
      h("span", { class: `sample ${kind}`, "aria-hidden": "true" }, h("span", { class: "box" }, inside), mark),
      text,
    );
  return h(
    "ul",
    { class: "legend", "aria-label": "What the cells mean" },
    sample("entry durable committed applied", "committed, applied", "2"),
    sample("entry durable", "not committed", "2"),
    sample("entry", "not on disk yet", "2"),
    sample("compacted", "in the snapshot", "·"),
    h("li", {}, h("span", { class: "letter" }, "m"), "match: equal to the leader's log up to here"),
    h("li", {}, h("span", { class: "letter" }, "n"), "next: to be sent next"),
  );
}
