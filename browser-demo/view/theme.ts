/**
 * The look of the view: colours, fonts, spaces. Both schemes come from one list by
 * `light-dark()`; one accent colour, the rest is quiet.
 */

import { html } from "lit-html";
import type { TemplateResult } from "lit-html";
import { LOG_STYLE } from "./style_logs.ts";
import { PANEL_STYLE } from "./style_panels.ts";
import { PICTURE_STYLE } from "./style_picture.ts";

const BASE = `
:root { color-scheme: light dark; }
:root[data-theme="light"] { color-scheme: light; }
:root[data-theme="dark"] { color-scheme: dark; }
.raft-demo {
  --ground: light-dark(#f6f6f3, #0f1217);
  --surface: light-dark(#ffffff, #171b22);
  --raised: light-dark(#f3f3ef, #1f252e);
  --line: light-dark(#e2e2dc, #2b323d);
  --edge: light-dark(#80858d, #7b8594);
  --ink: light-dark(#1b1e23, #e9ecf1);
  --soft: light-dark(#545b66, #a7b0bd);
  --accent: light-dark(#3150c8, #93a9ff);
  --on-accent: light-dark(#ffffff, #10152b);
  --accent-wash: light-dark(#eaeefc, #1e2747);
  --good: light-dark(#1d7447, #6fd39c);
  --bad: light-dark(#b3261e, #ff8f86);
  --bad-wash: light-dark(#fcecea, #3a1c1b);
  --amber: light-dark(#a15c00, #f5b95c);
  --vote: var(--amber);
  --heartbeat: light-dark(#8a929e, #77818f);
  --entries: var(--accent);
  --snapshot: light-dark(#8a3ab0, #d49af0);
  --timeoutNow: var(--bad);
  --timer: light-dark(#b4bac4, #4d5665);
  --timer-late: var(--amber);
  background: var(--ground);
  color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  min-height: 100vh;
  padding: clamp(12px, 2.2vw, 28px);
  box-sizing: border-box;
  accent-color: var(--accent);
}
.raft-demo *, .raft-demo *::before, .raft-demo *::after { box-sizing: border-box; }
.raft-demo > header, .raft-demo > main { max-width: 1320px; margin: 0 auto; }
.raft-demo > header { display: flex; gap: 16px; align-items: start; justify-content: space-between; margin-bottom: 20px; }
.raft-demo h1 { font-size: clamp(22px, 3.4vw, 34px); line-height: 1.15; letter-spacing: -0.02em; font-weight: 680; margin: 0; text-wrap: balance; }
.raft-demo h2 { font-size: 15px; font-weight: 650; margin: 0; letter-spacing: -0.005em; }
.raft-demo p { margin: 0; }
.raft-demo a { color: var(--accent); text-underline-offset: 2px; }
raft-headline { display: block; min-height: 92px; }
raft-headline .name { color: var(--accent); font-weight: 620; font-size: 14px; margin-bottom: 4px; }
raft-headline .detail { color: var(--soft); margin-top: 6px; max-width: 72ch; }
raft-headline[data-tone="bad"] h1 { color: var(--bad); }
.raft-demo > main { display: grid; gap: 16px; grid-template-columns: minmax(0, 1fr); }
.raft-demo .card { background: var(--surface); border: 1px solid var(--line); border-radius: 14px; padding: 18px; min-width: 0; contain: layout paint style; }
@media (min-width: 960px) {
  .raft-demo > main {
    grid-template-columns: minmax(0, 1fr) minmax(0, 1fr) minmax(340px, 1.3fr);
    grid-template-areas: "cluster cluster try" "cluster cluster why" "node link why" "logs logs logs" "tables tables tables";
    grid-template-rows: auto 1fr auto;
  }
  .raft-demo .cluster { grid-area: cluster; }
  .raft-demo .try { grid-area: try; }
  .raft-demo .node-card { grid-area: node; }
  .raft-demo .link-card { grid-area: link; }
  .raft-demo .why-card { grid-area: why; }
  .raft-demo .logs { grid-area: logs; }
  .raft-demo .tables { grid-area: tables; }
}
.raft-demo > main.question { display: block; max-width: 640px; }
.raft-demo .question .card { display: grid; gap: 14px; padding: clamp(18px, 4vw, 32px); }
.raft-demo .question ul { margin: 0; padding-left: 22px; }
.raft-demo .question code { overflow-wrap: anywhere; }
@media (max-width: 480px) { .raft-demo .card { padding: 14px; border-radius: 12px; } }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.raft-demo [hidden] { display: none !important; }
.raft-demo :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 8px; }
.raft-demo .scroller { overflow: auto; border-radius: 8px; }
@media (prefers-reduced-motion: no-preference) {
  .raft-demo button, .raft-demo .button { transition: background-color 120ms, border-color 120ms; }
}
`;

/** Adds the style to the page. */
export function addTheme(page: Document): void {
  if (page.head.querySelector("style[data-raft-demo]") !== null) return;
  const style = page.createElement("style");
  style.dataset["raftDemo"] = "";
  style.textContent = BASE + PICTURE_STYLE + PANEL_STYLE + LOG_STYLE;
  page.head.append(style);
}

/** Switches between dark and light, which at first is as the system has it. */
function switchTheme(): void {
  const { dataset } = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  dataset["theme"] = (dataset["theme"] ?? system) === "dark" ? "light" : "dark";
}

/** Returns the button for that. */
export function themeButton(): TemplateResult {
  return html`
    <button type="button" class="quiet theme" aria-label="Dark or light" title="Dark or light" @click=${switchTheme}>
      ◐
    </button>
  `;
}
