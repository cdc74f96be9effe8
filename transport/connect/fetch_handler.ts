/**
 * Connect services behind a `Request` → `Response` function, for any server that has one.
 */

import { type ConnectError, createConnectRouter, createContextValues } from "@connectrpc/connect";
import { createAsyncIterable, type UniversalHandler } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorToJson } from "@connectrpc/connect/protocol-connect";
import { RaftError } from "../../lib/errors.ts";
import { malformed } from "../wire/checked.ts";
import { FRAME_HEADER_BYTES } from "../wire/frames.ts";
import { checkJson, checkMessage } from "../wire/message_check.ts";
import { raftErrorInterceptor, toConnectError } from "../wire/connect_errors.ts";
import { AdminService } from "../wire/gen/raft/v1/admin_pb.ts";
import { ClientService } from "../wire/gen/raft/v1/client_pb.ts";
import { KeyValueService } from "../wire/gen/raft/v1/kv_pb.ts";
import { PeerService } from "../wire/gen/raft/v1/peer_pb.ts";
import { RelayService } from "../wire/gen/raft/v1/relay_pb.ts";
import { collected } from "./bodies.ts";
import { EncodedStream, encodedStream } from "./encoded_stream.ts";
import { type BodyKind, BodyReceiver } from "./receive.ts";
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
  /** Between nodes. @default 32 MiB */
  readonly peerMaxBytes?: number;
  /** From clients. @default 16 MiB */
  readonly clientMaxBytes?: number;
  /** Of any message in JSON, which takes many times as long to decode. @default 4 MiB */
  readonly jsonMaxBytes?: number;
}

const MIB = 1024 * 1024;
const PEER_MAX_BYTES = 32 * MIB;
const CLIENT_MAX_BYTES = 16 * MIB;
/** Enough for the largest command. */
const JSON_MAX_BYTES = 4 * MIB;

/** Registers the services of a node with a Connect router. Errors carry their details. */
export function createRaftRoutes(services: RaftServices, limits: ConnectLimits = {}): RpcRoutes {
  const interceptors = [raftErrorInterceptor];
  const peer = { interceptors, readMaxBytes: limits.peerMaxBytes ?? PEER_MAX_BYTES };
  const client = { interceptors, readMaxBytes: limits.clientMaxBytes ?? CLIENT_MAX_BYTES };
  return (router) => {
    if (services.peer !== undefined) router.service(PeerService, services.peer, peer);
    if (services.client !== undefined) router.service(ClientService, services.client, client);
    if (services.admin !== undefined) router.service(AdminService, services.admin, client);
    if (services.kv !== undefined) router.service(KeyValueService, services.kv, client);
    if (services.relay !== undefined) router.service(RelayService, services.relay, peer);
  };
}

/** Options of {@linkcode connectFetchHandler}. */
export interface ConnectHandlerOptions {
  /** The largest messages that are read; the same as for the routes. */
  readonly limits?: ConnectLimits;
  /** Receives bodies, together with others of the same server. @default one of its own */
  readonly receiver?: BodyReceiver;
}

/**
 * Returns a function that answers Connect and gRPC-Web calls, and returns `null`
 * for any other path. gRPC itself needs trailers, which a `Response` doesn't have.
 */
