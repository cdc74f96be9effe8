/**
 * Chance, so that a run can be replayed and cut down. Every stream of chance has
 * a name and counts its items; what is drawn for an item follows from the seed,
 * the name and the count alone. So one fault can be left out and the others are
 * drawn as before, which a single sequence of random numbers would not do.
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

/** One stream of chance. */
export class Stream {
  /** Unique in the run. */
  readonly name: string;
  readonly #decisions: Decisions;
  readonly #hash: number;
  #item = 0;
  #base: number;
  #draws = 0;

  /** Use {@linkcode Decisions.stream}. */
  constructor(decisions: Decisions, name: string) {
    this.name = name;
    this.#decisions = decisions;
    this.#hash = hashName(decisions.seed, name);
    this.#base = this.#hash;
  }

  /** Goes on to the next item: a message, a request, a fault. */
  next(): this {
    this.#base = mix(this.#hash + Math.imul(++this.#item, GOLDEN));
    this.#draws = 0;
    return this;
  }

  /** A number in [0, 1). */
  unit(): number {
    return mix(this.#base + Math.imul(++this.#draws, GOLDEN)) / 2 ** 32;
  }

  /** The same as a function, for what draws by itself. */
  readonly random = (): number => this.unit();

  /** A whole number from 0 to `bound - 1`. */
  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** Whether something of this probability is so. Not a decision: it can't be left out. */
  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** One of these; `undefined` if there are none. */
  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(Math.max(1, items.length))];
  }

  /** These in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const left = items.slice();
    return items.map(() => left.splice(this.below(left.length), 1)[0]!);
  }

  /**
   * Whether something happens to this item that a smaller run may do without: a
   * fault, a request. It is recorded, and in a replay happens only if it is kept.
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

/** All chance of one run. */
export class Decisions {
  readonly seed: number;
  /** What may happen; `null` for all that chance says. */
  readonly kept: ReadonlySet<string> | null;
  /** What happened, in order. */
  readonly made: string[] = [];
  readonly #streams = new Map<string, Stream>();

  constructor(seed: number, kept: ReadonlySet<string> | null = null) {
    this.seed = seed;
    this.kept = kept;
  }

  /** The stream of this name. */
  stream(name: string): Stream {
    let stream = this.#streams.get(name);
    if (stream === undefined) this.#streams.set(name, stream = new Stream(this, name));
    return stream;
  }
}
