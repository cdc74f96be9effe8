/**
 * The legend of the picture.
 */

import { h, svg } from "./dom.ts";
import type { Kind } from "./flights.ts";

const SHAPES: readonly { readonly kind: Kind; readonly text: string; readonly path: string }[] = [
  { kind: "vote", text: "vote", path: "M8 2 L14 8 L8 14 L2 8 Z" },
  { kind: "heartbeat", text: "heartbeat", path: "M8 4.5 a3.5 3.5 0 1 0 .01 0 Z" },
  { kind: "entries", text: "entries", path: "M3.5 3.5 H12.5 V12.5 H3.5 Z" },
  { kind: "snapshot", text: "snapshot", path: "M2 2 H14 V14 H2 Z" },
];

function glyph(path: string, kind = "", style = ""): SVGSVGElement {
  const size = { viewBox: "0 0 16 16", width: 14, height: 14 };
  return svg("svg", { ...size, class: `glyph ${kind}`, "aria-hidden": "true", style }, svg("path", { d: path }));
}

/** Returns a line that explains shapes and colours. */
export function legend(): HTMLUListElement {
  return h(
    "ul",
    { class: "legend", "aria-label": "What the shapes mean" },
    ...SHAPES.map(({ kind, text, path }) => h("li", {}, glyph(path, "", `color: var(--${kind})`), text)),
    h("li", {}, glyph("M8 3 a5 5 0 1 0 .01 0 Z", "hollow"), "hollow: its answer"),
    h("li", {}, glyph("M8 2 a6 6 0 1 1 -6 6", "ring"), "election timer"),
  );
}
