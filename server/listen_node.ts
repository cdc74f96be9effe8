/**
 * Listening under Node and Bun. Neither serves HTTP/1.1 and h2c on one port by
 * itself, so a plain TCP server looks at the first bytes of each connection
 * (HTTP/2 begins with `PRI`) and hands the socket to one of two HTTP servers.
 */

import { getRequestListener } from "@hono/node-server";
import { Buffer } from "node:buffer";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import type { Duplex } from "node:stream";
import { urlHost } from "./addresses.ts";
import { breakers } from "../transport/connect/mod.ts";
import { messageOf } from "../lib/node/errors.ts";
import { Connections } from "./connections.ts";
import type { Connection } from "./connections.ts";
import type { Listener, ListenOptions } from "./listener.ts";
import { listenError, noRoom } from "./listener.ts";
import { Pipelines } from "./pipelines.ts";
import { badRequest, refusedHead } from "./request_head.ts";
import { RequestTurns } from "./request_turns.ts";
import { openPort } from "./shared_port.ts";

/** Reads just enough of a socket to recognize its protocol, and pushes the bytes back. */
function sniff(socket: net.Socket, decided: (http2: boolean) => void): void {
  let seen = Buffer.alloc(0);
  const stop = (): void => {
    socket.off("readable", onReadable).off("error", ignore).off("close", stop);
  };
  // Without a listener a reset before the first byte would end the process.
  const ignore = (): void => {};
  // Read only when readable: in flowing mode an HTTP/2 session would lose the bytes that were pushed back.
  const onReadable = (): void => {
    const bytes: Uint8Array | null = socket.read();
    if (bytes === null) return;
    seen = Buffer.concat([seen, bytes]);
    const start = seen.toString("latin1", 0, 3);
    if (start.length < 3 && "PRI".startsWith(start)) return;
    stop();
    socket.unshift(seen);
    decided(start === "PRI");
  };
  socket.on("readable", onReadable).on("error", ignore).on("close", stop);
}

type Incoming = http.IncomingMessage | http2.Http2ServerRequest;
type Outgoing = http.ServerResponse | http2.Http2ServerResponse;

/** The largest head of a request, in bytes and in headers: those of `Deno.serve`. */
const MAX_HEAD_BYTES = 64 * 1024;
const MAX_HEADERS = 100;

/** Returns the answer to a request that must not reach the handler; `null` for any other. */
function refused(incoming: Incoming): Response | null {
  const { method = "", url = "", headers, rawHeaders, httpVersionMajor } = incoming;
  const names = rawHeaders.filter((_, at) => at % 2 === 0);
  const hosts = names.filter((name) => name.toLowerCase() === "host").length;
  const authority = headers[":authority"]?.toString();
  const version = authority === undefined ? 1 : 2;
  if (httpVersionMajor !== version || hosts > 1 || names.length > MAX_HEADERS) return badRequest();
  // Like `Deno.serve`: OPTIONS * asks about the server, for which the root stands.
  if (method === "OPTIONS" && url === "*") incoming.url = "/";
  const target = authority === undefined ? incoming.url : `http://${authority}${url}`;
  const refusal = refusedHead({ method, target: target ?? "", authority: headers.host ?? authority ?? null });
  if (refusal !== null) return refusal;
  // node-server takes a host only in the form that URLs have: no long forms of IPv6.
  if (headers.host !== undefined) headers.host = new URL(`http://${headers.host}`).host;
  if (authority !== undefined) headers[":authority"] = new URL(`http://${authority}`).host;
  return null;
}

/** The most bytes of a body that are read on, so that its client gets to the answer, once that has been given. */
const MAX_DRAIN_BYTES = 256 * 1024;

/** Cuts a client off that goes on with a body after its answer. node-server alone would read on for 64 MB. */
function limitDrain(incoming: http.IncomingMessage, outgoing: Outgoing): void {
  outgoing.once("finish", () => {
    if (incoming.complete) return;
    let bytes = 0;
    incoming.on("data", (chunk: Uint8Array) => {
      // Small pieces cost as much as larger ones.
      bytes += Math.max(chunk.length, 256);
      if (bytes > MAX_DRAIN_BYTES) incoming.socket.destroy();
    });
  });
}

async function send(response: Response, outgoing: Outgoing): Promise<void> {
  const body = new Uint8Array(await response.arrayBuffer());
  const headers = { ...Object.fromEntries(response.headers), "content-length": body.length };
  (outgoing as http.ServerResponse).writeHead(response.status, headers).end(body);
}

/** Ends an answer whose client does not read. */
function breakOff(outgoing: Outgoing): void {
  if ("stream" in outgoing) outgoing.stream.close(http2.constants.NGHTTP2_CANCEL);
  else outgoing.destroy();
}

/** Gives a response without a body its length, as `Deno.serve` does; node-server would send an empty chunk. */
async function withLength(answer: Response | Promise<Response>): Promise<Response> {
  const response = await answer;
  const { headers, body, status } = response;
  if (body === null && status !== 204 && status !== 304 && !headers.has("content-length")) {
    headers.set("content-length", "0");
  }
  return response;
}

/** Reports whether a response is a stream that may be cut off, and not one body. */
function isStream({ headers }: Response): boolean {
  return /^(text\/event-stream|application\/connect\+)/.test(headers.get("content-type") ?? "");
}

/** Cuts the connection where a stream fails: node-server would print the reason, with its stack, past the log. */
async function cuttingQuietly(answer: Promise<Response>, outgoing: Outgoing): Promise<Response> {
  const response = await answer;
  if (response.body === null || !isStream(response)) return response;
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        outgoing.destroy(error instanceof Error ? error : undefined);
        controller.close();
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
  return new Response(body, response);
}

