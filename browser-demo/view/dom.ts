/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Pieces of the page for several parts.
 *
 * @module
 */

import { html } from "lit-html";
import type { TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";

/** Returns the options of a choice. */
export function options(values: readonly string[], chosen: string | undefined): readonly TemplateResult[] {
  return values.map((value) => html`<option value=${value} .selected=${live(value === chosen)}>${value}</option>`);
}

/** Returns the value of the input or choice that an event is about. */
export function valueOf({ target }: Event): string {
  return (target as HTMLInputElement | HTMLSelectElement).value;
}

/** Returns a link to a section that opens in a new tab. */
export function sectionLink({ label, url }: { readonly label: string; readonly url: string }): TemplateResult {
  return html`<a href=${url} target="_blank" rel="noopener">${label}</a>`;
}
