/**
 * The links of the picture: a plain line between each two nodes, and the faults of
 * each direction. A click selects a link; by keyboard the link panel does.
 */

import { nothing, svg } from "lit-html";
import type { TemplateResult } from "lit-html";
import type { LinkView } from "../source.ts";
import type { ClusterModel, Pair } from "./model.ts";
import { between, lane } from "./ring.ts";
import type { Point } from "./ring.ts";

/** Returns one link, between nodes at these places: two lanes, and a wide line that takes the clicks. */
export function linkLines(
  pair: Pair,
  [from, to]: readonly [Point, Point],
  size: number,
  model: ClusterModel,
): TemplateResult {
  const { a, b } = pair;
  const [there, back] = [model.linkOf(a, b), model.linkOf(b, a)];
  const selected = model.selectedLink?.a === a && model.selectedLink.b === b;
  const cut = there.cut && back.cut;
  return svg`
    <g class="link" data-link="${a} ${b}" ?data-selected=${selected} data-cut=${cut ? "both" : nothing}>
      <g @click=${() => model.selectLink(pair)}>
        <title>The link between ${a} and ${b}</title>
        ${line("hit", from, to)}
      </g>
      ${line("base", from, to)} ${laneOf(there, lane(from, to, size))} ${laneOf(back, lane(to, from, size))}
    </g>
  `;
}

function line(kind: string, start: Point, end: Point, state: string | typeof nothing = nothing): TemplateResult {
  const [x1, y1, x2, y2] = [start.x, start.y, end.x, end.y].map((number) => number.toFixed(2));
  return svg`<line class=${kind} data-state=${state} x1=${x1} y1=${y1} x2=${x2} y2=${y2} />`;
}

/** Returns the faults of one direction: a dashed line, a bar across it if it is cut, and its delay and loss. */
function laneOf(
  { cut, delayMs, loss }: LinkView,
  { start, end }: { readonly start: Point; readonly end: Point },
): TemplateResult {
  const slow = !cut && (delayMs > 0 || loss > 0);
  const state = cut ? "cut" : slow ? "slow" : nothing;
  const words = [delayMs > 0 ? `${delayMs} ms` : "", loss > 0 ? `−${Math.round(loss * 100)} %` : ""];
  const middle = between(start, end, 0.5);
  const length = Math.hypot(end.x - start.x, end.y - start.y) || 1;
  const [nx, ny] = [-(end.y - start.y) / length, (end.x - start.x) / length];
  const beside = (side: number): Point => ({ x: middle.x + side * nx, y: middle.y + side * ny });
  const place = between(start, end, 0.32);
  // Beside a steep line the label points away from it, and so from the label of the other direction.
  const anchor = nx > 0.3 ? "start" : nx < -0.3 ? "end" : "middle";
  const [x, y] = [(place.x + nx * 2.6).toFixed(2), (place.y + ny * 2.6 + 0.8).toFixed(2)];
  return svg`
    ${line("lane", start, end, state)} ${line("bar", beside(-1.6), beside(1.6), state)}
    <text class="lane-label" text-anchor=${anchor} x=${x} y=${y}>
      ${slow ? words.filter((word) => word !== "").join(" ") : ""}
    </text>
  `;
}
