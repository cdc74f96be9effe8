/**
 * Calls of every Connect method, with messages that are random, cut off, mutated or of
 * many elements; in binary and in JSON.
 *
 * @module
 */

import { toBinary, toJsonString } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, Message } from "@bufbuild/protobuf";
import { concatBytes } from "../../lib/bytes.ts";
import { AdminService } from "../../transport/wire/gen/raft/v1/admin_pb.ts";
import { ClientService } from "../../transport/wire/gen/raft/v1/client_pb.ts";
import { KeyValueService } from "../../transport/wire/gen/raft/v1/kv_pb.ts";
import { PeerService } from "../../transport/wire/gen/raft/v1/peer_pb.ts";
import { RelayService } from "../../transport/wire/gen/raft/v1/relay_pb.ts";
import type { Draw } from "./draw.ts";
import { fields, head, opening, requestFrames } from "./http2_inputs.ts";
import type { Sendable } from "./input.ts";
import { randomMessage } from "./messages.ts";
import { bytesOf, exchange } from "./raw_socket.ts";

/** Every method of every service. */
export const METHODS: readonly DescMethod[] = [AdminService, ClientService, KeyValueService, PeerService, RelayService]
  .flatMap(({ methods }) => methods);

/** Methods with which an operator moves the leadership; that is no fault. */
const DISRUPTIVE = ["TransferLeadership"];

/** The format of a call's message. */
export type Format = "proto" | "json";

/** The encoding of a message in a format. */
export function encode(desc: DescMessage, message: Message, format: Format): Uint8Array<ArrayBuffer> {
  if (format === "proto") return Uint8Array.from(toBinary(desc, message));
  return new TextEncoder().encode(toJsonString(desc, message, { alwaysEmitImplicit: true }));
}

/** Encodes one message of a stream: a flag, its length, its bytes. */
export function streamed(bytes: Uint8Array, flag = 0, length = bytes.length): Uint8Array {
  return concatBytes([Uint8Array.of(flag, ...[24, 16, 8, 0].map((shift) => length >>> shift)), bytes]);
}

/** A call, ready to be sent. */
export interface Call {
  readonly method: DescMethod;
  readonly format: Format;
  /** The body; of a stream, its messages in their frames. */
  readonly body: Uint8Array;
  readonly waitMs: number;
  readonly http2: boolean;
  readonly abort: boolean;
}

const MAX_FRAME = 16_384;

/** Sends a call. */
export function call(address: string, { method, format, body, waitMs, http2, abort }: Call): Promise<string> {
  const path = `/${method.parent.typeName}/${method.name}`;
  const type = `application/${method.methodKind === "unary" ? "" : "connect+"}${format}`;
  if (!http2) {
    const text = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: ${type}\r\n` +
      `connect-protocol-version: 1\r\ncontent-length: ${body.length}\r\n\r\n`;
    return exchange(address, { parts: [bytesOf(text), body], waitMs, abort });
  }
  const data: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += MAX_FRAME) data.push(body.subarray(at, at + MAX_FRAME));
  const block = fields([...head("POST", path), ["content-type", type], ["connect-protocol-version", "1"]]);
  return exchange(address, { parts: [opening(), requestFrames(1, block, data)], waitMs, abort });
}

/** Bytes that are short, and cost much if they are decoded before limits are looked at. */
function manyElements(method: DescMethod, draw: Draw): Uint8Array {
  const list = method.input.fields.find(({ fieldKind }) => fieldKind === "list");
  const count = draw.size(200_000);
  const tag = (list?.number ?? 1) * 8 + 2;
  const bytes = new Uint8Array(2 * count);
  for (let at = 0; at < count; at++) bytes[2 * at] = tag;
  return bytes;
}

function jsonOddity(draw: Draw): Uint8Array<ArrayBuffer> {
  const depth = draw.size(20_000);
  return bytesOf(draw.pick([
    "",
    "null",
    "[]",
    "{",
    "1e999",
    '{"key":',
    '{"__proto__":{"key":"YQ=="}}',
    '{"key":"YQ==","key":"Yg=="}',
    '{"commands":[' + '"",'.repeat(depth) + '""]}',
    '{"envelopes":[' + "{},".repeat(depth) + "{}]}",
    "[".repeat(depth),
    '{"a":'.repeat(depth),
    `"${"x".repeat(depth)}"`,
    '{"term":-1}',
    "\ufeff{}".replace("\ufeff", "\u00ef\u00bb\u00bf"),
  ]));
}

/** Returns a call of one of the methods. */
export function randomCall(draw: Draw): Sendable {
  const method = draw.pick(METHODS);
  const format: Format = draw.chance(0.5) ? "proto" : "json";
  const [form, bytes] = draw.weighted<() => readonly [string, Uint8Array]>([
    [4, () => ["random", encode(method.input, randomMessage(method.input, draw), format)]],
    // An operator may change the members, so a change is never almost right.
    [method.name === "ChangeMembership" ? 0 : 3, () => {
      return ["mutated", draw.mutated(encode(method.input, randomMessage(method.input, draw), format))];
    }],
    [1, () => ["bytes", draw.bytes(draw.size(3000))]],
    [1, () => format === "json" ? ["odd", jsonOddity(draw)] : ["many elements", manyElements(method, draw)]],
  ])();
  const stream = method.methodKind !== "unary";
  const framing = stream ? draw.weighted([[6, "right"], [1, "too long"], [1, "unknown flag"], [1, "none"]]) : "none";
  const body = framing === "right"
    ? streamed(bytes)
    : framing === "too long"
    ? streamed(bytes, 0, draw.pick([bytes.length + 1, 2 ** 31, 2 ** 32 - 1]))
    : framing === "unknown flag"
    ? streamed(bytes, draw.whole(1, 255))
    : bytes;
  const http2 = draw.chance(method.methodKind === "bidi_streaming" ? 0.9 : 0.3);
  const abort = draw.chance(0.15);
  const waitMs = stream || http2 ? draw.whole(100, 1000) : 2500;
  return {
    what: `${method.parent.name}.${method.name}, ${form} ${format} of ${bytes.length} bytes${
      stream ? `, framing ${framing}` : ""
    }${http2 ? ", HTTP/2" : ""}${abort ? ", aborted" : ""}`,
    disruptive: DISRUPTIVE.includes(method.name),
    send: ({ target }) => call(target.address, { method, format, body, waitMs, http2, abort }),
  };
}
