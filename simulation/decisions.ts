/**
 * Random decisions that can be replayed and reduced. Every stream of random numbers
 * has a name and counts its items; the numbers for an item follow from the seed,
 * the name and the count alone. So one fault can be left out without changing the
 * others, which is impossible with a single sequence of random numbers.
 *
 * @module
 */

const GOLDEN = 0x9e3779b9;

/** Scrambles 32 bits (splitmix32). */
function mix(value: number): number {
  let z = value | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}

function hashName(seed: number, name: string): number {
  let hash = mix(seed + GOLDEN);
  for (let i = 0; i < name.length; i++) hash = mix(hash + Math.imul(name.charCodeAt(i) + 1, GOLDEN));
  return hash;
}

/** One stream of random numbers. */
export class Stream {
  /** Unique in the run. */
  readonly name: string;
  readonly #decisions: Decisions;
  readonly #hash: number;
  #item = 0;
  #base: number;
  #draws = 0;

  /** Creates a stream, for {@linkcode Decisions.stream}. */
  constructor(decisions: Decisions, name: string) {
    this.name = name;
    this.#decisions = decisions;
    this.#hash = hashName(decisions.seed, name);
    this.#base = this.#hash;
  }

  /** Continues with the next item: a message, a request, a fault. */
  next(): this {
    this.#base = mix(this.#hash + Math.imul(++this.#item, GOLDEN));
    this.#draws = 0;
    return this;
  }

  /** Returns a number in [0, 1). */
  unit(): number {
    return mix(this.#base + Math.imul(++this.#draws, GOLDEN)) / 2 ** 32;
  }

  /** {@linkcode Stream.unit} as a function, to be passed on. */
  readonly random = (): number => this.unit();

  /** Returns a whole number from 0 to `bound - 1`. */
  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  /** Returns a whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** Returns true with this probability. The result is not a decision: it can't be left out. */
  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** Returns one of the items; `undefined` if there are none. */
  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(Math.max(1, items.length))];
  }

  /** Returns the items in a random order. */
  shuffled<T>(items: readonly T[]): T[] {
    const left = items.slice();
    return items.map(() => left.splice(this.below(left.length), 1)[0]!);
  }

  /**
   * Decides if something happens to this item that a smaller run may leave out: a
   * fault or a request. It is recorded, and in a replay happens only if it is kept.
   */
  strikes(what: string, probability: number): boolean {
    const drawn = this.unit() < probability;
    const { kept } = this.#decisions;
    if (kept === null && !drawn) return false;
    const id = `${this.name}#${this.#item}:${what}`;
    if (kept !== null && !kept.has(id)) return false;
    this.#decisions.made.push(id);
    return true;
  }
}

/** The random decisions of one run. */
export class Decisions {
  readonly seed: number;
  /** The decisions that may be true; `null` for no restriction. */
  readonly kept: ReadonlySet<string> | null;
  /** The decisions that were true, in order. */
  readonly made: string[] = [];
  readonly #streams = new Map<string, Stream>();

  constructor(seed: number, kept: ReadonlySet<string> | null = null) {
    this.seed = seed;
    this.kept = kept;
  }

  /** Returns the stream of this name. */
  stream(name: string): Stream {
    let stream = this.#streams.get(name);
    if (stream === undefined) this.#streams.set(name, stream = new Stream(this, name));
    return stream;
  }
}
