/**
 * A queue within limits of number and bytes.
 *
 * @module
 */

/** Limits of a queue, or of one batch taken from it. */
export interface QueueLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
}

/** First in, first out. The limits are the caller's: they may differ from call to call. */
export class BoundedQueue<Item> {
  #items: { readonly item: Item; readonly bytes: number }[] = [];
  #bytes = 0;

  /** Items that wait. */
  get length(): number {
    return this.#items.length;
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends an item of so many bytes; returns false if that would exceed a limit. */
  push(item: Item, bytes: number, { maxItems, maxBytes }: QueueLimits): boolean {
    if (this.#items.length >= maxItems || this.#bytes + bytes > maxBytes) return false;
    this.#items.push({ item, bytes });
    this.#bytes += bytes;
    return true;
  }

  /** Removes and returns the oldest items: as many as fit in both limits, but at least one if there is any. */
  take({ maxItems, maxBytes }: QueueLimits): Item[] {
    let count = 0;
    let taken = 0;
    while (count < this.#items.length && count < maxItems) {
      const { bytes } = this.#items[count]!;
      if (count > 0 && taken + bytes > maxBytes) break;
      taken += bytes;
      count++;
    }
    this.#bytes -= taken;
    return this.#items.splice(0, count).map(({ item }) => item);
  }

  /** Removes and returns all items. */
  clear(): Item[] {
    const items = this.#items.map(({ item }) => item);
    this.#items = [];
    this.#bytes = 0;
    return items;
  }
}
