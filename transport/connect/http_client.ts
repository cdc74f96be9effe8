/**
 * Connect over `fetch`, in every runtime. A request's body is collected first:
 * Chromium and Node take a stream as body only in half duplex, which rules out
 * Connect's own fetch client. So this carries unary calls, and answers that
 * stream; not requests that stream.
 */

import type { Transport } from "@connectrpc/connect";
import type { UniversalClientFn, UniversalClientRequest, UniversalClientResponse } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-connect";
import { abortedError, RaftError } from "../../lib/errors.ts";
import { baseUrl } from "../wire/address.ts";
import type { SendUnary } from "../wire/admin_codec.ts";
import { fromConnectError } from "../wire/connect_errors.ts";
import { chunksOf, collected, streams } from "./bodies.ts";
import type { Fetch } from "./rpc_types.ts";

/** The largest answer that a client reads, in bytes. */
const READ_MAX_BYTES = 64 * 1024 * 1024;

/** Codes, in Node, Bun and Deno, of failures before there was a connection to send over. */
const NOT_SENT_CODES = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "UND_ERR_CONNECT_TIMEOUT",
  "ConnectionRefused",
]);

/**
 * Reports whether a failed call has surely not reached a server: there was no
 * connection. A browser doesn't say why a fetch failed, so there it is never sure.
 */
export function surelyNotSent(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const { code, errors, syscall } = at as { code?: unknown; errors?: unknown; syscall?: unknown };
    // An established connection may end with some of these codes too, long after the request left.
    const established = syscall === "read" || syscall === "write";
    if (typeof code === "string" && NOT_SENT_CODES.has(code) && !established) return true;
    if (Array.isArray(errors) && errors.length > 0 && errors.every(surelyNotSent)) return true;
    // Deno's fetch has no codes; its HTTP client names the phase that failed.
    if (at.message.includes("client error (Connect)")) return true;
  }
  return false;
}

/** Returns an HTTP client for Connect's transports. */
function bufferedHttpClient(fetch: Fetch = (url, init) => globalThis.fetch(url, init)): UniversalClientFn {
  return async (request) => {
    const body = request.body === undefined ? null : sentOnce(await collected(request.body));
    try {
      const response = await fetch(request.url, {
        method: request.method,
        headers: request.header,
        redirect: "error",
        ...(body instanceof ReadableStream ? { body, duplex: "half" } : { body }),
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      });
      return await universalResponse(response);
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason;
      throw unreachable(request, error);
    }
  };
}

/**
 * Returns a body that is sent at most once. Deno's fetch sends a POST again, on a new
 * connection, when one that was kept alive ends before the answer: a command
 * that the dying server has read could be applied twice, and if the port is
 * closed by then, the error would say that nothing was sent. It can't repeat a stream.
 */
function sentOnce(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> {
  if (!("Deno" in globalThis)) return bytes;
  return new ReadableStream({
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
}

/** Returns a Connect transport to a node, over {@linkcode bufferedHttpClient}. */
export function fetchTransport(address: string, fetch?: Fetch): Transport {
  return createTransport({
    baseUrl: baseUrl(address),
    httpClient: bufferedHttpClient(fetch),
    useBinaryFormat: true,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: 0xffffffff,
    readMaxBytes: READ_MAX_BYTES,
    writeMaxBytes: READ_MAX_BYTES,
  });
}

function unreachable(request: UniversalClientRequest, cause: unknown): unknown {
  const { host } = new URL(request.url);
  const rejected = surelyNotSent(cause);
  return new RaftError("unreachable", rejected ? `no node answers at ${host}` : `the connection to ${host} failed`, {
    outcome: rejected ? "rejected" : "unknown",
    hint: `Check that a node runs at ${host}.`,
    cause,
  });
}

/** Reads answers to their end at once, except streams, so that nothing stays open when the protocol rejects one. */
async function universalResponse(response: Response): Promise<UniversalClientResponse> {
  const { status, headers: header } = response;
  const body = streams(header) ? chunksOf(response.body) : only(new Uint8Array(await response.arrayBuffer()));
  return { status, header, body, trailer: new Headers() };
}

async function* only(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  if (chunk.length > 0) yield await Promise.resolve(chunk);
}

/** Runs one call; its error is a {@linkcode RaftError}, `aborted` or `timeout` if the caller's signal ended it. */
export async function called<T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
  if (signal?.aborted) throw abortedError(signal, "rejected");
  try {
    return await call();
  } catch (error) {
    if (signal?.aborted) throw abortedError(signal, "unknown");
    throw fromConnectError(error);
  }
}

/** Returns a function that calls the node at an address. @throws {RaftError} `unreachable`, `timeout`, `aborted`, or the node's error */
export function httpCalls(address: string, signal?: AbortSignal): SendUnary {
  return async (method, request) => {
    const call = () => fetchTransport(address).unary(method, signal, undefined, undefined, request);
    return (await called(signal, call)).message;
  };
}
