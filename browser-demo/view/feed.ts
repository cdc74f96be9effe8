/**
 * Events with their reasons, the newest first.
 */

import type { ClusterEvent } from "../source.ts";
import { button, externalLink, h, setAttribute, setText } from "./dom.ts";
import { explain, explainLinks } from "./explain.ts";
import type { Explanation } from "./explain.ts";
import { explainWaiting } from "./explain_state.ts";
import { SETTLE_MS } from "./flights.ts";
import { FeedLines, LINES_KEPT } from "./feed_lines.ts";
import type { FeedLine } from "./feed_lines.ts";
import type { Topic } from "./model.ts";
import { inOrder } from "./order.ts";
import { Part } from "./part.ts";

/** At most this many events wait: a hidden page shows none. */
const MAX_WAITING = 300;
/** An entry that waits for this long is explained. */
const PATIENCE_MS = 1000;

/** `<raft-feed>` */
export class Feed extends Part {
  readonly topics = ["events", "nodes", "links"] as const;
  override readonly everyMs = 120;
  readonly #lines = new FeedLines();
  readonly #list = h("ol", { class: "lines" });
  readonly #empty = h("p", { class: "empty" }, "Nothing has happened yet.");
  readonly #hold = button("Hold", () => this.#toggleHold(), { class: "quiet", "aria-pressed": "false" });
  readonly #shown = new Map<number, { element: HTMLLIElement; text: HTMLElement; line: FeedLine }>();
  readonly #unshown: { readonly event: ClusterEvent; readonly arrivedMs: number }[] = [];
  /** The links that were cut at the last update. */
  readonly #cut = new Set<string>();
  #held = false;
  #startedMs = 0;
  #waiting = { key: "", sinceMs: 0, shown: "" };

  build(): void {
    this.#startedMs = this.context.source.now();
    this.model.onEvent.push((event) => {
      this.#unshown.push({ event, arrivedMs: performance.now() });
      if (this.#unshown.length > MAX_WAITING) this.#unshown.shift();
    });
    this.append(
      h("div", { class: "head" }, h("h2", {}, "What happens, and why"), this.#hold),
      h(
        "div",
        { class: "scroller", role: "region", tabindex: 0, "aria-label": "What happened" },
        this.#empty,
        this.#list,
      ),
    );
  }

  update(_changed: ReadonlySet<Topic>): void {
    this.#addEvents();
    this.#addLinks();
    this.#explainWaiting();
    if (this.#held) return;
    const { lines } = this.#lines;
    this.#empty.hidden = lines.length > 0;
    for (const line of lines) this.#show(line);
    const oldest = lines[0]?.id ?? 0;
    for (const [id, { element }] of this.#shown) {
      if (id >= oldest && this.#shown.size <= LINES_KEPT) break;
      element.remove();
      this.#shown.delete(id);
    }
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

  #show(line: FeedLine): void {
    const shown = this.#shown.get(line.id);
    if (shown?.line === line) return;
    if (shown !== undefined) {
      setText(shown.text, line.said.text);
      shown.line = line;
      return;
    }
    const seconds = Math.max(0, (line.atMs - this.#startedMs) / 1000).toFixed(1);
    const text = h("span", { class: "text" }, line.said.text);
    const { label, url } = line.said.section;
    const element = h(
      "li",
      { "data-tone": line.said.tone },
      h("span", { class: "time" }, `${seconds} s`),
      h("span", { class: "said" }, text, " ", externalLink(label, url)),
    );
    this.#list.prepend(element);
    this.#shown.set(line.id, { element, text, line });
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
    const said: Explanation = { text: waiting.text, section: waiting.section, tone: "bad", important: true };
    this.#lines.add(nowMs, said);
    this.context.announce(said.text);
  }

  #toggleHold(): void {
    this.#held = !this.#held;
    setAttribute(this.#hold, "aria-pressed", String(this.#held));
    this.model.touch("events");
  }
}
