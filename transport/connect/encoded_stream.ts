/**
 * Streams of messages that were encoded before, once for all clients.
 *
 * @module
 */

import { createContextKey } from "@connectrpc/connect";
import type { ContextKey } from "@connectrpc/connect";
import { SlicedBody } from "./sliced_body.ts";

/** The answer of a call that streams. */
export class EncodedStream {
  /** The format of its messages. */
  readonly format: "proto" | "json";
  /** Carries it to the client. */
  readonly body: SlicedBody = new SlicedBody();
  readonly #frames: Uint8Array[] = [];

  /** Creates a stream without messages; the format follows from the content type of the request. */
  constructor(contentType: string) {
    this.format = contentType.includes("json") ? "json" : "proto";
  }

  /** Sends a message with its envelope, in place of the next message that the method yields: an empty one. */
  send(frame: Uint8Array): void {
    this.#frames.push(frame);
  }

  /** Returns the frame to send for one that Connect has made. */
  replace(frame: Uint8Array): Uint8Array {
    // Without a flag it is a message, and not the end of the stream.
    return frame[0] === 0 ? this.#frames.shift() ?? frame : frame;
  }
}

/** Returns a message of a stream with its envelope, for {@linkcode EncodedStream.send}. */
export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(5 + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, 5);
  return frame;
}

/** The context value that holds the answer's stream, for the implementation of a method that streams. */
export const encodedStream: ContextKey<EncodedStream | null> = createContextKey<EncodedStream | null>(null, {
  description: "the stream of the answer",
});
