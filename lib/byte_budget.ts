/**
 * A number of bytes that all requests being received share.
 */

import { RaftError, withoutStack } from "./errors.ts";

/** The part of a budget that belongs to one request. */
export interface ByteShare {
  /** Checks whether a request of this size, of which nothing has arrived, could be received now. @throws {RaftError} `busy` if not */
  expect(bytes: number): void;
  /** Adds bytes that arrived, or are about to. @throws {RaftError} `busy` if there is no room for them */
  take(bytes: number): void;
  /** Gives all bytes back. */
  release(): void;
  /** Notes that the request has arrived: from now on it is not refused for the sake of others. */
  arrived(): void;
}

/** Options of {@linkcode ByteBudget.open}. */
export interface ByteShareOptions {
  /** Bytes of the budget that stay free of requests of this kind. @default 0 */
  readonly spareBytes?: number;
  /** Called if others need the room: the request must be refused with this error, and its share released. */
  refuse(error: RaftError): void;
}

interface Holder {
  bytes: number;
  refuse: ((error: RaftError) => void) | null;
}

/**
 * Limits the bytes that all requests together hold. Once they are used up, the
 * largest request that is still arriving is refused: the one that asks for more,
 * or another that gives its room to a smaller one. So requests that are large and
 * slow never keep small ones out, however many there are.
 */
export class ByteBudget {
  /** The limit, in bytes. */
  readonly maxBytes: number;
  readonly #holders = new Set<Holder>();
  #used = 0;
  #refused = 0;

  /** Creates a budget of which nothing is used. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** The bytes in use. */
  get usedBytes(): number {
    return this.#used;
  }

  /** Requests refused so far. */
  get refused(): number {
    return this.#refused;
  }

  /** Begins to count a request. */
  open({ spareBytes = 0, refuse }: ByteShareOptions): ByteShare {
    const holder: Holder = { bytes: 0, refuse };
    return {
      expect: (bytes) => {
        const isFull = this.#used > this.maxBytes - spareBytes - bytes;
        if (isFull && this.#largestOver(bytes) === null) throw this.#refusal();
      },
      take: (bytes) => {
        this.#makeRoom(this.maxBytes - spareBytes - bytes, holder.bytes + bytes);
        this.#holders.add(holder);
        holder.bytes += bytes;
        this.#used += bytes;
      },
      release: () => this.#release(holder),
      arrived: () => {
        holder.refuse = null;
      },
    };
  }

  /** Refuses requests larger than `size` until no more than `maxUsed` bytes are in use. @throws {RaftError} `busy` */
  #makeRoom(maxUsed: number, size: number): void {
    while (this.#used > maxUsed) {
      const largest = this.#largestOver(size);
      const error = this.#refusal();
      if (largest === null) throw error;
      this.#release(largest);
      largest.refuse?.(error);
    }
  }

  /** Returns the largest request that is still arriving, if it is larger than `size`. */
  #largestOver(size: number): Holder | null {
    let largest: Holder | null = null;
    for (const holder of this.#holders) {
      if (holder.refuse !== null && holder.bytes > Math.max(size, largest?.bytes ?? 0)) largest = holder;
    }
    return largest;
  }

  #release(holder: Holder): void {
    this.#used -= holder.bytes;
    holder.bytes = 0;
    this.#holders.delete(holder);
  }

  #refusal(): RaftError {
    this.#refused++;
    const message = `the requests that are being received fill the limit of ${this.maxBytes} bytes`;
    const hint = "Try again in a moment, or with a smaller request.";
    return withoutStack(() => new RaftError("busy", message, { hint }));
  }
}
