/**
 * Events with their reasons, the newest first.
 */

import { html, nothing } from "lit-html";
import type { TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import type { ClusterEvent } from "../source.ts";
import { sectionLink } from "./dom.ts";
import { explain, explainLinks } from "./explain.ts";
import { explainWaiting } from "./explain_state.ts";
import { FeedLines } from "./feed_lines.ts";
import type { FeedLine } from "./feed_lines.ts";
import { SETTLE_MS } from "./flights.ts";
import type { Topic } from "./model.ts";
import { inOrder } from "./order.ts";
import { Part } from "./part.ts";
import type { ViewContext } from "./part.ts";

/** At most this many events wait: a hidden page shows none. */
const MAX_WAITING = 300;
/** An entry that waits for this long is explained. */
const PATIENCE_MS = 1000;

export class Feed extends Part {
  readonly topics = ["events", "nodes", "links"] as const;
  override readonly everyMs = 120;
  readonly #lines = new FeedLines();
  /** The lines that are visible, the newest first. */
  #shown: readonly FeedLine[] = [];
  readonly #unshown: { readonly event: ClusterEvent; readonly arrivedMs: number }[] = [];
  /** The links that were cut at the last update. */
  readonly #cut = new Set<string>();
  #held = false;
  #startedMs = 0;
  #waiting = { key: "", sinceMs: 0, shown: "" };

  override mount(context: ViewContext): this {
    super.mount(context);
    this.#startedMs = context.source.now();
    this.model.onEvent.push((event) => {
      this.#unshown.push({ event, arrivedMs: performance.now() });
      if (this.#unshown.length > MAX_WAITING) this.#unshown.shift();
    });
    return this;
  }

  override update(changed?: ReadonlySet<Topic>): void {
    this.#addEvents();
    this.#addLinks();
    this.#explainWaiting();
    if (!this.#held) this.#shown = this.#lines.lines.toReversed();
    super.update(changed);
  }

  content(): TemplateResult {
    return html`
      <div class="head">
        <h2>What happens, and why</h2>
        <button type="button" class="quiet" aria-pressed=${this.#held} @click=${() => this.#toggleHold()}>Hold</button>
      </div>
      <div class="scroller" role="region" tabindex="0" aria-label="What happened">
        ${this.#shown.length > 0 ? nothing : html`<p class="empty">Nothing has happened yet.</p>`}
        <ol class="lines">${repeat(this.#shown, ({ id }) => id, (line) => this.#line(line))}</ol>
      </div>
    `;
  }

  #line({ atMs, said: { text, section, tone } }: FeedLine): TemplateResult {
    const seconds = Math.max(0, (atMs - this.#startedMs) / 1000).toFixed(1);
    return html`
      <li data-tone=${tone}>
        <span class="time">${seconds} s</span>
        <span class="said"><span class="text">${text}</span> ${sectionLink(section)}</span>
      </li>
    `;
  }

  /**
   * Shows events that arrived a moment ago: by now the views of the nodes include them, and events of other nodes
   * that arrive late come in the order in which they happened.
   */
  #addEvents(): void {
    const until = performance.now() - SETTLE_MS;
    const later = this.#unshown.findIndex(({ arrivedMs }) => arrivedMs > until);
    const settled = this.#unshown.splice(0, later < 0 ? this.#unshown.length : later);
    for (const event of inOrder(settled.map(({ event }) => event))) this.#add(event);
    if (this.#unshown.length > 0) this.model.touch("events");
  }

  #add(event: ClusterEvent): void {
    const said = explain(event, this.model);
    if (said === null) return;
    this.#lines.add(event.atMs, said);
    if (said.important) this.context.announce(said.text);
  }

  #addLinks(): void {
    for (const isCut of [true, false]) {
      const changed = [...this.model.links].filter(([link, { cut }]) => cut === isCut && this.#cut.has(link) !== isCut)
        .map(([link]) => link);
      for (const link of changed) isCut ? this.#cut.add(link) : this.#cut.delete(link);
      if (changed.length > 0) this.#lines.add(this.context.source.now(), explainLinks(isCut, changed));
    }
    // A node that has left takes its links with it.
    for (const link of this.#cut) if (!this.model.links.has(link)) this.#cut.delete(link);
  }

  /** Explains once for each wait why the leader's oldest uncommitted entry is not committed. */
  #explainWaiting(): void {
    const leader = this.model.leader();
    const waiting = leader === null ? null : explainWaiting(this.model, leader);
    if (leader === null || waiting === null) {
      this.#waiting = { key: "", sinceMs: 0, shown: this.#waiting.shown };
      return;
    }
    const nowMs = this.context.source.now();
    const key = `${leader.id} ${leader.term} ${waiting.index}`;
    if (key !== this.#waiting.key) this.#waiting = { key, sinceMs: nowMs, shown: this.#waiting.shown };
    // Checks again even if nothing else changes.
    this.model.touch("events");
    if (nowMs - this.#waiting.sinceMs < PATIENCE_MS) return;
    const shown = `${key} ${waiting.text}`;
    if (shown === this.#waiting.shown) return;
    this.#waiting.shown = shown;
    const { text, section } = waiting;
    this.#lines.add(nowMs, { text, section, tone: "bad", important: true });
    this.context.announce(text);
  }

  #toggleHold(): void {
    this.#held = !this.#held;
    this.update();
  }
}
