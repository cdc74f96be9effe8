/**
 * The notice of an action that did not work, with advice.
 */

import { html } from "lit-html";
import type { TemplateResult } from "lit-html";
import { errorWords } from "./words.ts";

/** Returns a bar at the lower edge. */
export function notice(what: string, error: unknown, dismiss: () => void): TemplateResult {
  const { message, hint } = errorWords(error);
  return html`
    <div class="notice">
      <p><strong>${what} did not work.</strong> ${message} <span class="hint">${hint}</span></p>
      <button type="button" class="quiet" @click=${dismiss}>Dismiss</button>
    </div>
  `;
}
