/**
 * What the dots of the picture mean.
 *
 * @module
 */

import { h, svg } from "./dom.ts";
import type { Kind } from "./flights.ts";

const SHAPES: readonly { readonly kind: Kind; readonly text: string; readonly path: string }[] = [
  { kind: "vote", text: "vote", path: "M8 2 L14 8 L8 14 L2 8 Z" },
  { kind: "heartbeat", text: "heartbeat", path: "M8 4.5 a3.5 3.5 0 1 0 .01 0 Z" },
  { kind: "entries", text: "entries", path: "M3.5 3.5 H12.5 V12.5 H3.5 Z" },
  { kind: "snapshot", text: "snapshot", path: "M2 2 H14 V14 H2 Z" },
];

function glyph(kind: string, path: string): SVGSVGElement {
  return svg(
    "svg",
    {
      viewBox: "0 0 16 16",
      width: 14,
      height: 14,
      class: "glyph",
      "aria-hidden": "true",
      style: `color: var(--${kind})`,
    },
    svg("path", { d: path }),
  );
}

/** A line that explains shapes and colours. */
export function legend(): HTMLUListElement {
  const items = SHAPES.map(({ kind, text, path }) => h("li", {}, glyph(kind, path), text));
  const hollow = svg("svg", {
    viewBox: "0 0 16 16",
    width: 14,
    height: 14,
    class: "glyph hollow",
    "aria-hidden": "true",
  }, svg("path", { d: "M8 3 a5 5 0 1 0 .01 0 Z" }));
  const ring = svg(
    "svg",
    { viewBox: "0 0 16 16", width: 14, height: 14, class: "glyph ring", "aria-hidden": "true" },
    svg("path", { d: "M8 2 a6 6 0 1 1 -6 6" }),
  );
  return h(
    "ul",
    { class: "legend", "aria-label": "What the shapes mean" },
    ...items,
    h("li", {}, hollow, "hollow: its answer"),
    h("li", {}, ring, "election timer"),
  );
}
