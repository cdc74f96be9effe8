/**
 * The state of the cluster in one line.
 */

import { h, setAttribute, setText } from "./dom.ts";
import { headlineOf } from "./explain_state.ts";
import { Part } from "./part.ts";

/** `<raft-headline>` */
export class Headline extends Part {
  readonly topics = ["nodes"] as const;
  override readonly everyMs = 80;
  readonly #text = h("h1");
  readonly #detail = h("p", { class: "detail" });

  build(): void {
    this.append(h("p", { class: "name" }, "Raft, live"), this.#text, this.#detail);
  }

  update(): void {
    const { text, detail, tone } = headlineOf(this.model);
    setText(this.#text, text);
    setText(this.#detail, detail);
    setAttribute(this, "data-tone", tone);
  }
}
