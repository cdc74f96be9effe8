/**
 * Announcements for screen readers: the important lines, one at a time, and no faster
 * than a person can follow. Only the newest few wait.
 */

/** The time between two announcements. */
const EVERY_MS = 1500;
const MAX_WAITING = 3;

/** Passes announcements on to a polite live region. */
export class Announcer {
  readonly #show: (text: string) => void;
  readonly #waiting: string[] = [];
  #speaking = false;

  constructor(show: (text: string) => void) {
    this.#show = show;
  }

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
    this.#show(text);
    setTimeout(() => this.#next(), EVERY_MS);
  }
}
