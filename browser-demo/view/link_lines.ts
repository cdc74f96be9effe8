/**
 * The links of the picture: a plain line between each two nodes, and the faults of
 * each direction. A click selects a link; by keyboard the link panel does.
 */

import type { LinkView } from "../source.ts";
import { setAttribute, setText, svg } from "./dom.ts";
import type { ClusterModel, Pair } from "./model.ts";
import { between, lane } from "./ring.ts";
import type { Point } from "./ring.ts";

/** The elements of one direction. */
interface LaneElements {
  readonly line: SVGLineElement;
  readonly bar: SVGLineElement;
  readonly label: SVGTextElement;
}

/** One link: two lanes, and a wide line that takes the clicks. */
export class LinkLines {
  readonly element: SVGGElement;
  readonly pair: Pair;
  readonly #base = svg("line", { class: "base" });
  readonly #hit: SVGLineElement;
  readonly #there = makeLane();
  readonly #back = makeLane();

  constructor(pair: Pair, select: () => void) {
    this.pair = pair;
    this.#hit = svg("line", { class: "hit" });
    this.#hit.addEventListener("click", select);
    const lanes = [this.#there, this.#back].flatMap(({ line, bar, label }) => [line, bar, label]);
    this.element = svg("g", { class: "link", "data-link": `${pair.a} ${pair.b}` }, this.#hit, this.#base, ...lanes);
    const tip = svg("title");
    tip.textContent = `The link between ${pair.a} and ${pair.b}`;
    this.#hit.append(tip);
  }

  place(a: Point, b: Point, size: number): void {
    put(this.#base, a, b);
    put(this.#hit, a, b);
    placeLane(this.#there, lane(a, b, size));
    placeLane(this.#back, lane(b, a, size));
  }

  update(model: ClusterModel): void {
    const { a, b } = this.pair;
    const [there, back] = [model.linkOf(a, b), model.linkOf(b, a)];
    const chosen = model.selectedLink?.a === a && model.selectedLink.b === b;
    setAttribute(this.element, "data-selected", chosen ? "" : null);
    setAttribute(this.element, "data-cut", there?.cut === true && back?.cut === true ? "both" : null);
    updateLane(this.#there, there);
    updateLane(this.#back, back);
  }
}

function makeLane(): LaneElements {
  return {
    line: svg("line", { class: "lane" }),
    bar: svg("line", { class: "bar" }),
    label: svg("text", { class: "lane-label" }),
  };
}

function put(line: SVGLineElement, start: Point, end: Point): void {
  const numbers = { x1: start.x, y1: start.y, x2: end.x, y2: end.y };
  for (const [name, value] of Object.entries(numbers)) setAttribute(line, name, value.toFixed(2));
}

function placeLane({ line, bar, label }: LaneElements, { start, end }: { start: Point; end: Point }): void {
  put(line, start, end);
  const middle = between(start, end, 0.5);
  const length = Math.hypot(end.x - start.x, end.y - start.y) || 1;
  const [nx, ny] = [-(end.y - start.y) / length, (end.x - start.x) / length];
  put(bar, { x: middle.x - nx * 1.6, y: middle.y - ny * 1.6 }, { x: middle.x + nx * 1.6, y: middle.y + ny * 1.6 });
  const place = between(start, end, 0.32);
  // Beside a steep line the label points away from it, and so from the label of the other direction.
  setAttribute(label, "text-anchor", nx > 0.3 ? "start" : nx < -0.3 ? "end" : "middle");
  setAttribute(label, "x", (place.x + nx * 2.6).toFixed(2));
  setAttribute(label, "y", (place.y + ny * 2.6 + 0.8).toFixed(2));
}

function updateLane({ line, bar, label }: LaneElements, view: LinkView | undefined): void {
  const cut = view?.cut === true;
  const slow = view !== undefined && !cut && (view.delayMs > 0 || view.loss > 0);
  const state = cut ? "cut" : slow ? "slow" : null;
  setAttribute(line, "data-state", state);
  setAttribute(bar, "data-state", state);
  const words = slow
    ? [view.delayMs > 0 ? `${view.delayMs} ms` : "", view.loss > 0 ? `−${Math.round(view.loss * 100)} %` : ""]
    : [];
  setText(label, words.filter((word) => word !== "").join(" "));
}
