/**
 * The logs side by side: a row for each node, a column for each index.
 */

import { html, nothing } from "lit-html";
import type { TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import type { NodeView } from "../source.ts";
import { sectionLink } from "./dom.ts";
import { explainWaiting } from "./explain_state.ts";
import type { Waiting } from "./explain_state.ts";
import { cellAt, COLUMNS, entryWords, firstColumn, indexWords } from "./log_cells.ts";
import { Part } from "./part.ts";
import { stateWord } from "./words.ts";

/** An entry that waits for this long is explained: most are committed sooner. */
const PATIENCE_MS = 600;

const MIN_COLUMNS = 6;

/** Returns the cell of one index at one node. */
function logCell(view: NodeView, index: number, leader: NodeView | null, selected: number | null): TemplateResult {
  const cell = cellAt(view, index, leader);
  const { what, term, type, label, committed, applied, durable } = cell;
  const flags = ["committed", "applied", "durable", "boundary"] as const;
  const classes = [what, ...flags.filter((flag) => cell[flag]), type, selected === index ? "marked" : ""];
  const state = applied ? "applied" : committed ? "committed" : durable ? "durable" : "in memory";
  const words = entryWords({ type: type === "" ? "command" : type, label });
  const titles = {
    none: nothing,
    compacted: `${index}: in the snapshot`,
    entry: `${index}: ${words}, term ${term}, ${state}`,
  };
  // The golden angle: neighbouring terms look different, and few look alike.
  const hue = Math.round((term * 137.5 + 90) % 360);
  return html`
    <td class=${classes.filter((name) => name !== "").join(" ")} style="--hue: ${hue}" title=${titles[what]}>
      <span class="box">${{ none: "", compacted: "·", entry: term }[what]}</span>
      <span class="marks">${cell.match ? "m" : ""}${cell.next ? "n" : ""}</span>
    </td>
  `;
}

export class LogTable extends Part {
  readonly topics = ["nodes", "links"] as const;
  override readonly everyMs = 100;
  #selected: number | null = null;
  #waitingFor = 0;
  #waitingSinceMs = 0;

  content(): TemplateResult {
    const views = this.model.views();
    const leader = this.model.leader();
    const newest = Math.max(0, ...views.map(({ lastIndex }) => lastIndex));
    const from = firstColumn(views);
    // A short log is a narrow table.
    const columns = Math.min(COLUMNS, Math.max(MIN_COLUMNS, newest + 2 - from));
    const indexes = Array.from({ length: columns }, (_, column) => from + column);
    const shown = this.#selected ?? newest;
    const row = (view: NodeView): TemplateResult =>
      html`
        <tr data-state=${stateWord(view)}>
          <th scope="row">
            <span class="who"><strong>${view.id}</strong> <span class="role">${stateWord(view)}</span></span>
            <span class="cursors">commit ${view.commitIndex} · applied ${view.appliedIndex}</span>
          </th>
          ${indexes.map((index) => logCell(view, index, leader, this.#selected))}
        </tr>
      `;
    const waiting = this.#waiting(leader);
    return html`
      <h2>The logs</h2>
      <div class="scroller" role="region" tabindex="0" aria-label="Logs side by side">
        <div>
          <table class="log">
            <caption class="visually-hidden">The newest entries of each log</caption>
            <thead>
              <tr>
                <th scope="col">Node</th>
                ${indexes.map((index) => this.#head(index, indexes.includes(shown) ? shown : from))}
              </tr>
            </thead>
            <tbody>${repeat(views, ({ id }) => id, row)}</tbody>
          </table>
        </div>
      </div>
      <p class="entry-words">${shown === 0 ? "The logs are empty." : indexWords(views, leader, shown)}</p>
      <p class="why">${waiting === null
        ? nothing
        : html`<span>${waiting.text}</span> ${sectionLink(waiting.section)}`}</p>
      ${LEGEND}
    `;
  }

  /** Returns the head of a column. One of them is a stop of the tab key; the arrow keys go along the row. */
  #head(index: number, stop: number): TemplateResult {
    return html`
      <th scope="col">
        <button
          type="button"
          tabindex=${index === stop ? 0 : -1}
          aria-label="Entry ${index}"
          aria-pressed=${this.#selected === index}
          @click=${() => this.#select(this.#selected === index ? null : index)}
          @keydown=${(event: KeyboardEvent) => this.#move(event)}
        >${index}</button>
      </th>
    `;
  }

  /** Returns the reason why the selected entry waits, or the oldest uncommitted one; `null` if none has waited for long. */
  #waiting(leader: NodeView | null): Waiting | null {
    const selected = this.#selected ?? 0;
    const waiting = leader === null ? null : explainWaiting(
      this.model,
      leader,
      Math.max(selected <= leader.lastIndex ? selected : 0, leader.commitIndex + 1),
    );
    const nowMs = this.context.source.now();
    if (waiting === null) this.#waitingFor = 0;
    else if (waiting.index !== this.#waitingFor) [this.#waitingFor, this.#waitingSinceMs] = [waiting.index, nowMs];
    if (waiting === null || nowMs - this.#waitingSinceMs >= PATIENCE_MS) return waiting;
    // Checks again even if nothing else changes.
    this.model.touch("nodes");
    return null;
  }

  #select(index: number | null): void {
    this.#selected = index;
    this.update();
  }

  #move(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const heads = [...this.querySelectorAll<HTMLElement>(".log thead button")];
    const next = heads[heads.indexOf(event.target as HTMLElement) + step];
    if (next === undefined) return;
    next.focus();
    this.#select(Number(next.textContent));
  }
}

const sample = (kind: string, text: string, inside: string): TemplateResult =>
  html`<li><span class="sample ${kind}" aria-hidden="true"><span class="box">${inside}</span></span>${text}</li>`;

const letter = (text: string, meaning: string): TemplateResult =>
  html`<li><span class="letter">${text}</span>${meaning}</li>`;

const LEGEND = html`
  <ul class="legend" aria-label="What the cells mean">
    ${sample("entry durable committed applied", "committed, applied", "2")}
    ${sample("entry durable", "not committed", "2")}
    ${sample("entry", "not on disk yet", "2")}
    ${sample("compacted", "in the snapshot", "·")}
    ${letter("m", "match: equal to the leader's log up to here")}
    ${letter("n", "next: to be sent next")}
  </ul>
`;
