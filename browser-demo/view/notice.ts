/**
 * The notice of an action that did not work, with advice.
 */

import { button, h, setText } from "./dom.ts";
import { errorWords } from "./words.ts";

/** A bar at the lower edge, until it is dismissed or another action works. */
export class Notice {
  readonly #what = h("strong");
  readonly #message = h("span");
  readonly #hint = h("span", { class: "hint" });
  readonly #box = h("div", { class: "notice", hidden: true });
  readonly element = h("div", { role: "alert" }, this.#box);

  constructor() {
    this.#box.append(
      h("p", {}, this.#what, " ", this.#message, " ", this.#hint),
      button("Dismiss", () => this.hide(), { class: "quiet" }),
    );
  }

  show(what: string, error: unknown): void {
    const { message, hint } = errorWords(error);
    setText(this.#what, `${what} did not work.`);
    setText(this.#message, message);
    setText(this.#hint, hint);
    this.#box.hidden = false;
  }

  hide(): void {
    this.#box.hidden = true;
  }
}
