/**
 * Connect's client over a `fetch` that carries streams both ways, as HTTP/2 does.
 *
 * @module
 */

import type { Transport } from "@connectrpc/connect";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-connect";
import { chunksOf } from "../../../transport/connect/mod.ts";
import type { ByteNetwork } from "./byte_network.ts";

/** Returns the client of one server. */
export function streaming(baseUrl: string, fetch: ReturnType<ByteNetwork["fetch"]>): Transport {
  const httpClient: UniversalClientFn = async ({ url, method, header, body, signal }) => {
    const sent = body === undefined ? {} : { body: ReadableStream.from(body) };
    const response = await fetch(url, {
      method,
      headers: header,
      ...sent,
      ...(signal === undefined ? {} : { signal }),
    });
    const { status, headers } = response;
    return { status, header: headers, body: chunksOf(response.body), trailer: new Headers() };
  };
  return createTransport({
    baseUrl,
    httpClient,
    useBinaryFormat: true,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: 0xffffffff,
    readMaxBytes: 64 * 1024,
    writeMaxBytes: 64 * 1024 * 1024,
  });
}
