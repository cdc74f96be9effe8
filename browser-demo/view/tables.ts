/**
 * Nodes and messages as tables: what the picture shows, in words.
 *
 * @module
 */

import type { MessageView, NodeView } from "../source.ts";
import { h } from "./dom.ts";
import type { Topic } from "./model.ts";
import { Part } from "./part.ts";
import { TextTable } from "./table.ts";
import { duration, stateWord } from "./words.ts";

const MESSAGES_SHOWN = 12;

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
      const views = this.model.ids().flatMap((id) => this.model.nodes.get(id) ?? []);
      this.#nodes.show(views.map((view) => this.#nodeRow(view)));
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
      view.votedFor ?? "nobody",
      view.leader ?? "none known",
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
