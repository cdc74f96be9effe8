/**
 * Changes as server-sent events.
 */

import type { KeyValueChange } from "../lib/kv/watch.ts";
import { jsonEntry } from "./http_bytes.ts";
import { problemOf } from "./problem.ts";

/** The interval of comments that keep proxies from cutting a quiet stream. */
const KEEP_ALIVE_MS = 15_000;

/** Formats a change as an event; its id is the version, so that a client can continue after it. */
function eventOf(change: KeyValueChange): string {
  return `id: ${change.version}\nevent: ${change.type}\ndata: ${JSON.stringify(jsonEntry(change))}\n\n`;
}

/**
 * Returns a stream of `put` and `delete` events. If the watch fails, the last event
 * is a `problem`; it ends silently when the client goes away.
 *
 * @param open Begins the watch; the signal ends it.
 * @throws {RaftError} if the watch fails at once.
 */
export async function watchResponse(
  open: (signal: AbortSignal) => AsyncIterableIterator<KeyValueChange>,
  client: AbortSignal,
): Promise<Response> {
  const ended = new AbortController();
  client.addEventListener("abort", () => ended.abort());
  const changes = open(ended.signal);
  // A watch that can't begin (of changes that are no longer kept) is a problem response.
  let first: Promise<IteratorResult<KeyValueChange>> | null = changes.next();
  await Promise.race([first, new Promise((resolve) => setTimeout(resolve, 0))]);
  const encoder = new TextEncoder();
  let keepAlive: ReturnType<typeof setInterval> | undefined;

  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      // Sent at once, so that the client receives the headers.
      controller.enqueue(encoder.encode(": watching\n\n"));
      keepAlive = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(":\n\n"));
      }, KEEP_ALIVE_MS);
    },
    async pull(controller) {
      try {
        const { done, value } = await (first ?? changes.next());
        first = null;
        if (ended.signal.aborted) return;
        if (!done) return controller.enqueue(encoder.encode(eventOf(value)));
      } catch (error) {
        if (ended.signal.aborted) return;
        controller.enqueue(encoder.encode(`event: problem\ndata: ${JSON.stringify(problemOf(error))}\n\n`));
      }
      clearInterval(keepAlive);
      controller.close();
    },
    async cancel() {
      clearInterval(keepAlive);
      ended.abort();
      await changes.return?.();
    },
  });
  return new Response(stream, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
}
