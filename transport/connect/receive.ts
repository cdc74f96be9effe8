/**
 * Bodies of requests as they arrive: within limits of bytes and time, and within a
 * budget of bytes that all of them share.
 */

import { ByteBudget, type ByteShare } from "../../lib/byte_budget.ts";
import { RaftError, withoutStack } from "../../lib/errors.ts";
import { GrowingBytes } from "../../lib/growing_bytes.ts";
import { PieceReader } from "./bodies.ts";
import { malformed } from "../wire/checked.ts";
import { toConnectError } from "../wire/connect_errors.ts";
import { FrameReader, tooLarge } from "../wire/frames.ts";

/** Options of a {@linkcode BodyReceiver}. */
export interface BodyReceiverOptions {
  /**
   * The most bytes of all requests that are being received or answered; a quarter is
   * kept for messages between nodes, and an eighth for small requests. Once they are
   * used up, the largest request that is still arriving is refused. @default 64 MiB
   */
  readonly maxReceiveBytes?: number;
  /** The longest time, in milliseconds, for a body to arrive, or for one message of a stream. @default 30000 */
  readonly bodyTimeoutMs?: number;
}

/** The kind of request, for its limits. */
export interface BodyKind {
  /** The largest body, or the largest message of a stream. */
  readonly maxBytes: number;
  /** True for messages between nodes. */
  readonly peer: boolean;
  /** True for a stream that may pause between two messages: it has keep-alives of its own. @default false */
  readonly mayPause?: boolean;
}

/** The part of a request that is received. */
export type Body = Pick<Request, "headers" | "body" | "arrayBuffer">;

/** Read at once when not over this: a web stream for each small request costs more than the request. */
const SMALL_BYTES = 64 * 1024;

/** Bun holds what has arrived of a body, whether it is read or not: reading on lets it go. */
const HOLDS_UNREAD = "Bun" in globalThis;

/** The least average size, in bytes, of the pieces in which a body or a message arrives: each costs as much as thousands of bytes. */
const MIN_PIECE_BYTES = 256;
/** As many pieces may be of any size. */
const FREE_PIECES = 8 * 1024;

/** Bodies over this many bytes are handed on in turn: to decode one takes milliseconds, in which nothing else runs. */
const LARGE_BYTES = 256 * 1024;
/** The bytes in a millisecond at which they are, so that decoding leaves most of the time to others. JSON takes longest. */
const BINARY_BYTES_PER_MS = 32 * 1024;
const JSON_BYTES_PER_MS = 8 * 1024;

/** Receives the bodies of all requests to a node. */
export class BodyReceiver {
  /** The bytes that all bodies share. */
  readonly budget: ByteBudget;
  readonly #timeoutMs: number;
  /** When the next large body may be handed on. */
  #nextLargeMs = 0;

  /** Receives nothing yet. */
  constructor({ maxReceiveBytes = 64 * 1024 * 1024, bodyTimeoutMs = 30_000 }: BodyReceiverOptions = {}) {
    this.budget = new ByteBudget(maxReceiveBytes);
    this.#timeoutMs = bodyTimeoutMs;
  }

  /**
   * Reads a whole body, and counts it until `answer` is done. A body that is refused is not read on.
   *
   * @throws {RaftError} `too_large`; `busy` if other bodies take the room; `timeout` if it doesn't end in time;
   * `aborted` if the client is gone; and what `answer` throws
   */
  async whole<T>(request: Body, kind: BodyKind, answer: (bytes: Uint8Array<ArrayBuffer>) => Promise<T>): Promise<T> {
    const body = new Arriving(request, this.#timeoutMs);
    const { share, maxBytes } = this.#open(kind, body);
    try {
      const bytes = await receive(body, maxBytes, share);
      share.arrived();
      if (bytes.length > LARGE_BYTES) await this.#turnOf(request, bytes.length);
      return await answer(bytes);
    } finally {
      share.release();
    }
  }

  /**
   * Returns the frames of a stream, each of them whole: the decoder that follows would
   * allocate what a frame declares, and look through all pieces at each new one.
   *
   * @param check Called for each frame; ends the stream by an error.
   */
  frames(request: Body, kind: BodyKind, check: (frame: Uint8Array) => void): ReceivedFrames {
    const body = new Arriving(request, this.#timeoutMs);
    const { share, maxBytes } = this.#open(kind, body);
    const reader = new FrameReader(maxBytes, share);
    return new Frames(body, reader, check, kind.mayPause ?? false, () => share.release());
  }

  /** Resolves when a large body may be handed on. */
  async #turnOf({ headers }: Body, bytes: number): Promise<void> {
    const isJson = headers.get("content-type")?.includes("json") ?? false;
    const nowMs = performance.now();
    const dueMs = Math.max(nowMs, this.#nextLargeMs);
    this.#nextLargeMs = dueMs + bytes / (isJson ? JSON_BYTES_PER_MS : BINARY_BYTES_PER_MS);
    // At most five seconds for all that are held at a time.
    if (dueMs > nowMs) await new Promise((resolve) => setTimeout(resolve, dueMs - nowMs));
  }

  #open({ peer, maxBytes }: BodyKind, body: Arriving): { readonly share: ByteShare; readonly maxBytes: number } {
    // Large bodies that have arrived, and wait for their turn, must leave room for small ones.
    const isSmall = body.statedBytes <= SMALL_BYTES;
    const spareBytes = peer ? 0 : Math.floor(this.budget.maxBytes * (isSmall ? 1 / 4 : 3 / 8));
    const share = this.budget.open({ spareBytes, refuse: (error) => body.fail(error) });
    return { share, maxBytes: Math.min(maxBytes, this.budget.maxBytes - spareBytes) };
  }
}

async function receive(body: Arriving, maxBytes: number, share: ByteShare): Promise<Uint8Array<ArrayBuffer>> {
  const { statedBytes } = body;
  if (statedBytes > maxBytes) throw tooLarge(maxBytes);
  if (statedBytes <= SMALL_BYTES) {
    share.take(statedBytes);
    return await body.whole();
  }
  // A body that would be refused in the end is not read: that costs as much as to receive it.
  if (!Number.isNaN(statedBytes) && !HOLDS_UNREAD) share.expect(statedBytes);
  const received = new GrowingBytes(share);
  try {
    body.expect(true);
    for (;;) {
      const piece = await body.next();
      if (piece === null) return received.take();
      if (received.length + piece.length > maxBytes) throw tooLarge(maxBytes);
      received.append(piece, maxBytes);
    }
  } finally {
    body.close();
  }
}

/** Reads a body, and gives up if it stops while more is expected. */
class Arriving {
  readonly #request: Body;
  readonly #timeoutMs: number;
  #reader: PieceReader | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failure: RaftError | null = null;
  #failed: ((error: RaftError) => void) | null = null;
  /** The pieces that are still allowed. */
  #pieces = FREE_PIECES;

