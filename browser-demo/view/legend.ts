/**
 * The legend of the picture.
 */

import { html } from "lit-html";
import type { TemplateResult } from "lit-html";
import type { Kind } from "./flights.ts";

const SHAPES: readonly { readonly kind: Kind; readonly text: string; readonly path: string }[] = [
  { kind: "vote", text: "vote", path: "M8 2 L14 8 L8 14 L2 8 Z" },
  { kind: "heartbeat", text: "heartbeat", path: "M8 4.5 a3.5 3.5 0 1 0 .01 0 Z" },
  { kind: "entries", text: "entries", path: "M3.5 3.5 H12.5 V12.5 H3.5 Z" },
  { kind: "snapshot", text: "snapshot", path: "M2 2 H14 V14 H2 Z" },
];

function item(text: string, path: string, kind = "", style = ""): TemplateResult {
  return html`
    <li>
      <svg class="glyph ${kind}" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" style=${style}>
        <path d=${path} />
      </svg>
      ${text}
    </li>
  `;
}

/** Returns a line that explains shapes and colours. */
export function legend(): TemplateResult {
  return html`
    <ul class="legend" aria-label="What the shapes mean">
      ${SHAPES.map(({ kind, text, path }) => item(text, path, "", `color: var(--${kind})`))}
      ${item("hollow: its answer", "M8 3 a5 5 0 1 0 .01 0 Z", "hollow")}
      ${item("election timer", "M8 2 a6 6 0 1 1 -6 6", "ring")}
    </ul>
  `;
}
