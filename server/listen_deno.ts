/**
 * Listening under Deno: `Deno.serve` takes HTTP/1.1 and h2c on one port.
 *
 * @module
 */

import type { Listener, ListenOptions } from "./listen.ts";
import { listenError } from "./listen.ts";

/**
 * Gives the request a signal that aborts once the response is delivered or cut
 * off. Deno's own would do so too, but warns in the log that this will change.
 */
function withSignal(request: Request, completed: Promise<void>): Request {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  completed.then(end, end);
  return Object.defineProperty(request, "signal", { value: ended.signal });
}

/** See {@linkcode Listener}. */
export function listenDeno(options: ListenOptions): Listener {
  const abort = new AbortController();
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({
      hostname: options.hostname,
      port: options.port,
      signal: abort.signal,
      onListen() {},
      onError: () => new Response(null, { status: 500 }),
    }, (request, { completed }) => options.handler(withSignal(request, completed)));
  } catch (error) {
    throw listenError(options, error);
  }
  return {
    hostname: server.addr.hostname,
    port: server.addr.port,
    async close(graceMs = 1000) {
      const cut = setTimeout(() => abort.abort(), graceMs);
      try {
        await server.shutdown();
        await server.finished;
      } finally {
        clearTimeout(cut);
      }
    },
  };
}
