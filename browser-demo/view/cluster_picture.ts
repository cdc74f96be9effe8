/**
 * The picture of the cluster: a ring of nodes, the links between them, and the
 * messages on their way.
 */

import type { NodeId } from "../../mod.ts";
import { h, setText, svg } from "./dom.ts";
import { Flights } from "./flights.ts";
import { legend } from "./legend.ts";
import { LinkLines } from "./link_lines.ts";
import { MessageLayer } from "./message_layer.ts";
import { linkKey } from "./model.ts";
import type { Topic } from "./model.ts";
import { NodeBadge } from "./node_badge.ts";
import { watchPalette } from "./palette.ts";
import { Part } from "./part.ts";
import { HEIGHT, nodeSize, ringPositions } from "./ring.ts";
import type { Point } from "./ring.ts";

/** `<raft-cluster-picture>` */
export class ClusterPicture extends Part {
  readonly topics = ["nodes", "links", "selection", "values"] as const;
  readonly #flights = new Flights();
  readonly #layer = new MessageLayer();
  readonly #links = svg("svg", {
    class: "links",
    viewBox: `0 0 100 ${HEIGHT}`,
    "aria-hidden": "true",
    focusable: "false",
  });
  readonly #stage = h("div", { class: "stage" }, this.#links, this.#layer.element);
  readonly #badges = new Map<NodeId, NodeBadge>();
  readonly #lines = new Map<string, LinkLines>();
  readonly #places = new Map<NodeId, Point>();
  readonly #empty = h("p", { class: "empty" });
  #shownIds = "";
  #size = 0;

  build(): void {
    this.append(this.#stage, this.#empty, legend());
    this.#stage.style.aspectRatio = `100 / ${HEIGHT}`;
    this.model.onMessage.push((view) => this.#flights.add(view));
  }

  /** Sizes, colours and the preference for reduced motion are available once it is on the page. */
  connectedCallback(): void {
    new ResizeObserver((entries) => {
      const box = entries[0]?.contentRect;
      if (box !== undefined) this.#layer.resize(box.width, box.height);
    }).observe(this.#stage);
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

  update(changed: ReadonlySet<Topic>): void {
    const ids = this.model.ids();
    if (ids.join() !== this.#shownIds) this.#arrange(ids);
    if (changed.has("nodes") || changed.has("selection") || changed.has("values")) {
      for (const [id, badge] of this.#badges) {
        const view = this.model.nodes.get(id);
        if (view !== undefined) badge.update(view, this.model);
      }
    }
    if (changed.has("links") || changed.has("selection")) {
      for (const line of this.#lines.values()) line.update(this.model);
    }
  }

  override draw(nowMs: number): void {
    this.#layer.draw(nowMs, this.#flights.at(nowMs), this.#places, this.#size, this.model);
  }

  /** Arranges nodes and links again, after a node came or went. */
  #arrange(ids: readonly NodeId[]): void {
    this.#shownIds = ids.join();
    this.#size = nodeSize(ids.length);
    this.#stage.style.setProperty("--size", `${this.#size}cqi`);
    setText(this.#empty, ids.length === 0 ? "No node yet." : "");
    this.#arrangeNodes(ids);
    this.#arrangeLinks();
  }

  #arrangeNodes(ids: readonly NodeId[]): void {
    for (const [id, badge] of this.#badges) {
      if (ids.includes(id)) continue;
      badge.element.remove();
      this.#badges.delete(id);
      this.#places.delete(id);
      this.#flights.forget(id);
    }
    const positions = ringPositions(ids.length);
    ids.forEach((id, index) => {
      const place = positions[index] ?? { x: 50, y: HEIGHT / 2 };
      this.#places.set(id, place);
      let badge = this.#badges.get(id);
      if (badge === undefined) {
        badge = new NodeBadge(id, () => this.model.selectNode(id));
        this.#badges.set(id, badge);
        // Before the next one that there is, so that the keyboard follows the order of names.
        const next = ids.slice(index + 1).map((later) => this.#badges.get(later)?.element).find((one) =>
          one !== undefined
        );
        this.#stage.insertBefore(badge.element, next ?? null);
      }
      badge.place(place);
      const view = this.model.nodes.get(id);
      if (view !== undefined) badge.update(view, this.model);
    });
  }

  #arrangeLinks(): void {
    const pairs = this.model.pairs();
    const keys = new Set(pairs.map(({ a, b }) => linkKey(a, b)));
    for (const [key, line] of this.#lines) {
      if (keys.has(key)) continue;
      line.element.remove();
      this.#lines.delete(key);
    }
    for (const pair of pairs) {
      const key = linkKey(pair.a, pair.b);
      let line = this.#lines.get(key);
      if (line === undefined) {
        line = new LinkLines(pair, () => this.model.selectLink(pair));
        this.#lines.set(key, line);
        this.#links.append(line.element);
      }
      const [a, b] = [this.#places.get(pair.a), this.#places.get(pair.b)];
      if (a !== undefined && b !== undefined) line.place(a, b, this.#size);
      line.update(this.model);
    }
  }
}
