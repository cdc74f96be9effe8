/**
 * The state of the cluster in one line.
 */

import { html } from "lit-html";
import type { TemplateResult } from "lit-html";
import { headlineOf } from "./explain_state.ts";
import { Part } from "./part.ts";

export class Headline extends Part {
  readonly topics = ["nodes"] as const;
  override readonly everyMs = 80;

  content(): TemplateResult {
    const { text, detail, tone } = headlineOf(this.model);
    this.dataset["tone"] = tone;
    return html`
      <p class="name">Raft, live</p>
      <h1>${text}</h1>
      <p class="detail">${detail}</p>
    `;
  }
}