  constructor(request: Body, timeoutMs: number) {
    this.#request = request;
    this.#timeoutMs = timeoutMs;
  }

  /** The declared length; 0 without a body, NaN if none is declared. A body is as long as declared, or fails. */
  get statedBytes(): number {
    const stated = this.#request.headers.get("content-length");
    return this.#request.body === null ? 0 : stated === null ? NaN : Number(stated);
  }

  /** Reads all of a body at once. @throws {RaftError} the reason why it ended early */
  async whole(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#request.body === null) return new Uint8Array(0);
    this.expect(true);
    try {
      return await new Promise((resolve, reject) => {
        this.#failed = reject;
        this.#request.arrayBuffer().then(
          (bytes) => resolve(new Uint8Array(bytes)),
          (cause) => reject(goneError(cause)),
        );
      });
    } finally {
      this.expect(false);
    }
  }

  /** Starts the time in which what is expected has to arrive, unless it runs already; or stops it. */
  expect(more: boolean): void {
    if (more) this.#timer ??= setTimeout(() => this.fail(lateError(this.#timeoutMs)), this.#timeoutMs);
    else {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#pieces = FREE_PIECES;
    }
  }

  /** Returns the next piece, `null` at the end. @throws {RaftError} the reason why it ended early */
  async next(): Promise<Uint8Array | null> {
    if (this.#failure !== null) throw this.#failure;
    const { body } = this.#request;
    if (body !== null) this.#reader ??= new PieceReader(body);
    try {
      const piece = await this.#reader?.read() ?? null;
      this.#pieces += (piece?.length ?? 0) / MIN_PIECE_BYTES - 1;
      if (this.#pieces < 0) this.#failure ??= malformed(`it arrives in pieces of less than ${MIN_PIECE_BYTES} bytes`);
      if (this.#failure === null) return piece;
    } catch (error) {
      this.#failure ??= goneError(error);
    }
    throw this.#failure;
  }

  /** Ends it with an error. */
  fail(error: RaftError): void {
    this.#failure = error;
    this.#failed?.(error);
    this.close();
  }

  /** Reads no more, and lets the other side know. */
  close(): void {
    this.expect(false);
    this.#reader?.cancel();
  }
}

/** The frames of a stream. Their bytes are given back once they are read to the end, or `return` was called. */
export interface ReceivedFrames extends AsyncIterableIterator<Uint8Array> {
  /** Reads no more. Does nothing the second time. */
  return(): Promise<IteratorResult<Uint8Array>>;
}

class Frames implements ReceivedFrames {
  readonly #body: Arriving;
  readonly #reader: FrameReader;
  readonly #check: (frame: Uint8Array) => void;
  readonly #mayPause: boolean;
  readonly #onEnd: () => void;
  #complete: Iterator<Uint8Array, void>;
  #ended = false;

  constructor(
    body: Arriving,
    reader: FrameReader,
    check: (frame: Uint8Array) => void,
    mayPause: boolean,
    onEnd: () => void,
  ) {
    this.#body = body;
    this.#reader = reader;
    this.#check = check;
    this.#mayPause = mayPause;
    this.#onEnd = onEnd;
    this.#complete = reader.push(new Uint8Array(0));
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    try {
      while (!this.#ended) {
        const frame = this.#complete.next();
        if (!frame.done) {
          this.#check(frame.value);
          return frame;
        }
        this.#body.expect(!this.#mayPause || this.#reader.inFrame);
        const piece = await this.#body.next();
        // Its share is released: what arrives after the end must not be counted.
        if (this.#ended) break;
        if (piece !== null) this.#complete = this.#reader.push(piece);
        else if (this.#reader.inFrame) throw malformed("the stream ends within a message");
        else break;
      }
      return await this.return();
    } catch (error) {
      await this.return();
      // No interceptor sees it on its way to the answer.
      throw toConnectError(error);
    }
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.#ended = true;
    this.#body.close();
    this.#onEnd();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(): Promise<IteratorResult<Uint8Array>> {
    return this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function lateError(timeoutMs: number): RaftError {
  return withoutStack(() => new RaftError("timeout", `the body did not arrive within ${timeoutMs} ms`));
}

function goneError(cause: unknown): RaftError {
  return withoutStack(() => new RaftError("aborted", "the client went away before the body ended", { cause }));
}
