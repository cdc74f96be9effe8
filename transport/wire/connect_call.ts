/**
 * The Connect protocol over `fetch`, as far as a page needs it: unary calls, and
 * answers that stream. The package that does all of it would be a third of what
 * a page loads.
 *
 * @module
 */

import { fromBinary } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { abortedError, RaftError } from "../../lib/errors.ts";
import { errorFromDetail } from "./error_detail.ts";
import { RaftErrorDetailSchema } from "./gen/raft/v1/error_pb.ts";

/** The part of `fetch` that is used. */
export type RelayFetch = (url: string, init: RequestInit) => Promise<Response>;

/** Options of a call. */
export interface ConnectCallOptions {
  /** What carries it. @default globalThis.fetch */
  readonly fetch?: RelayFetch;
  /** Gives it up; what became of it is then unknown. */
  readonly signal?: AbortSignal;
}

/** The largest message of a stream that is read, in bytes. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** Set in the first byte before the last message of a stream, which says how it ended. */
const END_STREAM = 2;

/** Bytes before each message of a stream: flags, and the length in four. */
const PREFIX_BYTES = 5;

/**
 * Calls a unary method.
 *
 * @param method Such as `raft.v1.RelayService/Forward`.
 * @param request The encoded message.
 * @returns the encoded answer
 * @throws {RaftError}
 */
export async function fetchUnary(
  baseUrl: string,
  method: string,
  request: Uint8Array<ArrayBuffer>,
  options: ConnectCallOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return await within(baseUrl, options.signal, async () => {
    const response = await post(baseUrl, method, "application/proto", request, options);
    const content = new Uint8Array(await response.arrayBuffer());
    if (response.ok && typeOf(response) === "application/proto") return content;
    throw errorOf(response.status, textOf(content));
  });
}

/**
 * Calls a method whose answer streams.
 *
 * @returns the encoded messages; ends when the server ends it in order
 * @throws {RaftError}
 */
export async function* fetchStream(
  baseUrl: string,
  method: string,
  request: Uint8Array,
  options: ConnectCallOptions = {},
): AsyncGenerator<Uint8Array> {
  const { signal } = options;
  const body = await within(baseUrl, signal, async () => {
    const response = await post(baseUrl, method, "application/connect+proto", framed(request), options);
    const { body } = response;
    if (response.ok && body !== null && typeOf(response) === "application/connect+proto") return body;
    throw errorOf(response.status, await response.text());
  });
  const reader = body.getReader();
  const frames = new Frames();
  try {
    for (;;) {
      for (let frame = frames.next(); frame !== null; frame = frames.next()) {
        if ((frame.flags & END_STREAM) === 0) {
          yield frame.message;
          continue;
        }
        const ending = textOf(frame.message);
        if (ending.includes('"error"')) throw errorOf(200, ending);
        return;
      }
      const read = await within(baseUrl, signal, () => reader.read());
      if (read.done) throw broken(baseUrl);
      frames.add(read.value);
    }
  } finally {
    // Does nothing after the end; before it, lets the server know.
    reader.cancel().catch(() => {});
  }
}

async function post(
  baseUrl: string,
  method: string,
  type: string,
  body: Uint8Array<ArrayBuffer>,
  { fetch = (url, init) => globalThis.fetch(url, init), signal }: ConnectCallOptions,
): Promise<Response> {
  return await fetch(`${baseUrl}/${method}`, {
    method: "POST",
    headers: { "content-type": type, "connect-protocol-version": "1" },
    body,
    redirect: "error",
    cache: "no-store",
    ...(signal === undefined ? {} : { signal }),
  });
}

/** What is thrown becomes a {@linkcode RaftError}. A browser doesn't tell why a fetch failed, so the outcome is unknown. */
async function within<T>(baseUrl: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (signal?.aborted) throw abortedError(signal, "rejected");
  try {
    return await work();
  } catch (error) {
    // A signal's reason says why, and knows nothing of the request.
    if (error instanceof RaftError && error !== signal?.reason) throw error;
    if (signal?.aborted) throw abortedError(signal, "unknown");
    throw broken(baseUrl, error);
  }
}

function broken(baseUrl: string, cause?: unknown): RaftError {
  return new RaftError("unreachable", `the connection to ${baseUrl} failed`, {
    outcome: "unknown",
    hint: "Check that a server runs there, and that it was told to allow this page: --allow-origin ORIGIN.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The messages of a stream, from the pieces in which they come; joined once, when they are whole. */
class Frames {
  #pieces: Uint8Array[] = [];
  #length = 0;
  #needed = PREFIX_BYTES;

  add(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
  }

  /** `null` until one is whole. @throws {RaftError} `too_large` or `unsupported` */
  next(): { readonly flags: number; readonly message: Uint8Array } | null {
    if (this.#length < this.#needed) return null;
    const bytes = this.#joined();
    const flags = bytes[0]!;
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
    if ((flags & ~END_STREAM) !== 0) throw new RaftError("unsupported", "the stream is compressed, or no stream");
    if (length > MAX_MESSAGE_BYTES) throw new RaftError("too_large", `a message of ${length} bytes is not read`);
    this.#needed = PREFIX_BYTES + length;
    if (bytes.length < this.#needed) return null;
    const message = bytes.subarray(PREFIX_BYTES, this.#needed);
    this.#pieces = [bytes.subarray(this.#needed)];
    this.#length -= this.#needed;
    this.#needed = PREFIX_BYTES;
    return { flags, message };
  }

  #joined(): Uint8Array {
    const [only] = this.#pieces;
    if (only !== undefined && this.#pieces.length === 1) return only;
    const all = new Uint8Array(this.#length);
    let offset = 0;
    for (const piece of this.#pieces) {
      all.set(piece, offset);
      offset += piece.length;
    }
    this.#pieces = [all];
    return all;
  }
}

function framed(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(PREFIX_BYTES + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

function typeOf(response: Response): string | undefined {
  return response.headers.get("content-type")?.split(";")[0]?.trim();
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

interface ErrorJson {
  readonly code?: unknown;
  readonly message?: unknown;
  /** Of an error that a server gives outside of its services. */
  readonly detail?: unknown;
  readonly details?: readonly { readonly type?: unknown; readonly value?: unknown }[];
}

/** The server's own error, where it tells one; else what the status says. Without effect only where no service was asked. */
function errorOf(status: number, text: string): RaftError {
  const { code, message, detail, details } = errorJson(text);
  try {
    const own = details?.find(({ type }) => type === "raft.v1.RaftErrorDetail");
    if (typeof own?.value === "string") {
      return errorFromDetail(fromBinary(RaftErrorDetailSchema, base64Decode(own.value)));
    }
  } catch {
    // A detail that can't be read says nothing.
  }
  const said = [message, detail].find((one) => typeof one === "string") ?? `the server answered with status ${status}`;
  if (status === 403) return new RaftError("refused", String(said));
  if (status === 404 || status === 415 || code === "unimplemented") {
    return new RaftError("unsupported", String(said), {
      hint: "Is this the address of a raft-core server, of the same version?",
    });
  }
  return new RaftError(status >= 502 || code === "unavailable" ? "unreachable" : "internal", String(said), {
    outcome: "unknown",
  });
}

function errorJson(text: string): ErrorJson {
  try {
    const json = JSON.parse(text) as unknown;
    if (typeof json !== "object" || json === null) return {};
    return "error" in json ? json.error as ErrorJson : json;
  } catch {
    return {};
  }
}
