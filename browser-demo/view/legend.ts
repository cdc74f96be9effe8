/**
 * The legend of the picture.
 */

import { html } from "lit-html";
import type { TemplateResult } from "lit-html";
import type { Kind } from "./flights.ts";

/** The shapes of messages, in a square of 16 units. */
export const SHAPES: Readonly<Record<Kind, string>> = {
  vote: "M8 2 L14 8 L8 14 L2 8 Z",
  heartbeat: "M8 4.9 a3.1 3.1 0 1 0 .01 0 Z",
  entries: "M3.5 3.5 H12.5 V12.5 H3.5 Z",
  snapshot: "M2 2 H14 V14 H2 Z",
  timeoutNow: "M8 2 L13.5 12.5 H2.5 Z",
};

const EXPLAINED = ["vote", "heartbeat", "entries", "snapshot"] as const;

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
      ${EXPLAINED.map((kind) => item(kind, SHAPES[kind], "", `color: var(--${kind})`))}
      ${item("hollow: its answer", "M8 3 a5 5 0 1 0 .01 0 Z", "hollow")}
      ${item("election timer", "M8 2 a6 6 0 1 1 -6 6", "ring")}
    </ul>
  `;
}
