/**
 * Listening under Deno, whose HTTP server takes HTTP/1.1 and h2c on one port.
 *
 * `Deno.serve` has no limits: connections are neither counted nor timed, and an
 * accept error ends the process. So this accepts connections itself, and hands each
 * to the function that `Deno.serve` hands them to. (node:http and node:http2 would
 * do, as under Node; but Deno's break off kept connections, and cost several times
 * as much.)
 */

import { messageOf } from "../lib/node/errors.ts";
import { Connections, HEADERS_TIMEOUT_MS } from "./connections.ts";
import type { Connection } from "./connections.ts";
import type { FetchHandler, Listener, ListenOptions } from "./listener.ts";
import { BACKLOG, listenError, noRoom } from "./listener.ts";
import { badRequest, refusedHead } from "./request_head.ts";
import type { RequestHead } from "./request_head.ts";
import { RequestTurns } from "./request_turns.ts";

type Answer = (
  request: Request,
  info: { readonly completed: Promise<void> },
) => Response | Promise<Response>;

/** Serves HTTP on one connection. Part of Deno that has no public name, with its place checked before use. */
type ServeConnection = (
  connection: Deno.Conn,
  signal: { addEventListener(type: "abort", cut: () => void): void },
  answer: Answer,
  onError: () => Response,
  onListen: () => void,
) => { readonly finished: Promise<void> };

/** The pause after an accept error: at the limit of descriptors only time, or another's end, helps. */
const ACCEPT_PAUSE_MS = 50;

/** Reports whether a client broke off its connection before it was accepted: an everyday thing. */
function brokeOff(error: unknown): boolean {
  const { NotConnected, ConnectionReset, ConnectionAborted } = Deno.errors;
  return [NotConnected, ConnectionReset, ConnectionAborted].some((kind) => error instanceof kind);
}

/** Returns Deno's function for one connection. @throws {Error} if this Deno has none */
function serveConnection(): ServeConnection {
  const { internal } = Deno as unknown as { readonly internal: symbol };
  const internals = Reflect.get(Deno, internal) as { readonly serveHttpOnConnection?: ServeConnection } | undefined;
  if (internals?.serveHttpOnConnection !== undefined) return internals.serveHttpOnConnection;
  throw new Error(`this version of Deno, ${Deno.version.deno}, can't limit connections; use Deno 2.9, Node or Bun`);
}

/** Has Deno not warn that signals will no longer fire after an answer: nothing here relies on that. */
function withoutSignalWarning(): void {
  const { warn } = console;
  const filtered = (...values: unknown[]): void => {
    if (!String(values[0]).startsWith("Deno.serve: request.signal aborts on successful")) return warn(...values);
    // It warns once.
    if (console.warn === filtered) console.warn = warn;
  };
  console.warn = filtered;
}
let warningIsOff = false;

/** Returns the head of a request. Its URL is the raw one, behind the Host or what stands for it. */
function headOf({ method, url, headers }: Request): RequestHead {
  return { method, target: url, authority: headers.get("host") ?? /^https?:\/\/([^/]*)/.exec(url)?.[1] ?? null };
}

/** Returns a function that answers the requests of one connection. */
function answering(
  handler: FetchHandler,
  connections: Connections,
  turns: RequestTurns,
  connection: Connection,
): Answer {
  return async (request, { completed }) => {
    const isFirst = connection.isFresh;
    const taken = connections.begin(connection, request.url);
    const { signal } = request;
    let aborted = false;
    completed.then(() => connections.done(connection, aborted), () => connections.done(connection, true));
    if (!taken) return noRoom();
    try {
      const turn = turns.next(request.url, isFirst);
      if (turn !== null) await turn;
      if (signal.aborted) return badRequest();
      return await (refusedHead(headOf(request)) ?? handler(request));
    } finally {
      // Afterwards it fires in any case.
      aborted = signal.aborted;
    }
  };
}

/** Opens a port. */
export function listenDeno(options: ListenOptions): Listener {
  const serve = serveConnection();
  if (!warningIsOff) withoutSignalWarning();
  warningIsOff = true;
  const limits = options.limits ?? {};
  // Of a kept connection Deno doesn't tell whether it is idle, or amid a slow head.
  const idleTimeoutMs = limits.idleTimeoutMs ?? limits.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
  const connections = new Connections({ ...limits, idleTimeoutMs }, options.logger);
  const turns = new RequestTurns();
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname: options.hostname, port: options.port, tcpBacklog: BACKLOG });
  } catch (error) {
    throw listenError(options, error);
  }
  const serving = new Set<Promise<void>>();
  const take = (socket: Deno.TcpConn): void => {
    let cut = (): void => {};
    const connection = connections.add(() => {
      try {
        cut();
      } catch {
        // It is closed already, and about to be reported so. (From a signal, this would end the process.)
      }
    });
    if (connection === null) return socket.close();
    socket.setNoDelay();
    const signal = { addEventListener: (_type: "abort", listener: () => void) => void (cut = listener) };
    const error = () => new Response(null, { status: 500 });
    const { finished } = serve(
      socket,
      signal,
      answering(options.handler, connections, turns, connection),
      error,
      () => {},
    );
    // A client that breaks off is an everyday thing.
    const ended = finished.catch(() => {}).then(() => {
      connections.closed(connection);
      serving.delete(ended);
    });
    serving.add(ended);
  };
  let closed = false;
  const accepting = (async () => {
    while (!closed) {
      try {
        take(await listener.accept());
      } catch (error) {
        if (closed) return;
        if (brokeOff(error)) continue;
        connections.failed(messageOf(error));
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  })();
  const { hostname, port } = listener.addr;
  return {
    hostname,
    port,
    get counts() {
      return connections.counts;
    },
    async close(graceMs = 1000) {
      closed = true;
      listener.close();
      await accepting;
      await connections.close(graceMs);
      await Promise.all(serving);
    },
  };
}
