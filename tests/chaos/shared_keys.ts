/**
 * The keys that all clients contend for, and the operations on them.
 *
 * @module
 */

import type { KeyValueInput, KeyValueOutput } from "../../simulation/linearizability/mod.ts";

/** The number of keys in use at a time. */
const KEYS = 4;
/** The number of operations after which a key is given up: its history is checked as a whole, and must stay short. */
const MAX_OPERATIONS = 200;
/** The number of operations without an outcome after which a key is given up: each may have happened at any later time. */
const MAX_FAILED = 6;

interface SharedKey {
  readonly key: string;
  /** The last known version; mostly right. */
  version: number;
  operations: number;
  failed: number;
}

/** The source of operations. */
export class SharedKeys {
  readonly #random: () => number;
  readonly #keys: SharedKey[] = [];
  #made = 0;

  constructor(random: () => number) {
    this.#random = random;
    for (let n = 0; n < KEYS; n++) this.#keys.push(this.#make());
  }

  /** Returns the next operation. @param value differs from any other, so that a value identifies its write */
  input(value: string): KeyValueInput {
    const at = Math.floor(this.#random() * KEYS);
    let chosen = this.#keys[at]!;
    if (chosen.operations >= MAX_OPERATIONS || chosen.failed >= MAX_FAILED) chosen = this.#keys[at] = this.#make();
    chosen.operations++;
    const { key } = chosen;
    const kind = this.#random();
    if (kind < 0.35) return { type: "get", key };
    if (kind < 0.65) return { type: "put", key, value };
    if (kind < 0.75) return { type: "delete", key };
    const expectedVersion = this.#random() < 0.1 ? "any" : chosen.version;
    return { type: "compareAndSet", key, expectedVersion, value: this.#random() < 0.1 ? null : value };
  }

  /** Notes an answer. */
  saw(key: string, output: KeyValueOutput): void {
    const known = this.#keys.find((known) => known.key === key);
    if (known === undefined) return;
    if (output === null) known.version = 0;
    else known.version = "currentVersion" in output ? output.currentVersion : output.version;
  }

  /** Notes that an operation had no answer. */
  failed(key: string): void {
    const known = this.#keys.find((known) => known.key === key);
    if (known !== undefined) known.failed++;
  }

  #make(): SharedKey {
    return { key: `shared/${++this.#made}`, version: 0, operations: 0, failed: 0 };
  }
}
