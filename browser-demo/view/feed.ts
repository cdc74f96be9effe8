/**
 * What happened, in words that say why, the newest first.
 *
 * @module
 */

import type { Happening } from "../source.ts";
import { button, h, setAttribute, setText } from "./dom.ts";
import { explain, explainLinks } from "./explain.ts";
import type { Explanation } from "./explain.ts";
import { explainWaiting } from "./explain_state.ts";
import { SETTLE_MS } from "./flights.ts";
import { FeedLines, LINES_KEPT } from "./feed_lines.ts";
import type { FeedLine } from "./feed_lines.ts";
import type { Topic } from "./model.ts";
import { inOrder } from "./order.ts";
import { Part } from "./part.ts";

/** What has happened and is not told yet: a hidden page tells nothing. */
const UNTOLD_MOST = 300;
/** How long an entry waits before the feed says why. */
const PATIENCE_MS = 1000;

/** `<raft-feed>` */
export class Feed extends Part {
  readonly topics = ["happenings", "nodes", "links"] as const;
  override readonly everyMs = 120;
  readonly #lines = new FeedLines();
  readonly #list = h("ol", { class: "lines" });
  readonly #empty = h("p", { class: "empty" }, "Nothing has happened yet.");
  readonly #hold = button("Hold", () => this.#toggleHold(), { class: "quiet", "aria-pressed": "false" });
  readonly #shown = new Map<number, { element: HTMLLIElement; text: HTMLElement; line: FeedLine }>();
  readonly #untold: { readonly happening: Happening; readonly heardMs: number }[] = [];
  /** The ways that were cut when it last looked. */
  readonly #cut = new Set<string>();
  #held = false;
  #startedMs = 0;
  #waiting = { key: "", sinceMs: 0, told: "" };

  build(): void {
    this.#startedMs = this.context.source.now();
    this.model.onHappening.push((happening) => {
      this.#untold.push({ happening, heardMs: performance.now() });
      if (this.#untold.length > UNTOLD_MOST) this.#untold.shift();
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
    this.#tell();
    this.#tellLinks();
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
   * Tells what was heard of a moment ago: by now the nodes are known as they are after it, and what other nodes
   * told later comes in the order in which it happened.
   */
  #tell(): void {
    const until = performance.now() - SETTLE_MS;
    const later = this.#untold.findIndex(({ heardMs }) => heardMs > until);
    const settled = this.#untold.splice(0, later < 0 ? this.#untold.length : later);
    for (const happening of inOrder(settled.map(({ happening }) => happening))) this.#add(happening);
    if (this.#untold.length > 0) this.model.touch("happenings");
  }

  #add(happening: Happening): void {
    const said = explain(happening, this.model);
    if (said === null) return;
    this.#lines.add(happening.atMs, said);
    if (said.important) this.context.announce(said.text);
  }

  #tellLinks(): void {
    for (const isCut of [true, false]) {
      const ways = [...this.model.links].filter(([way, { cut }]) => cut === isCut && this.#cut.has(way) !== isCut)
        .map(([way]) => way);
      for (const way of ways) isCut ? this.#cut.add(way) : this.#cut.delete(way);
      if (ways.length > 0) this.#lines.add(this.context.source.now(), explainLinks(isCut, ways));
    }
    // A node that has left takes its links with it.
    for (const way of this.#cut) if (!this.model.links.has(way)) this.#cut.delete(way);
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
      h("span", { class: "said" }, text, " ", h("a", { href: url, target: "_blank", rel: "noopener" }, label)),
    );
    this.#list.prepend(element);
    this.#shown.set(line.id, { element, text, line });
  }

  /** Says once for each wait why the leader's oldest uncommitted entry is not committed. */
  #explainWaiting(): void {
    const leader = this.model.leader();
    const waiting = leader === null ? null : explainWaiting(this.model, leader);
    if (leader === null || waiting === null) {
      this.#waiting = { key: "", sinceMs: 0, told: this.#waiting.told };
      return;
    }
    const nowMs = this.context.source.now();
    const key = `${leader.id} ${leader.term} ${waiting.index}`;
    if (key !== this.#waiting.key) this.#waiting = { key, sinceMs: nowMs, told: this.#waiting.told };
    // Looks again even if nothing else changes.
    this.model.touch("happenings");
    if (nowMs - this.#waiting.sinceMs < PATIENCE_MS * this.context.rate()) return;
    const told = `${key} ${waiting.text}`;
    if (told === this.#waiting.told) return;
    this.#waiting.told = told;
    const said: Explanation = { text: waiting.text, section: waiting.section, tone: "bad", important: true };
    this.#lines.add(nowMs, said);
    this.context.announce(said.text);
  }

  #toggleHold(): void {
    this.#held = !this.#held;
    setAttribute(this.#hold, "aria-pressed", String(this.#held));
    this.model.touch("happenings");
  }
}
