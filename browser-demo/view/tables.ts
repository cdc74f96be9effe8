/**
 * Nodes and messages as tables: the picture in words.
 */

import { html } from "lit-html";
import type { TemplateResult } from "lit-html";
import type { MessageView, NodeView } from "../source.ts";
import { Part } from "./part.ts";
import { duration, stateWord } from "./words.ts";

const MESSAGES_SHOWN = 12;

/** Returns a table of texts by their headings; each row is named by its first. */
function table(
  caption: string,
  label: string,
  headings: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): TemplateResult {
  return html`
    <div class="scroller" tabindex="0" role="region" aria-label=${label}>
      <table class="facts-table">
        <caption>${caption}</caption>
        <thead>
          <tr>${headings.map((heading) => html`<th scope="col">${heading}</th>`)}</tr>
        </thead>
        <tbody>
          ${rows.map(([name, ...rest]) =>
            html`<tr><th scope="row">${name}</th>${rest.map((text) => html`<td>${text}</td>`)}</tr>`
          )}
        </tbody>
      </table>
    </div>
  `;
}

export class Tables extends Part {
  readonly topics = ["nodes", "messages", "values"] as const;
  override readonly everyMs = 600;

  content(): TemplateResult {
    const nodes = [
      ...["Node", "Runs", "State", "Term", "Voted for", "Leader", "Campaigns in", "Votes", "Log", "Durable"],
      ...["Committed", "Applied", "Snapshot", "Value"],
    ];
    const messages = ["From", "To", "Message", "Term", "Says", "Fate"];
    const newest = this.model.messages.slice(-MESSAGES_SHOWN).reverse();
    return html`
      <h2>In tables</h2>
      ${table("Nodes", "Nodes as a table", nodes, this.model.views().map((view) => this.#nodeRow(view)))}
      ${table("Newest messages", "Messages as a table", messages, newest.map(messageRow))}
    `;
  }

  #nodeRow(view: NodeView): (string | number)[] {
    const { votes, electionTimer, snapshot } = view;
    const value = this.model.values.get(view.id);
    const left = electionTimer === null ? null : Math.max(0, electionTimer.dueMs - this.context.source.now());
    return [
      view.id,
      view.home,
      stateWord(view),
      view.term,
      view.votedFor ?? "–",
      view.leader ?? "unknown",
      left === null || view.life !== "running" ? "–" : left === 0 ? "now" : duration(left),
      votes.map(({ from, granted }) => `${from} ${granted ? "yes" : "no"}`).join(", ") || "–",
      `${view.firstIndex}–${view.lastIndex}`,
      view.durableIndex,
      view.commitIndex,
      view.appliedIndex,
      snapshot === null ? "–" : `up to ${snapshot.index}`,
      value === undefined ? "–" : value === null ? "none" : `${this.model.watchedKey} = ${value}`,
    ];
  }
}

function messageRow({ from, to, type, term, label, fate }: MessageView): (string | number)[] {
  return [from, to, type, term, label, fate];
}
