/**
 * Bodies of requests and answers.
 */

import { concatBytes } from "../../lib/bytes.ts";

/** Reports whether the body is a stream of messages, each of which has to arrive by itself. */
export function streams(headers: Headers | undefined): boolean {
  return headers?.get("content-type")?.startsWith("application/connect+") ?? false;
}

/** Collects a body to its end. */
export async function collected(body: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  // Connect and the runtimes share no memory between threads.
  return concatBytes(await Array.fromAsync(body)) as Uint8Array<ArrayBuffer>;
}

/** Reads a body as it arrives. Not every browser iterates over streams. */
export function chunksOf(body: ReadableStream<Uint8Array> | null): AsyncIterableIterator<Uint8Array> {
  const reader = body?.getReader();
  const done = { done: true, value: undefined } as const;
  /** Does nothing after the end; before it, lets the other side know. */
  const cancel = async (reason?: unknown) => {
    await reader?.cancel(reason).catch(() => {});
    return done;
  };
  return {
    async next() {
      const read = await reader?.read();
      return read === undefined || read.done ? done : read;
    },
    return: () => cancel(),
    throw: cancel,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
