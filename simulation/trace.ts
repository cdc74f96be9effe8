/**
 * The trace of a run: a hash of all events, so that two runs can be compared; counts
 * by kind; and, on request, the story in words.
 *
 * @module
 */

/** One line of a run's story. */
export interface StoryLine {
  /** The time, in virtual milliseconds. */
  readonly atMs: number;
  /** The node or client it happened to, or another part of the run. */
  readonly actor: string;
  /** The event and its reason, in words. */
  readonly text: string;
}

/** The kinds of events that go into the hash. */
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

export type Mark = keyof typeof MARKS;

export class Trace {
  /** The number of events of each kind. */
  readonly counts: Record<string, number> = {};
  readonly story: StoryLine[] | null;
  readonly #nowUs: () => number;
  #high = 0x6a09e667;
  #low = 0x3c6ef372;

  constructor(nowUs: () => number, record: boolean) {
    this.#nowUs = nowUs;
    this.story = record ? [] : null;
  }

  /** A hash of 64 bits of all marks, in hexadecimal. */
  get hash(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** Adds an event to the hash: its kind, the time, and up to three numbers. */
  mark(mark: Mark, a = 0, b = 0, c = 0): void {
    const nowUs = this.#nowUs();
    this.#add(MARKS[mark]);
    this.#add(nowUs);
    this.#add(Math.floor(nowUs / 2 ** 32));
    this.#add(a);
    this.#add(b);
    this.#add(c);
  }

  count(what: string, times = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + times;
  }

  /** Adds a line to the story, if there is one. */
  describe(actor: string, text: string | (() => string)): void {
    this.story?.push({ atMs: this.#nowUs() / 1000, actor, text: typeof text === "string" ? text : text() });
  }

  #add(value: number): void {
    this.#high = Math.imul(this.#high ^ value, 0x85ebca6b);
    this.#high ^= this.#high >>> 13;
    this.#low = Math.imul(this.#low ^ this.#high, 0xc2b2ae35);
    this.#low ^= this.#low >>> 16;
  }
}
