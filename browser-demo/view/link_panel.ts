/**
 * The controls of one link, in each direction.
 */

import { html } from "lit-html";
import type { TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";
import { healthyLink } from "../live/links.ts";
import type { LinkView } from "../source.ts";
import { options, valueOf } from "./dom.ts";
import { linkKey } from "./model.ts";
import type { Pair } from "./model.ts";
import { Part } from "./part.ts";

const MAX_DELAY_MS = 1000;

export class LinkPanel extends Part {
  readonly topics = ["links", "nodes", "selection"] as const;
  override readonly everyMs = 60;

  content(): TemplateResult {
    const { model } = this;
    const pairs = model.pairs();
    this.hidden = pairs.length === 0;
    const pair = model.selectedLink ?? pairs[0];
    if (pair === undefined) return html``;
    const { a, b } = pair;
    const select = (event: Event): void => {
      const chosen = pairs.find((one) => nameOf(one) === valueOf(event));
      if (chosen !== undefined) model.selectLink(chosen);
    };
    return html`
      <div class="head">
        <h2>Link</h2>
        <select aria-label="Which link" @change=${select}>${options(pairs.map(nameOf), nameOf(pair))}</select>
      </div>
      <div class="buttons">
        <button type="button" class="danger" @click=${() => this.#setBoth(pair, true)}>Cut both ways</button>
        <button type="button" @click=${() => this.#setBoth(pair, false)}>Restore</button>
      </div>
      <div class="directions">
        ${[model.linkOf(a, b), model.linkOf(b, a)].map((link) => this.#direction(link))}
      </div>
    `;
  }

  /** Returns the controls of one direction. */
  #direction(link: LinkView): TemplateResult {
    const { from, to, cut, delayMs } = link;
    const percent = Math.round(link.loss * 100);
    // Reads all of them: the model may not have the last change yet.
    const set = ({ currentTarget }: Event): void => {
      const [cut, delay, loss] = (currentTarget as HTMLElement).querySelectorAll("input");
      const changed = { cut: cut!.checked, delayMs: Number(delay!.value), loss: Number(loss!.value) / 100 };
      void this.context.perform(
        `Changing ${linkKey(from, to)}`,
        () => this.context.source.setLink({ from, to, ...changed }),
      );
    };
    return html`
      <fieldset class="direction" @input=${set}>
        <legend>${linkKey(from, to)}</legend>
        <label class="check">
          <input type="checkbox" .checked=${live(cut)}>
          <span>Cut</span>
        </label>
        <label class="range">
          <span>Delay</span>
          <input
            type="range"
            max=${MAX_DELAY_MS}
            step="50"
            aria-valuetext="${delayMs} milliseconds"
            .value=${live(String(delayMs))}
          >
          <span class="number">${delayMs} ms</span>
        </label>
        <label class="range">
          <span>Loss</span>
          <input
            type="range"
            step="5"
            aria-valuetext="${percent} percent"
            .value=${live(String(percent))}
          >
          <span class="number">${percent} %</span>
        </label>
      </fieldset>
    `;
  }

  #setBoth({ a, b }: Pair, cut: boolean): void {
    void this.context.perform("Changing the link", () => {
      for (const [from, to] of [[a, b], [b, a]] as const) {
        this.context.source.setLink({ ...healthyLink(from, to), cut });
      }
    });
  }
}

function nameOf({ a, b }: Pair): string {
  return `${a} ↔ ${b}`;
}
