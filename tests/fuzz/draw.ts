/**
 * The random choices of one input, all from the seed and the input's number.
 *
 * @module
 */

import { concatBytes } from "../../lib/bytes.ts";
import { seededRandom } from "../support/virtual_host.ts";

/** 64-bit numbers that are odd somewhere: around powers of two, and where a double is no longer exact. */
const ODD_NUMBERS: readonly bigint[] = [
  0n,
  1n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** Texts that are odd somewhere. None is the name of a node. */
const ODD_TEXTS: readonly string[] = [
  "",
  "evil",
  "__proto__",
  "constructor",
  "..",
  "../../etc/passwd",
  "\u0000",
  "\r\nx: y",
  "\u202e\ufeff",
  "é\u0301",
  "\u{1f600}",
  "%00%2f",
  "{}",
  "-1",
  "1e400",
  "NaN",
];

/** A source of choices. */
export class Draw {
  readonly #random: () => number;

  constructor(seed: number, number: number) {
    // The generator starts well apart for neighbours.
    this.#random = seededRandom(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(number + 1, 0xc2b2ae35));
    this.#random();
  }

  /** Returns a whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.whole(0, items.length - 1)]!;
  }

  /** Picks one of the values, each as often as its weight says. */
  weighted<T>(items: readonly (readonly [weight: number, value: T])[]): T {
    let at = this.#random() * items.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of items) if ((at -= weight) < 0) return value;
    return items.at(-1)![1];
  }

  /** Returns a size up to `max`; small ones are more frequent. */
  size(max: number): number {
    return Math.floor(max ** this.#random());
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    // Long ones repeat: they cost time, and their content matters little.
    const own = Math.min(length, 4096);
    for (let at = 0; at < own; at++) bytes[at] = this.whole(0, 255);
    for (let at = own; at < length; at += own) bytes.copyWithin(at, 0, own);
    return bytes;
  }

  /** Returns any 64-bit number. */
  number(): bigint {
    if (this.chance(0.5)) return this.pick(ODD_NUMBERS);
    return BigInt(this.whole(0, 2 ** 32 - 1)) << BigInt(this.whole(0, 32));
  }

  /** Returns a text that is no node's name. */
  text(): string {
    if (this.chance(0.6)) return this.pick(ODD_TEXTS);
    if (this.chance(0.2)) return "x".repeat(this.size(5000));
    return `f${Array.from({ length: this.whole(0, 20) }, () => String.fromCharCode(this.whole(32, 1000))).join("")}`;
  }

  /** Returns an address at which no node is: closed ports of this machine, and what is no address at all. */
  address(): string {
    return this.pick([
      "127.0.0.1:9",
      "http://127.0.0.1:9",
      "https://127.0.0.1:9",
      "[::1]:9",
      "127.0.0.1:9/raft.v1.ClientService/Propose?x=",
      "127.0.0.1:99999",
      "user:password@127.0.0.1:9",
      "fuzz.invalid:9",
      "file:///etc/passwd",
      "tab:fuzz",
      ":9",
      "127.0.0.1",
      "[::",
      "",
      `${"x".repeat(this.size(2000))}.invalid:9`,
      `127.0.0.1:${this.whole(1, 19)}`,
    ]);
  }

  /** Returns a copy in which some bytes are changed, lost, repeated or cut off. */
  mutated(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    let changed: Uint8Array<ArrayBuffer> = Uint8Array.from(bytes);
    for (let times = this.whole(1, 4); times > 0 && changed.length > 0; times--) {
      const at = this.whole(0, changed.length - 1);
      const kind = this.whole(0, 3);
      if (kind === 0) changed[at] = this.whole(0, 255);
      else if (kind === 1) changed = changed.slice(0, at);
      else if (kind === 2) {
        changed = concatBytes([changed.subarray(0, at), this.bytes(this.whole(1, 12)), changed.subarray(at)]);
      } else changed = concatBytes([changed.subarray(0, at), changed.subarray(at + this.whole(1, 8))]);
    }
    return changed;
  }
}
