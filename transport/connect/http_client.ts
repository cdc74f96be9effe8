/**
 * Connect over `fetch`, in every runtime. A request's body is collected first:
 * Chromium and Node take a stream as body only in half duplex, which rules out
 * Connect's own fetch client. So this carries unary calls, and answers that
 * stream; not requests that stream.
 */

import type { Transport } from "@connectrpc/connect";
import type { UniversalClientFn, UniversalClientRequest, UniversalClientResponse } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-connect";
import { concatBytes } from "../../lib/bytes.ts";
import { abortedError, RaftError } from "../../lib/errors.ts";
import { baseUrl, nodeUrl } from "../wire/address.ts";
import type { SendUnary } from "../wire/admin_codec.ts";
import { fromConnectError } from "../wire/connect_errors.ts";
import { wholeFrames } from "../wire/frames.ts";
import { chunksOf, collected, streams } from "./bodies.ts";
import type { Fetch } from "./rpc_types.ts";

/** The largest message that is sent, and the default for answers that are read, in bytes. */
const MAX_BYTES = 64 * 1024 * 1024;

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

/** Returns an HTTP client for Connect's transports. It reads at most `maxAnswerBytes` of an answer, whatever answers. */
function bufferedHttpClient(
  maxAnswerBytes: number,
  fetch: Fetch = (url, init) => globalThis.fetch(url, init),
): UniversalClientFn {
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
      return await universalResponse(response, streams(request.header), maxAnswerBytes);
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason;
      if (error instanceof RaftError) throw error;
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
export function fetchTransport(address: string, fetch?: Fetch, maxAnswerBytes: number = MAX_BYTES): Transport {
  return createTransport({
    baseUrl: baseUrl(address),
    httpClient: bufferedHttpClient(maxAnswerBytes, fetch),
    useBinaryFormat: true,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: 0xffffffff,
    readMaxBytes: maxAnswerBytes,
    writeMaxBytes: MAX_BYTES,
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
async function universalResponse(
  response: Response,
  isStream: boolean,
  maxBytes: number,
): Promise<UniversalClientResponse> {
  const { status, headers: header } = response;
  const body = isStream && streams(header)
    ? chunksOf(wholeFrames(response).body)
    : only(await atMost(chunksOf(response.body), maxBytes));
  return { status, header, body, trailer: new Headers() };
}

/** Collects a body that is not too large; the rest of one that is stays unread. */
async function atMost(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new RaftError("too_large", `the answer has more than ${maxBytes} bytes`, { outcome: "unknown" });
    }
    chunks.push(chunk);
  }
  return concatBytes(chunks);
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

/**
 * Returns a function that calls another node, by its address in a membership.
 *
 * @throws {RaftError} `invalid_argument`, `unreachable`, `timeout`, `aborted`, `too_large`, or the node's error
 */
export function httpCalls(address: string, signal?: AbortSignal, maxAnswerBytes?: number): SendUnary {
  return async (method, request) => {
    const call = () =>
      fetchTransport(nodeUrl(address), undefined, maxAnswerBytes).unary(method, signal, undefined, undefined, request);
    return (await called(signal, call)).message;
  };
}
