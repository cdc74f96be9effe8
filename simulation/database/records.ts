/**
 * The records of an object store, in the order of their keys.
 *
 * @module
 */

/** A key: a number, a string, or an array of keys. */
export type Key = number | string | readonly Key[];

/** The keys from `lower` to `upper`, inclusive. */
export interface KeyRange {
  readonly lower: Key;
  readonly upper: Key;
}

/** The value that a record had before a change; `undefined` if there was no record. */
export interface Change {
  readonly key: Key;
  readonly before: unknown;
}

/** Changes that can be taken back: the last one first. */
export type Changes = readonly Change[];

/** Compares two keys in the order of IndexedDB: numbers, strings, arrays. */
export function compareKeys(a: Key, b: Key): number {
  const rank = (key: Key): number => typeof key === "number" ? 0 : typeof key === "string" ? 1 : 2;
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a !== "object" || typeof b !== "object") return a < b ? -1 : a > b ? 1 : 0;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareKeys(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Copies a value as storing it would: a view with its whole buffer. */
export function cloneValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(cloneValue);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, cloneValue(field)]));
  }
  if (typeof value === "function" || typeof value === "symbol") {
    throw new DOMException("the value could not be cloned", "DataCloneError");
  }
  return value;
}

/** Returns the bytes that a value takes: a view stores its whole buffer. */
export function sizeOf(value: unknown): number {
  if (value instanceof Uint8Array) return value.buffer.byteLength;
  if (typeof value === "string") return value.length;
  if (typeof value === "object" && value !== null) {
    return Object.values(value).reduce<number>((sum, field) => sum + sizeOf(field), 8);
  }
  return 8;
}

export class Records {
  readonly #keys: Key[] = [];
  readonly #values: unknown[] = [];

  get(key: Key): unknown {
    const at = this.#find(key);
    return this.#isAt(at, key) ? this.#values[at] : undefined;
  }

  /** Returns the keys in a range. */
  keys(range: KeyRange): Key[] {
    return this.#keys.slice(...this.#span(range));
  }

  /** Returns the values in a range. */
  values(range: KeyRange): unknown[] {
    return this.#values.slice(...this.#span(range));
  }

  put(key: Key, value: unknown): Change {
    const at = this.#find(key);
    if (this.#isAt(at, key)) {
      const before = this.#values[at];
      this.#values[at] = value;
      return { key, before };
    }
    this.#keys.splice(at, 0, key);
    this.#values.splice(at, 0, value);
    return { key, before: undefined };
  }

  delete(range: KeyRange): Change[] {
    const [from, to] = this.#span(range);
    const values = this.#values.splice(from, to - from);
    return this.#keys.splice(from, to - from).map((key, i) => ({ key, before: values[i] }));
  }

  /** Takes changes back; returns those that would make them again. */
  revert(changes: Changes): Changes {
    return changes.toReversed().flatMap(({ key, before }) =>
      before === undefined ? this.delete({ lower: key, upper: key }) : [this.put(key, before)]
    );
  }

  /** Returns the first position whose key is not below `key`. */
  #find(key: Key): number {
    let from = 0;
    let to = this.#keys.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (compareKeys(this.#keys[middle]!, key) < 0) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #isAt(at: number, key: Key): boolean {
    return at < this.#keys.length && compareKeys(this.#keys[at]!, key) === 0;
  }

  #span({ lower, upper }: KeyRange): [from: number, to: number] {
    const from = this.#find(lower);
    const end = this.#find(upper);
    return [from, Math.max(from, this.#isAt(end, upper) ? end + 1 : end)];
  }
}
