/**
 * An iteration that can be ended from outside.
 *
 * @module
 */

/**
 * Passes on the results of another iterator until `end` is called: then a
 * waiting call of `next` is done, whatever the other one does. (Racing each step
 * against one long-lived promise would make that promise remember every step.)
 */
export class Interruptible<T> implements AsyncIterableIterator<T> {
  readonly #inner: AsyncIterator<T>;
  #waiting: ((result: IteratorResult<T>) => void) | undefined;
  #ended = false;

  constructor(inner: AsyncIterable<T>) {
    this.#inner = inner[Symbol.asyncIterator]();
  }

  /** Ends it. Later results of the other iterator, errors included, are ignored. */
  end(): void {
    this.#ended = true;
    this.#waiting?.({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#waiting = resolve;
      this.#inner.next().then(resolve, reject);
    });
  }

  /** Ends it, for a consumer that stops early. */
  return(): Promise<IteratorResult<T>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Ends it, for a consumer that failed. */
  throw(error: unknown): Promise<IteratorResult<T>> {
    this.end();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
