/**
 * Changes as server-sent events.
 *
 * @module
 */

import type { KeyValueChange } from "../lib/kv/watch.ts";
import { jsonBytes } from "./http_bytes.ts";
import { problemOf } from "./problem.ts";

/** A comment so often keeps proxies from cutting a quiet stream. */
const KEEP_ALIVE_MS = 15_000;

/** One change as an event; its id is the version, so that a client goes on where it was. */
function eventOf(change: KeyValueChange): string {
  const data = JSON.stringify({
    ...jsonBytes("key", change.key),
    ...(change.value === null ? {} : jsonBytes("value", change.value)),
    version: change.version,
  });
  return `id: ${change.version}\nevent: ${change.type}\ndata: ${data}\n\n`;
}

/**
 * Answers with a stream of events `put` and `delete`. If the watch fails, a last
 * event `problem` says why; the client's going away ends it silently.
 *
 * @param open Begins the watch; ended by the signal.
 * @throws {RaftError} what the watch fails with at once.
 */
export async function watchResponse(
  open: (signal: AbortSignal) => AsyncIterableIterator<KeyValueChange>,
  client: AbortSignal,
): Promise<Response> {
  const ended = new AbortController();
  client.addEventListener("abort", () => ended.abort());
  const changes = open(ended.signal);
  // What can't even begin (changes that are no longer kept) is an answer of its own.
  let first: Promise<IteratorResult<KeyValueChange>> | null = changes.next();
  await Promise.race([first, new Promise((resolve) => setTimeout(resolve, 0))]);
  const encoder = new TextEncoder();
  let keepAlive: ReturnType<typeof setInterval> | undefined;

  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      // Something at once, so that the client sees its headers.
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
