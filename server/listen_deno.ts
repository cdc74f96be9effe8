/**
 * Listening under Deno: `Deno.serve` takes HTTP/1.1 and h2c on one port.
 */

import type { Listener, ListenOptions } from "./listener.ts";
import { listenError } from "./listener.ts";
import { refusedHead } from "./request_head.ts";
import type { RequestHead } from "./request_head.ts";

/** Created once: an exception with its stack is expensive, and each request would create one. */
const OVER = new DOMException("the response was delivered or cut off", "AbortError");

/**
 * Gives the request a signal that aborts once the response is delivered or cut
 * off. Deno's own would do so too, but warns in the log that this will change.
 */
function withSignal(request: Request, completed: Promise<void>): Request {
  let ended: AbortController | null = null;
  let over = false;
  const end = (): void => {
    over = true;
    ended?.abort(OVER);
  };
  completed.then(end, end);
  return Object.defineProperty(request, "signal", {
    get() {
      if (ended === null) {
        ended = new AbortController();
        if (over) ended.abort(OVER);
      }
      return ended.signal;
    },
  });
}

/** Returns the head of a request. Its URL is the raw one, behind the Host or what stands for it. */
function headOf({ method, url, headers }: Request): RequestHead {
  return { method, target: url, authority: headers.get("host") ?? /^https?:\/\/([^/]*)/.exec(url)?.[1] ?? null };
}

/** Opens a port with `Deno.serve`. */
export function listenDeno(options: ListenOptions): Listener {
  const abort = new AbortController();
  let active = 0;
  let idle: (() => void) | null = null;
  const ended = (): void => {
    if (--active === 0) idle?.();
  };
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({
      hostname: options.hostname,
      port: options.port,
      signal: abort.signal,
      onListen() {},
      onError: () => new Response(null, { status: 500 }),
    }, (request, { completed }) => {
      active++;
      completed.then(ended, ended);
      return refusedHead(headOf(request)) ?? options.handler(withSignal(request, completed));
    });
  } catch (error) {
    throw listenError(options, error);
  }
  return {
    hostname: server.addr.hostname,
    port: server.addr.port,
    // Not `shutdown`: after it, streams that don't end can no longer be cut off.
    async close(graceMs = 1000) {
      if (active > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, graceMs);
          idle = () => (clearTimeout(timer), resolve());
        });
      }
      abort.abort();
      await server.finished;
    },
  };
}
