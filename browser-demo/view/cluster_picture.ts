/**
 * The picture of the cluster: a ring of nodes, the links between them, and the
 * messages on their way.
 */

import { html, nothing } from "lit-html";
import type { TemplateResult } from "lit-html";
import { guard } from "lit-html/directives/guard.js";
import { repeat } from "lit-html/directives/repeat.js";
import type { NodeId } from "../../mod.ts";
import { Flights } from "./flights.ts";
import { legend } from "./legend.ts";
import { linkLines } from "./link_lines.ts";
import { MessageLayer } from "./message_layer.ts";
import type { Topic } from "./model.ts";
import { nodeBadge } from "./node_badge.ts";
import { watchPalette } from "./palette.ts";
import { Part } from "./part.ts";
import type { ViewContext } from "./part.ts";
import { HEIGHT, nodeSize, ringPositions } from "./ring.ts";
import type { Point } from "./ring.ts";

export class ClusterPicture extends Part {
  readonly topics = ["nodes", "links", "selection", "values"] as const;
  readonly #flights = new Flights();
  readonly #layer = new MessageLayer();
  #places: ReadonlyMap<NodeId, Point> = new Map();
  #lines: readonly TemplateResult[] = [];
  #size = 0;

  override mount(context: ViewContext): this {
    super.mount(context);
    this.model.onMessage.push((view) => this.#flights.add(view));
    return this;
  }

  /** Sizes, colours and the preference for reduced motion are available once it is on the page. */
  connectedCallback(): void {
    new ResizeObserver((entries) => {
      const box = entries[0]?.contentRect;
      if (box !== undefined) this.#layer.resize(box.width, box.height);
    }).observe(this.#layer.element);
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    const setStill = (): void => {
      this.#layer.still = still.matches;
    };
    setStill();
    still.addEventListener("change", setStill);
    watchPalette(this, (palette) => {
      this.#layer.palette = palette;
    });
  }

  content(changed: ReadonlySet<Topic>): TemplateResult {
    const { model } = this;
    const moved = this.#arrange(model.ids());
    if (moved || changed.has("links") || changed.has("selection")) {
      this.#lines = model.pairs().map((pair) =>
        linkLines(pair, [this.#places.get(pair.a)!, this.#places.get(pair.b)!], this.#size, model)
      );
    }
    // Most frames change no link.
    const lines = guard([this.#lines], () => this.#lines);
    return html`
      <div class="stage" style="aspect-ratio: 100 / ${HEIGHT}; --size: ${this.#size}cqi">
        <svg class="links" viewBox="0 0 100 ${HEIGHT}" aria-hidden="true" focusable="false">${lines}</svg>
        ${this.#layer.element}
        ${repeat(model.views(), ({ id }) => id, (view) => nodeBadge(view, this.#places.get(view.id)!, model))}
      </div>
      ${model.nodes.size === 0 ? html`<p>No node yet.</p>` : nothing} ${legend()}
    `;
  }

  override draw(nowMs: number): void {
    this.#layer.draw(nowMs, this.#flights.at(nowMs), this.#places, this.#size, this.model);
  }

  /** Finds a place for each node, and reports whether one came or went. */
  #arrange(ids: readonly NodeId[]): boolean {
    const before = [...this.#places.keys()];
    if (ids.join() === before.join()) return false;
    for (const id of before) if (!ids.includes(id)) this.#flights.forget(id);
    this.#size = nodeSize(ids.length);
    this.#places = new Map(ringPositions(ids.length).map((place, index) => [ids[index]!, place]));
    return true;
  }
}
