/**
 * Requests over HTTP/1.1 that are odd somewhere, byte for byte.
 *
 * @module
 */

import { concatBytes } from "../../lib/bytes.ts";
import type { Draw } from "./draw.ts";
import type { Sendable } from "./input.ts";
import { bytesOf, exchange } from "./raw_socket.ts";

const METHODS = [
  "GET",
  "PUT",
  "DELETE",
  "HEAD",
  "POST",
  "OPTIONS",
  "PATCH",
  "TRACE",
  "CONNECT",
  "PRI",
  "get",
  "",
  "G T",
];

/** The largest value that is written; over the limit of the server. */
const MAX_BODY = 3 * 1024 * 1024;

const FIXED_PATHS: readonly string[] = [
  "/",
  "/status",
  "/livez",
  "/readyz?verbose",
  "/metrics",
  "/kv",
  "/kv?limit=1&keys",
  "/kv?limit=99999999999999999999",
  "/kv?limit=1&limit=2",
  "/kv?after=%FF&prefix=%zz",
  "/kv?watch&from=99999999999999999",
  "/kv?consistency=lease",
  "/kv?unknown=1",
  "/kv/",
  "/kv/fuzz/../../status",
  "/kv/fuzz/./a",
  "/kv/fuzz/%2e%2e/a",
  "/kv/fuzz\\a",
  "/kv//fuzz",
  "//kv/fuzz",
  "/kv/%",
  "/kv/%00",
  "/kv/fuzz#fragment",
  "/kv/fuzz?a=b?c",
  "http://127.0.0.1/kv/fuzz/absolute",
  "http://evil.example/kv/fuzz",
  "*",
  "",
  "status",
  "/raft.v1.PeerService/Send",
  "/raft.v1.NoService/No",
];

function path(draw: Draw): string {
  return draw.weighted<() => string>([
    [3, () => draw.pick(FIXED_PATHS)],
    [3, () => `/kv/fuzz/${draw.whole(0, 99)}`],
    [1, () => `/kv/fuzz/${encodeURIComponent(draw.text().toWellFormed())}`],
    [1, () => `/kv/fuzz/${[...draw.bytes(draw.size(60))].map((byte) => String.fromCharCode(byte)).join("")}`],
    [1, () => `/${"a/".repeat(draw.size(6000))}`],
    [1, () => `/kv?${"x=1&".repeat(draw.size(4000))}`],
  ])();
}

function header(draw: Draw): string {
  return draw.weighted<() => string>([
    [4, () => `if-match: ${draw.pick(['"1"', "*", '"0"', "1", '"18446744073709551616"', '"a", "b"', ""])}`],
    [2, () => `if-none-match: ${draw.pick(["*", '"1"', 'W/"1"', ""])}`],
    [2, () => `origin: ${draw.pick(["http://evil.example", "null", "", "http://127.0.0.1", "\u0000"])}`],
    [2, () => `content-type: ${draw.pick(["application/json", "application/proto", "text/plain", ";", "a/b/c"])}`],
    [1, () => `expect: ${draw.pick(["100-continue", "200-ok"])}`],
    [1, () => `upgrade: ${draw.pick(["h2c", "websocket"])}\r\nconnection: upgrade`],
    [1, () => `last-event-id: ${draw.text()}`],
    [1, () => `accept-encoding: gzip, br\r\ncontent-encoding: gzip`],
    [1, () => `transfer-encoding: ${draw.pick(["chunked", "chunked, chunked", "gzip", "identity", " chunked"])}`],
    [1, () => `content-length: ${draw.pick(["0", "-1", "5, 5", "99999999999999999999", "0x10", "5"])}`],
    [1, () => `x-${draw.whole(0, 9)}: ${"y".repeat(draw.size(70_000))}`],
    [1, () => `${draw.text()}: ${draw.text()}`],
    [1, () => Array.from({ length: draw.size(300) }, (_, at) => `x-many-${at}: 1`).join("\r\n")],
    [1, () => " folded: header"],
    [1, () => "no colon"],
  ])();
}

function host(draw: Draw): string {
  return draw.weighted([
    [8, "127.0.0.1"],
    [1, "localhost:1"],
    [1, "[::1]:7001"],
    [1, draw.pick(["", "[", "a b", "evil.example", "127.0.0.1:99999", "127.0.0.1, evil", "[::1", "%", "é", "\u0000"])],
  ]);
}

