/**
 * The messages of a stream: each one behind its flags, and its length in four bytes.
 */

import { GrowingBytes } from "../../lib/growing_bytes.ts";
import type { ByteShare } from "../../lib/byte_budget.ts";
import { RaftError, withoutStack } from "../../lib/errors.ts";

/** The bytes before each message. */
export const FRAME_HEADER_BYTES = 5;

/** Puts whole frames together from the pieces in which a stream arrives. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #share: ByteShare | null;
  readonly #partial: GrowingBytes;

  /**
   * @param maxBytes the largest message
   * @param share counts the bytes of the frame that is incomplete
   */
  constructor(maxBytes: number, share: ByteShare | null = null) {
    this.#maxBytes = maxBytes;
    this.#share = share;
    this.#partial = new GrowingBytes(share);
  }

  /** True if the next frame has begun to arrive. */
  get inFrame(): boolean {
    return this.#partial.length > 0;
  }

  /** Adds a piece, and yields each frame that is complete now, header included. @throws {RaftError} `too_large`, or `busy` */
  *push(piece: Uint8Array): Generator<Uint8Array> {
    let at = 0;
    while (at < piece.length) {
      const rest = piece.length - at;
      if (!this.inFrame && rest >= FRAME_HEADER_BYTES) {
        const size = this.#frameSize(piece, at);
        if (rest >= size) {
          yield piece.subarray(at, at += size);
          continue;
        }
      }
      const { head, length } = this.#partial;
      const wanted = length < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : this.#frameSize(head, 0);
      this.#partial.append(
        piece.subarray(at, at += Math.min(wanted - length, rest)),
        FRAME_HEADER_BYTES + this.#maxBytes,
      );
      if (!this.#complete) continue;
      yield this.#partial.take();
      this.#share?.release();
    }
  }

  get #complete(): boolean {
    const { head, length } = this.#partial;
    return length >= FRAME_HEADER_BYTES && length === this.#frameSize(head, 0);
  }

  #frameSize(bytes: Uint8Array, at: number): number {
    const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(1);
    if (length > this.#maxBytes) throw tooLarge(this.#maxBytes);
    return FRAME_HEADER_BYTES + length;
  }
}

/** The largest message of a stream that a client reads: the largest of a node, and a little. */
const MAX_ANSWER_BYTES = 33 * 1024 * 1024;

/**
 * Returns the same response; if it streams messages, so that each of them arrives whole and within a limit. The
 * decoder behind it would allocate whatever a header declares.
 */
export function wholeFrames(response: Response): Response {
  const { body, headers, status, statusText } = response;
  if (body === null || !headers.get("content-type")?.startsWith("application/connect+")) return response;
  const source = body.getReader();
  const reader = new FrameReader(MAX_ANSWER_BYTES);
  const frames = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        for (let sent = false; !sent;) {
          const { done, value } = await source.read();
          // The decoder tells if the last frame is incomplete: it then gets no end of the stream.
          if (done) return controller.close();
          for (const frame of reader.push(value)) {
            controller.enqueue(frame);
            sent = true;
          }
        }
      } catch (error) {
        source.cancel(error).catch(() => {});
        throw error;
      }
    },
    cancel: (reason) => source.cancel(reason),
  });
  return new Response(frames as ReadableStream<Uint8Array<ArrayBuffer>>, { status, statusText, headers });
}

/** Returns the error for a message over its limit. */
export function tooLarge(maxBytes: number): RaftError {
  const message = `the message is larger than this node takes: the limit is ${maxBytes} bytes`;
  return withoutStack(() => new RaftError("too_large", message));
}
