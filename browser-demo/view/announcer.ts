/**
 * Announcements for screen readers: the important lines, one at a time, and no faster
 * than a person can follow. Only the newest few wait.
 */

import { h, setText } from "./dom.ts";

/** The time between two announcements. */
const EVERY_MS = 1500;
const MAX_WAITING = 3;

/** A polite live region. */
export class Announcer {
  readonly element = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
  readonly #waiting: string[] = [];
  #speaking = false;

  say(text: string): void {
    if (this.#waiting.at(-1) === text) return;
    this.#waiting.push(text);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    if (!this.#speaking) this.#next();
  }

  #next(): void {
    const text = this.#waiting.shift();
    this.#speaking = text !== undefined;
    if (text === undefined) return;
    setText(this.element, text);
    setTimeout(() => this.#next(), EVERY_MS);
  }
}
