/**
 * Bodies in small slices. A runtime buffers what it was given until the client has read it, some of them in a copy for
 * each client: so no body hands over more than a slice before the client has room for the next.
 *
 * @module
 */

import type { RaftError } from "../../lib/errors.ts";

/** The bytes that a body hands over at once. */
const SLICE_BYTES = 16 * 1024;

/** The bytes that all bodies hand over before other work gets its turn. */
const TURN_BYTES = 256 * 1024;

/** Lets bodies hand over slices in turn, and other work run in between: thousands of clients may read at once. */
class Turns {
  #left = TURN_BYTES;
  #waiting: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** Resolves when a slice may be handed over; returns `null` if that is now. */
  next(bytes: number): Promise<void> | null {
    this.#timer ??= setTimeout(() => this.#refill(), 0);
    if (this.#left <= 0) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#left -= bytes;
    return null;
  }

  #refill(): void {
    this.#left = TURN_BYTES;
    this.#timer = null;
    const due = this.#waiting.splice(0, TURN_BYTES / SLICE_BYTES);
    if (due.length === 0) return;
    this.#left -= due.length * SLICE_BYTES;
    this.#timer = setTimeout(() => this.#refill(), 0);
    for (const resolve of due) resolve();
  }
}

const turns = new Turns();

const EMPTY = new Uint8Array(0);

/**
 * Ends the connection, or HTTP/2 stream, of a request at once. Set by a listener that knows them; a body whose request
 * has none fails instead, which some servers log as their own fault.
 */
export const breakers: WeakMap<Request, () => void> = new WeakMap<Request, () => void>();

/** Options of {@linkcode SlicedBody.stream}. */
export interface SlicedBodyOptions {
  /** The request that is answered. */
  readonly request?: Request;
  /** Called when the client is gone or cut off, to end the source. */
  cancel?(reason: unknown): void;
  /** Returns what is sent for a chunk. @default the chunk */
  replace?(chunk: Uint8Array): Uint8Array;
}

/** A body that takes its chunks from an iterator, one by one as the client reads, and hands them over in slices. */
export class SlicedBody {
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null = null;
  #chunks: AsyncIterator<Uint8Array> | null = null;
  #rest: Uint8Array<ArrayBuffer> = EMPTY;
  /** Since when the client has read nothing; 0 while it waits for the next chunk. */
  #unreadSinceMs = 0;
  #looks = 0;
  #options: SlicedBodyOptions = {};
  #ended = false;

  /** How long something has waited for the client to read, in milliseconds; 0 if nothing does. */
  get stalledMs(): number {
    return this.#unreadSinceMs === 0 ? 0 : performance.now() - this.#unreadSinceMs;
  }

  /**
   * Counts a look at the body. Returns how many there were since the client last read, 0 if nothing waits for it. A
   * number of looks, unlike a time, is not used up while this process itself stands still.
   */
  look(): number {
    return this.#unreadSinceMs === 0 ? 0 : ++this.#looks;
  }

  /** Returns the stream, which may be requested once. */
  stream(chunks: AsyncIterable<Uint8Array>, options: SlicedBodyOptions = {}): ReadableStream<Uint8Array<ArrayBuffer>> {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#options = options;
    return new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: (controller) => this.#pull(controller),
      cancel: (reason) => this.#cancel(reason),
    }, { highWaterMark: 0 });
  }

  /** Sends a chunk out of turn, if the client waits for one. */
  sendIdle(chunk: Uint8Array): void {
    const [controller, waits] = [this.#controller, this.#rest.length === 0 && this.#unreadSinceMs === 0];
    if (controller === null || this.#ended || !waits || controller.desiredSize !== 0) return;
    controller.enqueue(chunk as Uint8Array<ArrayBuffer>);
  }

  /**
   * Ends the body of a client that does not read, once its source fails with `error`. The client still gets the reason
   * if it has all chunks until here; in the middle of one its connection is cut.
   */
  async cut(error: RaftError): Promise<void> {
    const [controller, chunks] = [this.#controller, this.#chunks];
    if (controller === null || chunks === null || this.#ended) return;
    // A client that waits for the next chunk gets the failure.
    if (this.#rest.length === 0 && this.#unreadSinceMs === 0) return;
    this.#ended = true;
    if (this.#rest.length > 0) {
      const { request } = this.#options;
      const breakOff = request === undefined ? undefined : breakers.get(request);
      if (breakOff === undefined) controller.error(error);
      else breakOff();
      return await this.#cancel(error);
    }
    try {
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
        controller.enqueue(this.#sent(next.value));
      }
      controller.close();
    } catch (failure) {
      controller.error(failure);
    }
  }

  async #cancel(reason: unknown): Promise<void> {
    this.#ended = true;
    this.#rest = EMPTY;
    this.#options.cancel?.(reason);
    const chunks = this.#chunks;
    // A generator that had not caught the error throws it back here.
    await (chunks?.throw?.(reason) ?? chunks?.return?.())?.catch(() => {});
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): Promise<void> {
    if (this.#ended) return;
    this.#unreadSinceMs = this.#looks = 0;
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks!.next();
      if (this.#ended) return;
      if (done) {
        this.#ended = true;
        controller.close();
        return;
      }
      this.#rest = this.#sent(value);
    }
    const turn = turns.next(Math.min(SLICE_BYTES, this.#rest.length));
    if (turn !== null) await turn;
    if (this.#ended) return;
    const slice = this.#rest.subarray(0, SLICE_BYTES);
    // An empty part would still hold the whole chunk.
    this.#rest = slice.length === this.#rest.length ? EMPTY : this.#rest.subarray(slice.length);
    this.#unreadSinceMs = performance.now();
    controller.enqueue(slice);
  }

  #sent(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
    // Connect and the runtimes share no memory between threads.
    return (this.#options.replace?.(chunk) ?? chunk) as Uint8Array<ArrayBuffer>;
  }
}
