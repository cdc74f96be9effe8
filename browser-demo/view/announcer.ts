/**
 * What a screen reader says on its own: the important lines, one at a time, and
 * not faster than one can listen. What is older than the newest few is dropped.
 *
 * @module
 */

import { h, setText } from "./dom.ts";

/** How long between two, in the viewer's time. */
const EVERY_MS = 1500;
const WAITING_MOST = 3;

/** A polite live region. */
export class Announcer {
  readonly element = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
  readonly #waiting: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  say(text: string): void {
    if (this.#waiting.at(-1) === text) return;
    this.#waiting.push(text);
    if (this.#waiting.length > WAITING_MOST) this.#waiting.shift();
    if (this.#timer === undefined) this.#next();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #next(): void {
    const text = this.#waiting.shift();
    this.#timer = undefined;
    if (text === undefined) return;
    setText(this.element, text);
    this.#timer = setTimeout(() => this.#next(), EVERY_MS);
  }
}