/** Returns one request: its head, and perhaps a body. */
function request(draw: Draw): { readonly line: string; readonly bytes: Uint8Array<ArrayBuffer> } {
  const line = `${draw.chance(0.7) ? draw.pick(METHODS.slice(0, 5)) : draw.pick(METHODS)} ${path(draw)} ${
    draw.weighted([[20, "HTTP/1.1"], [2, "HTTP/1.0"], [1, draw.pick(["HTTP/9.9", "HTTP/2.0", "", "HTTP/1.1 x"])]])
  }`;
  const headers = [`host: ${host(draw)}`];
  if (draw.chance(0.03)) headers.push("host: 127.0.0.1");
  if (draw.chance(0.7)) headers.push("connection: close");
  for (let count = draw.weighted([[3, 0], [3, 1], [2, 3]]); count > 0; count--) headers.push(header(draw));
  const body = draw.weighted<() => Uint8Array<ArrayBuffer>>([
    [4, () => new Uint8Array(0)],
    [4, () => draw.bytes(draw.size(2000))],
    [1, () => draw.bytes(draw.size(MAX_BODY))],
  ])();
  if (draw.chance(0.8)) headers.push(`content-length: ${body.length}`);
  const end = draw.weighted([[30, "\r\n"], [1, "\n"], [1, "\r"]]);
  return { line, bytes: concatBytes([bytesOf([line, ...headers, "", ""].join(end)), body]) };
}

/** Sends one request, or several on one connection; whole, slowly in parts, mutated or aborted. */
export function httpRequest(draw: Draw): Sendable {
  const requests = Array.from({ length: draw.weighted([[8, 1], [1, 2], [1, draw.whole(3, 40)]]) }, () => request(draw));
  let bytes = concatBytes(requests.map(({ bytes }) => bytes));
  const mutated = draw.chance(0.15);
  if (mutated) bytes = draw.mutated(bytes);
  const split = draw.chance(0.1) ? draw.whole(0, bytes.length) : null;
  const abort = draw.chance(0.1);
  const waitMs = draw.whole(200, 1000);
  const what = [
    requests.length === 1 ? "" : `${requests.length} requests: `,
    JSON.stringify(requests[0]!.line.slice(0, 120)),
    `, ${bytes.length} bytes`,
    mutated ? ", mutated" : "",
    abort ? ", aborted" : "",
  ].join("");
  const parts = split === null ? [bytes] : [bytes.subarray(0, split), bytes.subarray(split)];
  return {
    what,
    send: ({ target }) => exchange(target.address, { parts, pauseMs: split === null ? 0 : 100, waitMs, abort }),
  };
}

/** Sends bytes of no protocol at all. */
export function garbage(draw: Draw): Sendable {
  const bytes = draw.weighted<() => Uint8Array<ArrayBuffer>>([
    [2, () => draw.bytes(draw.size(20_000))],
    // The beginning of a TLS handshake.
    [1, () => concatBytes([Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3), draw.bytes(500)])],
    [1, () => bytesOf("\r\n".repeat(draw.size(20_000)))],
  ])();
  const waitMs = draw.whole(100, 800);
  return {
    what: `${bytes.length} bytes of no protocol`,
    send: ({ target }) => exchange(target.address, { parts: [bytes], waitMs }),
  };
}

/** Opens connections that stop somewhere, and holds them. */
export function halfOpen(draw: Draw): Sendable {
  const count = draw.size(40);
  const forMs = draw.whole(1000, 15_000);
  const [name, text] = draw.pick(
    [
      ["no byte", ""],
      ["half a request line", "GET /sta"],
      ["half a header", "GET /status HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: "],
      ["half a body", "PUT /kv/fuzz/half HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100000\r\n\r\nhalf"],
      [
        "half a chunk",
        "PUT /kv/fuzz/half HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\nffff\r\nhalf",
      ],
      [
        "half a call",
        "POST /raft.v1.PeerService/Send HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/proto\r\n" +
        "content-length: 100000\r\n\r\n\n",
      ],
      ["half a preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nS"],
      ["HTTP/2 without a request", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"],
    ] as const,
  );
  return hold(`${count} connections with ${name}`, count, forMs, text);
}

/** Starts requests whose answers are not read: watches, lists and pipelines. */
export function unread(draw: Draw): Sendable {
  const count = draw.size(30);
  const forMs = draw.whole(1000, 15_000);
  const [name, line, times] = draw.pick(
    [
      ["watch", "GET /kv?watch", 1],
      ["watch of a prefix", "GET /kv?watch&prefix=fuzz", 1],
      ["watch from the first change", "GET /kv?watch&from=1", 1],
      ["list of everything", "GET /kv?limit=10000", 1],
      ["pipeline of lists", "GET /kv?limit=10000", 20],
      ["pipeline of statuses", "GET /status", 200],
    ] as const,
  );
  return hold(
    `${count} times a ${name}, unread`,
    count,
    forMs,
    `${line} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`.repeat(times),
  );
}

function hold(what: string, count: number, forMs: number, text: string): Sendable {
  return {
    what: `${what}, for ${forMs} ms`,
    send({ target, held }) {
      for (let at = 0; at < count; at++) held.hold(target.address, bytesOf(text), forMs);
      return Promise.resolve("");
    },
  };
}

/** Writes a value of some size under one of a few keys, so that watchers and logs have something to carry. */
export function largeWrite(draw: Draw): Sendable {
  const [key, body] = [draw.whole(0, 15), draw.bytes(draw.size(1024 * 1024))];
  const head =
    `PUT /kv/fuzz/large/${key} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`;
  return {
    what: `a value of ${body.length} bytes`,
    send: ({ target }) => exchange(target.address, { parts: [bytesOf(head), body], waitMs: 3000 }),
  };
}
