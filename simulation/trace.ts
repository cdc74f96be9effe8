/**
 * What happened: a hash of all of it, so that two runs can be compared; counts by
 * kind; and, when asked for, the story in words.
 *
 * @module
 */

/** One line of a run's story. */
export interface StoryLine {
  /** When, in virtual milliseconds. */
  readonly atMs: number;
  /** To whom: a node, a client, or the whole run. */
  readonly who: string;
  /** What, and why. */
  readonly what: string;
}

/** The kinds of what goes into the hash. */
const MARKS = {
  sent: 1,
  arrived: 2,
  disk: 3,
  applied: 4,
  asked: 5,
  answered: 6,
  started: 7,
  ended: 8,
  fault: 9,
} as const;

/** A kind of what goes into the hash. */
export type Mark = keyof typeof MARKS;

/** See the head of this file. */
export class Trace {
  /** How often each kind of thing happened. */
  readonly counts: Record<string, number> = {};
  readonly story: StoryLine[] | null;
  readonly #nowUs: () => number;
  #high = 0x6a09e667;
  #low = 0x3c6ef372;

  constructor(nowUs: () => number, record: boolean) {
    this.#nowUs = nowUs;
    this.story = record ? [] : null;
  }

  /** 64 bits of everything that was marked, in hexadecimal. */
  get hash(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** Adds to the hash: what, when, and up to three numbers that tell it from others. */
  mark(mark: Mark, a = 0, b = 0, c = 0): void {
    const nowUs = this.#nowUs();
    this.#add(MARKS[mark]);
    this.#add(nowUs);
    this.#add(Math.floor(nowUs / 2 ** 32));
    this.#add(a);
    this.#add(b);
    this.#add(c);
  }

  /** Counts something. */
  count(what: string, times = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + times;
  }

  /** Adds a line to the story, if there is one. */
  tell(who: string, what: string | (() => string)): void {
    this.story?.push({ atMs: this.#nowUs() / 1000, who, what: typeof what === "string" ? what : what() });
  }

  #add(value: number): void {
    this.#high = Math.imul(this.#high ^ value, 0x85ebca6b);
    this.#high ^= this.#high >>> 13;
    this.#low = Math.imul(this.#low ^ this.#high, 0xc2b2ae35);
    this.#low ^= this.#low >>> 16;
  }
}