export function connectFetchHandler(
  routes: RpcRoutes,
  { limits = {}, receiver = new BodyReceiver() }: ConnectHandlerOptions = {},
): (request: Request) => Promise<Response | null> {
  // Unknown fields would be kept, each as an object.
  const binaryOptions = { readUnknownFields: false };
  const router = createConnectRouter({ grpc: false, acceptCompression: [], binaryOptions });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler] as const));
  const { peerMaxBytes = PEER_MAX_BYTES, clientMaxBytes = CLIENT_MAX_BYTES, jsonMaxBytes = JSON_MAX_BYTES } = limits;
  const kindOf = ({ service }: UniversalHandler, json: boolean): BodyKind => {
    const peer = service === PeerService;
    const maxBytes = peer || service === RelayService ? peerMaxBytes : clientMaxBytes;
    return { maxBytes: json ? Math.min(maxBytes, jsonMaxBytes) : maxBytes, peer };
  };
  return async (request) => {
    const handler = handlers.get(new URL(request.url).pathname);
    if (handler === undefined) return null;
    const contentType = request.headers.get("content-type") ?? "";
    const kind = kindOf(handler, contentType.includes("json"));
    if (/^application\/(connect\+|grpc-web)/.test(contentType)) {
      const { methodKind } = handler.method;
      const mayPause = methodKind !== "unary" && methodKind !== "server_streaming";
      const check = (frame: Uint8Array) => checkFrame(handler, contentType, frame);
      const frames = receiver.frames(request, { ...kind, mayPause }, check);
      return await blamingTheClient(await answer(handler, request, frames, () => void frames.return()));
    }
    // Another type or method is refused without a look at the body.
    const reads = request.method === "POST" && handler.supportedContentType(contentType);
    if (!reads) return await answer(handler, request, createAsyncIterable([]));
    try {
      return await receiver.whole(request, kind, async (bytes) => {
        checkBody(handler, contentType, bytes);
        return await blamingTheClient(await answer(handler, request, createAsyncIterable([bytes])));
      });
    } catch (error) {
      const refused = toConnectError(error);
      const tooLarge = error instanceof RaftError && error.code === "too_large";
      return refusal(tooLarge ? 413 : codeToHttpStatus(refused.code), refused);
    }
  };
}

/** Checks a message before it is decoded. @throws {RaftError} `invalid_argument` or `too_large` */
function checkBody({ method }: UniversalHandler, contentType: string, bytes: Uint8Array): void {
  if (!contentType.includes("json")) return checkMessage(method.input, bytes);
  checkJson(method.input, bytes);
}

function checkFrame(handler: UniversalHandler, contentType: string, frame: Uint8Array): void {
  // Others are compressed, which is refused, or end a stream.
  if (frame[0] === 0) checkBody(handler, contentType, frame.subarray(FRAME_HEADER_BYTES));
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
    return refusal(400, toConnectError(malformed("the bytes are not a message of this method")));
  }
  if (status === 429 && !text.includes('"details"')) {
    return refusal(413, toConnectError(new RaftError("too_large", "the message is larger than this node takes")));
  }
  return new Response(text, response);
}

/** Returns an error as the answer to a unary call. */
export function refusal(status: number, error: ConnectError): Response {
  const headers = { "content-type": "application/json" };
  return new Response(JSON.stringify(errorToJson(error, undefined)), { status, headers });
}

/**
 * Answers a call whose message has arrived, or arrives in frames. Its signal fires when
 * the client breaks off; under Deno it may fire after the answer, too, when it makes no
 * difference.
 *
 * @param end frees what the frames hold
 */
async function answer(
  handler: UniversalHandler,
  request: Request,
  message: AsyncIterable<Uint8Array>,
  end: () => void = () => {},
): Promise<Response> {
  const gone = new AbortController();
  // Connect does not always end the iteration over a request that its method leaves.
  gone.signal.addEventListener("abort", end);
  const { signal } = request;
  signal.addEventListener("abort", () => gone.abort(signal.reason), { signal: gone.signal });
  if (signal.aborted) gone.abort(signal.reason);
  const stream = new EncodedStream(request.headers.get("content-type") ?? "");
  const { status, header, body } = await handler({
    httpVersion: "",
    method: request.method,
    url: request.url,
    header: request.headers,
    body: message,
    signal: gone.signal,
    contextValues: createContextValues().set(encodedStream, stream),
  });
  const init = header === undefined ? { status } : { status, headers: header };
  if (body === undefined) return new Response(null, init);
  // An answer of gRPC-Web ends with a frame of its own, so its type doesn't tell a stream from a single message.
  if (handler.method.methodKind === "unary") {
    const whole = await collected(body);
    end();
    header?.set("content-length", String(whole.length));
    return new Response(whole, init);
  }
  const cancel = (reason: unknown): void => gone.abort(reason);
  const options = { request, cancel, replace: stream.replace.bind(stream) };
  return new Response(stream.body.stream(endingWith(body, end), options), init);
}

/** Passes a body on, and calls `end` at its end. */
async function* endingWith(body: AsyncIterable<Uint8Array>, end: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    end();
  }
}
