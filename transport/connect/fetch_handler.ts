/**
 * Connect services behind a `Request` → `Response` function, for any server that has one.
 */

import { createConnectRouter, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import { RaftError } from "../../lib/errors.ts";
import { malformed } from "../wire/checked.ts";
import { raftErrorInterceptor, toConnectError } from "../wire/connect_errors.ts";
import { AdminService } from "../wire/gen/raft/v1/admin_pb.ts";
import { ClientService } from "../wire/gen/raft/v1/client_pb.ts";
import { KeyValueService } from "../wire/gen/raft/v1/kv_pb.ts";
import { PeerService } from "../wire/gen/raft/v1/peer_pb.ts";
import { RelayService } from "../wire/gen/raft/v1/relay_pb.ts";
import { chunksOf, collected, streams } from "./bodies.ts";
import { EncodedStream, encodedStream } from "./encoded_stream.ts";
import type { RpcRoutes, RpcService } from "./rpc_types.ts";

/** The services of a node. Those left out aren't served. */
export interface RaftServices {
  /** Between nodes. */
  readonly peer?: RpcService<"peer">;
  /** For clients of any state machine. */
  readonly client?: RpcService<"client">;
  /** For operators. */
  readonly admin?: RpcService<"admin">;
  /** The key-value store. */
  readonly kv?: RpcService<"kv">;
  /** For nodes in browser tabs. */
  readonly relay?: RpcService<"relay">;
}

/** The largest message that is read, in bytes. */
export interface ConnectLimits {
  /** Between nodes. @default 64 MiB */
  readonly peerMaxBytes?: number;
  /** From clients. @default 16 MiB */
  readonly clientMaxBytes?: number;
}

const MIB = 1024 * 1024;

/** Registers the services of a node with a Connect router. Errors carry their details. */
export function createRaftRoutes(services: RaftServices, limits: ConnectLimits = {}): RpcRoutes {
  const interceptors = [raftErrorInterceptor];
  const peer = { interceptors, readMaxBytes: limits.peerMaxBytes ?? 64 * MIB };
  const client = { interceptors, readMaxBytes: limits.clientMaxBytes ?? 16 * MIB };
  return (router) => {
    if (services.peer !== undefined) router.service(PeerService, services.peer, peer);
    if (services.client !== undefined) router.service(ClientService, services.client, client);
    if (services.admin !== undefined) router.service(AdminService, services.admin, client);
    if (services.kv !== undefined) router.service(KeyValueService, services.kv, client);
    if (services.relay !== undefined) router.service(RelayService, services.relay, peer);
  };
}

/**
 * Returns a function that answers Connect and gRPC-Web calls, and returns `null`
 * for any other path. gRPC itself needs trailers, which a `Response` doesn't have.
 */
export function connectFetchHandler(
  routes: RpcRoutes,
): (request: Request) => Promise<Response | null> {
  const router = createConnectRouter({ grpc: false, acceptCompression: [] });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler] as const));
  return async (request) => {
    const handler = handlers.get(new URL(request.url).pathname);
    return handler === undefined ? null : await blamingTheClient(await answer(handler, request));
  };
}

/**
 * Blames the client where Connect blames the server. Some calls fail before any
 * interceptor sees them, and without a detail: bytes that are not protobuf, which
 * Connect reports as `internal`, and messages over the limit. Nothing was done.
 */
async function blamingTheClient(response: Response): Promise<Response> {
  const { status, headers } = response;
  if (![400, 429, 500].includes(status) || headers.get("content-type") !== "application/json") return response;
  const text = await response.text();
  // The words for bad JSON are those of the runtime.
  if ((status === 500 && text.includes('"parse binary: ')) || text.includes('"cannot decode message ')) {
    return refusal(400, malformed("the bytes are not a message of this method"));
  }
  if (status === 429 && !text.includes('"details"')) {
    return refusal(413, new RaftError("too_large", "the message is larger than this node takes"));
  }
  return new Response(text, response);
}

/** Returns an error as the answer to a unary call. */
export function refusal(status: number, error: RaftError): Response {
  const headers = { "content-type": "application/json" };
  return new Response(JSON.stringify(errorToJson(toConnectError(error), undefined)), { status, headers });
}

/**
 * Answers a call. Its signal fires when the answer is no longer wanted, and is not
 * the request's own: Deno fires that one after every answer, successful or not.
 */
async function answer(handler: UniversalHandler, request: Request): Promise<Response> {
  const gone = new AbortController();
  const stream = new EncodedStream(request.headers.get("content-type") ?? "");
  const { status, header, body } = await handler({
    httpVersion: "",
    method: request.method,
    url: request.url,
    header: request.headers,
    body: isSmall(request) ? whole(request) : chunksOf(request.body),
    signal: gone.signal,
    contextValues: createContextValues().set(encodedStream, stream),
  });
  const init = header === undefined ? { status } : { status, headers: header };
  if (body === undefined) return new Response(null, init);
  // An answer of gRPC-Web ends with a frame of its own, so its type doesn't tell a stream from a single message.
  if (handler.method.methodKind === "unary") return new Response(await collected(body), init);
  const options = { cancel: (reason: unknown) => gone.abort(reason), replace: stream.replace.bind(stream) };
  return new Response(stream.body.stream(body, options), init);
}

/** Read at once when not over this: a web stream for each small call costs more than the call. */
const SMALL_BYTES = 1024 * 1024;

/** Reports whether a unary call declares a small body. The declared length is true, or the request fails. */
function isSmall({ headers, body }: Request): boolean {
  const length = headers.get("content-length");
  return body !== null && !streams(headers) && length !== null && Number(length) <= SMALL_BYTES;
}

async function* whole(request: Request): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(await request.arrayBuffer());
}
