/**
 * HTTP/2 frame by frame: what a client library would never send.
 *
 * @module
 */

import { concatBytes } from "../../lib/bytes.ts";
import type { Draw } from "./draw.ts";
import type { Sendable } from "./input.ts";
import { bytesOf, exchange } from "./raw_socket.ts";

const PREFACE = bytesOf("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** The types of frames used here (RFC 9113, section 6). */
const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  more: 9,
};
const FLAG = { endStream: 1, endHeaders: 4 };

/** Encodes a frame. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const { length } = payload;
  const head = Uint8Array.of(
    length >> 16,
    length >> 8,
    length,
    type,
    flags,
    ...[24, 16, 8, 0].map((shift) => stream >>> shift),
  );
  return concatBytes([head, payload]);
}

/** Encodes fields without compression (RFC 7541, section 6.2.2). */
export function fields(pairs: readonly (readonly [name: string, value: string])[]): Uint8Array {
  return concatBytes(pairs.flatMap(([name, value]) => [Uint8Array.of(0), text(name), text(value)]));
}

function text(value: string): Uint8Array {
  const bytes = bytesOf(value);
  const length: number[] = [];
  let rest = bytes.length;
  if (rest < 127) length.push(rest);
  else {
    length.push(127);
    for (rest -= 127; rest >= 128; rest = Math.floor(rest / 128)) length.push(rest % 128 + 128);
    length.push(rest);
  }
  return concatBytes([Uint8Array.from(length), bytes]);
}

/** Returns the fields that begin a request. */
export function head(method: string, path: string): (readonly [name: string, value: string])[] {
  return [[":method", method], [":scheme", "http"], [":path", path], [":authority", "127.0.0.1"]];
}

/** Returns the bytes that open a connection. */
export function opening(settings: Uint8Array = new Uint8Array(0)): Uint8Array {
  return concatBytes([PREFACE, frame(TYPE.settings, 0, 0, settings)]);
}

/** Returns the frames of one request with a body. */
export function requestFrames(stream: number, block: Uint8Array, body: readonly Uint8Array[], ends = true): Uint8Array {
  const last = body.length - 1;
  return concatBytes([
    frame(TYPE.headers, FLAG.endHeaders | (body.length === 0 && ends ? FLAG.endStream : 0), stream, block),
    ...body.map((part, at) => frame(TYPE.data, at === last && ends ? FLAG.endStream : 0, stream, part)),
  ]);
}

type Frames = (draw: Draw) => readonly [what: string, frames: readonly Uint8Array[]];

/** Requests that are given up at once. */
const resets: Frames = (draw) => {
  const count = draw.size(300);
  const [method, path] = draw.pick(
    [["PUT", "/kv/fuzz/reset"], ["GET", "/kv?limit=10000"], ["GET", "/kv?watch"]] as const,
  );
  const block = fields(head(method, path));
  const frames = Array.from({ length: count }, (_, at) => {
    const stream = 2 * at + 1;
    const reset = frame(TYPE.reset, 0, stream, Uint8Array.of(0, 0, 0, 8));
    return concatBytes([requestFrames(stream, block, method === "PUT" ? [draw.bytes(10)] : []), reset]);
  });
  return [`${count} resets of ${method} ${path}`, frames];
};

/** Frames of any type, with any content. */
const anyFrames: Frames = (draw) => {
  const count = draw.whole(1, 40);
  const frames = Array.from({ length: count }, () => {
    const payload = draw.bytes(draw.chance(0.9) ? draw.size(200) : draw.size(20_000));
    return frame(
      draw.whole(0, 12),
      draw.whole(0, 255),
      draw.pick([0, 1, 2, 3, 2 ** 31 - 1, draw.whole(0, 99)]),
      payload,
    );
  });
  return [`${count} frames of any type`, frames];
};

/** Many frames that cost little to send. */
const floods: Frames = (draw) => {
  const count = draw.size(500);
  const [name, one] = draw.pick<readonly [string, Uint8Array]>([
    ["pings", frame(TYPE.ping, 0, 0, draw.bytes(8))],
    ["settings", frame(TYPE.settings, 0, 0, Uint8Array.of(0, 4, 0, 0, 255, 255))],
    ["empty data frames", frame(TYPE.data, 0, 1)],
    ["window updates", frame(TYPE.window, 0, 0, Uint8Array.of(0, 0, 0, 1))],
    ["continuations", frame(TYPE.more, 0, 1, draw.bytes(20))],
    ["priorities", frame(TYPE.priority, 0, 3, Uint8Array.of(0, 0, 0, 1, 1))],
  ]);
  const first = frame(
    TYPE.headers,
    name === "continuations" ? 0 : FLAG.endHeaders,
    1,
    fields(head("PUT", "/kv/fuzz/flood")),
  );
  return [`${count} ${name}`, [first, ...new Array<Uint8Array>(count).fill(one)]];
};

/** Requests with odd fields. */
const oddFields: Frames = (draw) => {
  const path = draw.pick([
    "/kv/fuzz/../status",
    "",
    "kv",
    "/kv/fuzz\\x",
    "*",
    "/kv/fuzz/%",
    "//",
    "/status",
    "/kv/fuzz/a b",
  ]);
  const pairs: (readonly [string, string])[] = draw.pick([
    head("GET", path),
    head(draw.pick(["get", "", "CONNECT", "A B"]), path),
    head("GET", path).slice(0, draw.whole(0, 3)),
    [...head("GET", path), [":path", "/status"]],
    [["x", "y"], ...head("GET", path)],
    [[":method", "GET"], [":scheme", draw.text()], [":path", path], [":authority", draw.text()]],
    [...head("GET", path), ["connection", "close"]],
    [...head("PUT", path), ["content-length", draw.pick(["5", "-1", "99999999999999"])]],
    [...head("GET", path), ["host", "evil.example"]],
    [...head("GET", path), [draw.text(), draw.text()]],
    [...head("GET", path), ["x-long", "y".repeat(draw.size(15_000))]],
  ]);
  const body = draw.chance(0.3) ? [draw.bytes(draw.size(15_000))] : [];
  return [`odd fields for ${JSON.stringify(path)}`, [requestFrames(1, fields(pairs), body, draw.chance(0.9))]];
};

/** Large answers, and no window to send them in. */
const noWindow: Frames = (draw) => {
  const count = draw.size(60);
  const block = fields(head("GET", draw.pick(["/kv?limit=10000", "/kv?watch&from=1", "/metrics"])));
  return [
    `${count} answers without a window`,
    Array.from({ length: count }, (_, at) => requestFrames(2 * at + 1, block, [])),
  ];
};

/** Sends frames on one connection. */
export function http2Frames(draw: Draw): Sendable {
  const kind = draw.weighted<Frames>([[2, resets], [3, anyFrames], [2, floods], [4, oddFields], [2, noWindow]]);
  const [what, frames] = kind(draw);
  const settings = kind === noWindow ? Uint8Array.of(0, 4, 0, 0, 0, 0) : new Uint8Array(0);
  let bytes = concatBytes([opening(settings), ...frames]);
  const mutated = draw.chance(0.1);
  if (mutated) bytes = draw.mutated(bytes);
  const [waitMs, abort] = [draw.whole(100, 800), draw.chance(0.3)];
  return {
    what: `HTTP/2: ${what}${mutated ? ", mutated" : ""}${abort ? ", aborted" : ""}`,
    send: ({ target }) => exchange(target.address, { parts: [bytes], waitMs, abort }),
  };
}
