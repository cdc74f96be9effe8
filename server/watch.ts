/**
 * Changes as server-sent events.
 */

import type { KeyValueChange } from "../lib/kv/watch.ts";
import { SlicedBody } from "../transport/connect/mod.ts";
import { jsonEntry } from "./http_bytes.ts";
import { problemOf } from "./problem.ts";
import type { EncodedWatch } from "./services/kv.ts";

/** The interval of comments that keep proxies from cutting a quiet stream. */
const KEEP_ALIVE_MS = 15_000;

/** The headers of the stream. */
export const WATCH_HEADERS = { "content-type": "text/event-stream", "cache-control": "no-store" };

const encoder = new TextEncoder();

/** Formats a change as an event; its id is the version, so that a client can continue after it. */
function eventOf(change: KeyValueChange): Uint8Array {
  return encoder.encode(
    `id: ${change.version}\nevent: ${change.type}\ndata: ${JSON.stringify(jsonEntry(change))}\n\n`,
  );
}

/** Yields a comment at once, so that the client receives the headers, then the events; a failure is the last one. */
async function* eventsOf(
  first: Promise<IteratorResult<Uint8Array>>,
  others: AsyncIterable<Uint8Array>,
  end: () => void,
): AsyncGenerator<Uint8Array> {
  yield encoder.encode(": watching\n\n");
  try {
    const { done, value } = await first;
    if (done) return;
    yield value;
    yield* others;
  } catch (error) {
    yield encoder.encode(`event: problem\ndata: ${JSON.stringify(problemOf(error))}\n\n`);
  } finally {
    end();
  }
}

/**
 * Returns a stream of `put` and `delete` events. If the watch fails, the last event
 * is a `problem`; it ends silently when the client goes away.
 *
 * @param open Begins the watch; the signal ends it.
 * @throws {RaftError} if the watch fails at once.
 */
export async function watchResponse(
  open: (options: Pick<EncodedWatch, "signal" | "stream" | "format" | "encode">) => AsyncGenerator<Uint8Array>,
  request: Request,
): Promise<Response> {
  const ended = new AbortController();
  request.signal.addEventListener("abort", () => ended.abort());
  const body = new SlicedBody();
  const events = open({ signal: ended.signal, stream: body, format: "events", encode: eventOf });
  // A watch that can't begin (of changes that are no longer kept) is a problem response.
  const first = events.next();
  await Promise.race([first, new Promise((resolve) => setTimeout(resolve, 0))]);
  first.catch(() => {});
  const keepAlive = setInterval(() => body.sendIdle(encoder.encode(":\n\n")), KEEP_ALIVE_MS);
  const end = (): void => {
    clearInterval(keepAlive);
    ended.abort();
    // Ends one that waits for a client which never began to read.
    events.return(undefined).catch(() => {});
  };
  const stream = body.stream(eventsOf(first, events, end), { request, cancel: end });
  return new Response(stream, { headers: WATCH_HEADERS });
}