/** The most streams of an HTTP/2 connection at a time: as many as under Deno. */
const MAX_STREAMS = 200;

/** The two HTTP servers; neither listens by itself. */
function httpServers(
  options: ListenOptions,
  connections: Connections,
  turns: RequestTurns,
  connectionOf: (incoming: Incoming) => Connection | undefined,
): { plain: http.Server; h2: http2.Http2Server; pipelines: Pipelines } {
  const answered = (request: Request, { outgoing }: { readonly outgoing: Outgoing }): Promise<Response> => {
    breakers.set(request, () => breakOff(outgoing));
    return cuttingQuietly(withLength(options.handler(request)), outgoing);
  };
  const handle = getRequestListener(answered, {
    hostname: urlHost(options.hostname),
    overrideGlobalObjects: false,
    errorHandler: () => new Response(null, { status: 500 }),
  });
  const begin = async (incoming: Incoming, outgoing: Outgoing): Promise<void> => {
    const connection = connectionOf(incoming);
    const isFirst = connection?.isFresh ?? true;
    const taken = connection === undefined || connections.begin(connection, incoming.url ?? "");
    if (connection !== undefined) {
      outgoing.once("close", () => connections.done(connection, incoming.aborted || !outgoing.writableEnded));
    }
    // In HTTP/2 a reset that came with the request is seen in the meantime, and spares the work.
    if (incoming instanceof http2.Http2ServerRequest) await new Promise((resolve) => setImmediate(resolve));
    const turn = turns.next(incoming.url ?? "", isFirst);
    if (turn !== null) await turn;
    if ("stream" in incoming ? incoming.stream.destroyed : incoming.socket.destroyed) return;
    const refusal = taken ? refused(incoming) : noRoom();
    if (refusal !== null) send(refusal, outgoing).catch(() => breakOff(outgoing));
    else void handle(incoming, outgoing);
  };
  // A fault of one request must not end the process.
  const start = (incoming: Incoming, outgoing: Outgoing): void =>
    void begin(incoming, outgoing).catch(() => breakOff(outgoing));
  const pipelines = new Pipelines();
  const answer = (incoming: Incoming, outgoing: Outgoing): void => {
    if ("stream" in incoming) return start(incoming, outgoing);
    limitDrain(incoming, outgoing);
    const { "content-length": length, "transfer-encoding": coding } = incoming.headers;
    const hasBody = length !== undefined || coding !== undefined;
    pipelines.add(incoming.socket, outgoing, hasBody, () => start(incoming, outgoing));
  };
  const plain = http.createServer({
    headersTimeout: 10_000,
    requestTimeout: 60_000,
    keepAliveTimeout: connections.idleTimeoutMs,
    maxHeaderSize: MAX_HEAD_BYTES,
    requireHostHeader: false,
  }, answer);
  const h2 = http2.createServer({ settings: { maxConcurrentStreams: MAX_STREAMS } }, answer);
  // Like `Deno.serve`: an expectation other than 100-continue is ignored.
  plain.on("checkExpectation", answer);
  const cutOff = (socket: Duplex): void => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    else socket.destroy();
  };
  plain.on("clientError", (_error, socket) => cutOff(socket));
  plain.on("connect", (_request, socket) => {
    // The parser has let go of the socket.
    socket.removeAllListeners("data").resume();
    cutOff(socket);
  });
  h2.on("sessionError", () => {});
  return { plain, h2, pipelines };
}

/** Opens a port with a TCP server in front of two HTTP servers. */
export async function listenNode(options: ListenOptions): Promise<Listener> {
  const connections = new Connections(options.limits ?? {}, options.logger);
  /** The connection of each socket, and of each session. */
  const owners = new WeakMap<object, Connection>();
  const turns = new RequestTurns();
  const { plain, h2, pipelines } = httpServers(options, connections, turns, (incoming) => {
    const owner = "stream" in incoming ? incoming.stream.session : incoming.socket;
    return owner === undefined ? undefined : owners.get(owner);
  });
  const sessions = new Set<http2.ServerHttp2Session>();
  h2.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });

  const accept = (socket: net.Socket): void => {
    // node:http removes its listeners from a socket that asks for a tunnel; a reset would then end the process.
    socket.on("error", () => {});
    const connection = connections.add(() => void socket.destroy());
    if (connection === null) return void socket.destroy();
    turns.accepted();
    owners.set(socket, connection);
    socket.on("close", () => connections.closed(connection));
    sniff(socket, (isHttp2) => {
      if (!isHttp2) {
        plain.emit("connection", socket);
        return pipelines.watch(socket, () => connections.heads(connection));
      }
      h2.once("session", (session) => void owners.set(session, connection));
      h2.emit("connection", socket);
    });
  };
  const create = () => net.createServer({ noDelay: true }, accept);
  const acceptFailed = (error: Error): void => connections.failed(messageOf(error));
  const servers = await openPort(create, options, acceptFailed).catch((error) => {
    throw listenError(options, error);
  });
  const address = servers[0]!.address() as net.AddressInfo;
  // The check for slow requests starts when a server listens; this one is fed instead.
  plain.emit("listening");

  return {
    hostname: address.address,
    port: address.port,
    get counts() {
      return connections.counts;
    },
    async close(graceMs = 1000) {
      const closed = Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      plain.closeIdleConnections();
      for (const session of sessions) session.close();
      await connections.close(graceMs);
      await closed;
      plain.close();
    },
  };
}
