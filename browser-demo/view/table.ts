/**
 * A table whose cells are kept: only what changed is written, and a screen reader
 * keeps its place.
 *
 * @module
 */

import { h, setText } from "./dom.ts";

/** A table with a caption, a row of headings, and rows of texts; the first of a row names it. */
export class TextTable {
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
