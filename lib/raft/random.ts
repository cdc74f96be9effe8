/**
 * Pseudo-random numbers from a seed: the core has no random source, so that the
 * same inputs give the same outputs.
 *
 * @module
 */

/** A small generator (splitmix32): spreads election timeouts, and is fit for nothing secret. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Returns a whole number from 0 to `bound - 1`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % bound;
  }
}
